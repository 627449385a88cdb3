//! MQTT 3.1, 3.1.1 and 5: bytes to values and back, strictly. No I/O, no clock, no state.
//!
//! [`decode`] takes one packet off the front of a read buffer, [`encode`] appends one to a write
//! buffer. Both know all 15 packet types in both directions; who may send what when is for the
//! sessions to judge. One file per packet in `packet/`, the table of version 5 properties in
//! `property.rs`, topic names and filters in `topic.rs`.
//!
//! A length from the peer is never believed: a packet is looked at when all its bytes have arrived,
//! and a header that announces more than [`Limits::max_packet_bytes`] is an error at once. Payloads
//! are slices of the read buffer; whoever keeps one for long copies it.
//!
//! Section numbers like [MQTT-2.2.2-2] are the numbered statements of the OASIS specifications.

mod decode;
mod encode;
mod error;
mod packet;
mod primitives;
mod property;
mod reason;
mod topic;
mod version;

pub use decode::{Limits, decode};
pub use encode::encode;
pub use error::{DecodeError, EncodeError};
pub use packet::ack::Ack;
pub use packet::auth::Auth;
pub use packet::connack::Connack;
pub use packet::connect::{Connect, Will};
pub use packet::disconnect::Disconnect;
pub use packet::publish::Publish;
pub use packet::suback::Suback;
pub use packet::subscribe::{RetainHandling, Subscribe, SubscribeRequest};
pub use packet::unsuback::Unsuback;
pub use packet::unsubscribe::Unsubscribe;
pub use packet::{Packet, PacketId};
pub use property::{Properties, Property, SubscriptionId};
pub use reason::ReasonCode;
pub use topic::{TopicError, check_topic_filter, check_topic_name, is_shared_filter, topic_matches};
pub use version::{ProtocolVersion, Qos};
