//! What a person at the edges of the system could see: at the devices, on the agent's wires and disk, and as
//! a consumer of the log. The invariants judge by this alone.

use bytes::Bytes;

use crate::network::WireId;

/// A fix: which device's, and its number, from 0.
pub type Fix = (usize, u64);

/// A topic's partition.
pub type Place = (&'static str, i32);

#[derive(Debug, Clone)]
pub enum Observation {
    /// A device wrote the fix to its socket. `anew`: not as the re-delivery of an unacknowledged one.
    Published {
        fix: Fix,
        wire: Option<WireId>,
        persistent: bool,
        topic: &'static str,
        payload: Bytes,
        anew: bool,
    },
    /// The fix's PUBACK has reached the device.
    Acknowledged {
        fix: Fix,
        wire: Option<WireId>,
    },
    /// A consumer may read this record.
    Visible {
        place: Place,
        offset: i64,
        value: Bytes,
    },
    /// A consumer may read this batch: its first offset, and the hash of its bytes.
    BatchVisible {
        place: Place,
        base_offset: i64,
        hash: u64,
    },
    /// A broker has started: what a consumer may read of the partition, from its beginning.
    ReadAgain {
        place: Place,
        high_watermark: i64,
        batches: Vec<(i64, u64)>,
    },
    /// The stream app was told that its alert is stored. `device`: of whom, if it is one of ours.
    AlertAppended {
        alert: String,
        device: Option<usize>,
        expires_ms: i64,
    },
    /// The agent wrote the alert to a device's socket.
    AlertHanded {
        conn: u64,
        packet_id: u16,
        alert: String,
        now_ms: i64,
    },
    AlertReceived {
        device: usize,
        alert: String,
    },
    /// A device's PUBACK has reached the agent.
    PubackHeard {
        conn: u64,
        packet_id: u16,
    },
    CommitStarted,
    CommitOnDisk,
    /// The agent stopped without a word; what was not on its disk is gone.
    AgentDied,
    /// Somebody looked how many events wait in the agent's outbox; `None` while it is down.
    OutboxHolds {
        events: Option<u64>,
        now_ms: i64,
    },
}

/// Whose fix a payload is.
pub fn fix_of(payload: &[u8]) -> Option<Fix> {
    let value: serde_json::Value = serde_json::from_slice(payload).ok()?;
    let device = value.get("vehicle_id")?.as_str()?.strip_prefix("truck-")?.parse().ok()?;
    Some((device, value.get("seq")?.as_u64()?))
}
