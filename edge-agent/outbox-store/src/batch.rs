//! What one commit changes.

use bytes::Bytes;

use crate::{Block, Lane, Producer};

/// Operations that become durable together, in this order.
pub type Batch = Vec<Op>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Makes a lane. Its first block is number 0, its first sequence 0.
    CreateLane {
        lane: u32,
        what: Lane,
    },
    /// Must come before the first block is sent under the producer.
    SetProducer {
        lane: u32,
        producer: Producer,
    },
    /// The lane's next block; its base sequence is the lane's next sequence.
    Append {
        lane: u32,
        block: Block,
    },
    /// Deletes the lane's blocks up to and including this number.
    Forget {
        lane: u32,
        through_block: u64,
    },
    PutSession {
        client_id: String,
        record: Bytes,
    },
    /// One slot of a session's window of past publishes; over the one that had the slot.
    PutWindow {
        client_id: String,
        slot: u16,
        entry: Bytes,
    },
    /// The session and its whole window.
    DeleteSession {
        client_id: String,
    },
    PutDownlink {
        delivery: u64,
        message: Bytes,
    },
    DeleteDownlink {
        delivery: u64,
    },
    PutOffset {
        topic: String,
        partition: i32,
        next_offset: i64,
    },
    PutFact {
        kind: String,
        key: String,
        value: Bytes,
    },
    DeleteFact {
        kind: String,
        key: String,
    },
}

/// What a commit did, once it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Bytes of all blocks that wait for an acknowledgement.
    pub stored_bytes: u64,
    pub stored_events: u64,
}
