//! The Kafka protocol: bytes to values and back, for both ends of a connection.
//!
//! No length that arrives is believed before it is checked against the bytes that are really
//! there, and no error is a panic. Record batches stay bytes: see [`record_batch`].

pub mod compression;
pub mod partitioner;
pub mod record_batch;
mod varint;
