//! The edge protocol: how an edge agent hands its outbox to a broker, and gets alerts back.
//!
//! It runs over QUIC with mutual TLS, ALPN [`ALPN`]; any ordered byte stream would do. The agent
//! opens every stream, all of them bidirectional:
//!
//! ```text
//! stream         agent -> broker                      broker -> agent
//! control        Hello                                Welcome | Refused
//! one per lane   OpenLane, then Block Block ...       LaneOpened | Refused, then Ack ... | Refused
//! one per topic  Subscribe                            Deliver Deliver ... | Refused
//! ```
//!
//! * A **lane** is one (topic, partition, class). Its blocks are Kafka v2 record batches that carry
//!   the lane's producer id, epoch and base sequence, so the leader's ordinary idempotence check
//!   removes what is sent twice. A block that is sent again has the same bytes.
//! * At most [`MAX_BLOCKS_IN_FLIGHT`] blocks of a lane are unacknowledged: what the leader remembers.
//! * `Ack` follows the leader's append *and sync*, is cumulative, and in order.
//! * `Refused` on a lane ends that stream. [`RefusalCode::retry`] says whether the same bytes may be
//!   sent again later; after `OutOfOrderSequence` on the first unacknowledged block the agent asks
//!   for a new producer id (`OpenLane { producer: None }`) and goes on with the sequences it has.
//! * An agent keeps a lane's producer id on disk before it sends the first block under it.
//!
//! Every frame is a hand-made header (`frame.rs`) around a body: postcard for the control frames, raw
//! batches for `Block` and `Deliver`. One frozen struct per kind and version, with golden bytes in
//! the tests; a changed layout is a new kind or a new version, never an edit.
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

mod body;
mod frame;

pub use body::{
    Class, Hello, LaneOpened, OpenLane, Refusal, RefusalCode, StampedProducer, Subscribe, TopicInfo,
    TopicWanted, Welcome,
};
pub use frame::{BLOCK_RESENT, DecodeError, Frame, HEADER_BYTES, MAX_FRAME_BYTES, decode, encode};

/// The version gate of the connection: a broker that speaks another protocol refuses the handshake.
pub const ALPN: &[u8] = b"longhaul-edge/1";

/// The one protocol version there is.
pub const VERSION: u8 = 1;

/// What a Kafka leader remembers per producer, and so the most a lane may have unacknowledged.
pub const MAX_BLOCKS_IN_FLIGHT: usize = 5;
