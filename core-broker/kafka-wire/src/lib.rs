//! The Kafka protocol: bytes to values and back, for both ends of a connection.
//!
//! - [`frame`] cuts a stream into messages, [`codec`] turns a message into a value and back.
//! - [`api`] is the table of what is spoken, [`messages`] the tables of every request and response.
//! - [`record_batch`] checks, patches, builds and takes apart batches; messages carry them as bytes.
//!
//! No length that arrives is believed before it is checked against the bytes that are really
//! there, and no error is a panic.

pub mod api;
pub mod codec;
pub mod compression;
pub mod configs;
pub mod consumer_protocol;
pub mod error_code;
pub mod field;
pub mod frame;
pub mod header;
pub mod messages;
pub mod partitioner;
pub mod primitives;
pub mod record_batch;
pub mod records;
mod table;
mod varint;

#[cfg(any(test, feature = "samples"))]
pub mod damage;
#[cfg(test)]
mod oracle;
#[cfg(any(test, feature = "samples"))]
pub mod sample;

pub use api::{ApiKey, Call, Request, Response};
pub use codec::{
    RequestError, Undecoded, decode_header, decode_request, decode_response, encode_request, encode_response,
    encode_response_parts,
};
pub use error_code::ErrorCode;
pub use header::RequestHeader;
pub use primitives::{DecodeError, EncodeError, Part};
pub use records::Records;
