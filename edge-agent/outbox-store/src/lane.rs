//! A lane as the disk knows it: who it is, and where its blocks and sequences stand.

use serde::{Deserialize, Serialize};

/// A producer's identity as a Kafka leader keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
}

/// What the logic says about a lane when it makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    pub topic: String,
    pub partition: i32,
    /// The class's place in `uplink_wire::Class::ALL`.
    pub class: u8,
}

/// The record of the `lanes` table. Frozen: a changed layout is another format version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneRecord {
    pub lane: Lane,
    pub producer: Option<Producer>,
    pub next_sequence: i32,
    pub first_block: u64,
    pub next_block: u64,
    pub stored_bytes: u64,
    pub stored_events: u64,
}

impl LaneRecord {
    pub fn new(lane: Lane) -> Self {
        LaneRecord {
            lane,
            producer: None,
            next_sequence: 0,
            first_block: 0,
            next_block: 0,
            stored_bytes: 0,
            stored_events: 0,
        }
    }

    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    pub fn decode(payload: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(payload) {
            Ok((record, [])) => Some(record),
            _ => None,
        }
    }
}
