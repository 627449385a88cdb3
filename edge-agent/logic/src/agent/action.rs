//! What the agent wants done outside of its cores.

use mqtt_wire::{Packet, ProtocolVersion};
use uplink_wire::Frame;

use crate::{
    lane::{BlockNumber, LaneId},
    outbox::{self, Commit},
    sessions::{ClientId, CloseReason, ConnectionId, WhyUndeliverable},
    uplink::{self, Attempt, StreamId},
};

#[derive(Debug)]
pub enum Action {
    /// To a device.
    Packet {
        conn: ConnectionId,
        version: ProtocolVersion,
        packet: Packet,
    },
    /// Write what was sent, then close.
    Close {
        conn: ConnectionId,
        reason: CloseReason,
    },
    /// Write and sync this, then say `Committed`. One at a time.
    Commit(Commit),
    /// Connect to the broker; answered by `Connected` or `Disconnected`.
    Connect {
        attempt: Attempt,
    },
    Disconnect {
        attempt: Attempt,
    },
    OpenStream {
        stream: StreamId,
        priority: i32,
    },
    Frame {
        stream: StreamId,
        frame: Frame,
    },
    /// Answered by `BlocksRead`, never with fewer blocks because a read failed.
    ReadBlocks {
        lane: LaneId,
        from: BlockNumber,
        max_blocks: usize,
    },
    Notice(Notice),
}

/// For the log.
#[derive(Debug)]
pub enum Notice {
    Outbox(outbox::Alarm),
    Uplink(uplink::Alarm),
    Undeliverable {
        client_id: ClientId,
        why: WhyUndeliverable,
    },
    /// Kept in `gps_rejected`, with the reason.
    Rejected {
        client_id: ClientId,
        reason: String,
    },
    /// The broker says how many partitions a topic has.
    Partitions {
        topic: String,
        partitions: u32,
    },
    /// The broker's clock.
    ServerTime {
        time_ms: i64,
    },
}
