//! What the sessions want done. The shell does it in this order.

use bytes::Bytes;
use mqtt_wire::{Packet, Properties, ProtocolVersion, Qos, ReasonCode};

use super::{ClientId, CloseReason, ConnectionId, DeliveryId, SessionRecord, Token, WindowEntry};

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Send {
        conn: ConnectionId,
        version: ProtocolVersion,
        packet: Packet,
    },
    /// Write what was sent, then close. No input about this connection is needed any more.
    Close {
        conn: ConnectionId,
        reason: CloseReason,
    },
    /// Make the event durable, then answer `Committed`, `Rejected` or `CommitFailed`.
    Ingest(Ingest),
    /// Write the record over the one it had, then answer `Committed` or `CommitFailed`.
    SaveSession {
        token: Token,
        record: SessionRecord,
    },
    /// Forget the record and its window, then answer likewise. Before whatever follows for this client.
    DeleteSession {
        token: Token,
        client_id: ClientId,
    },
    /// The client has it (QoS 1), or it was sent (QoS 0).
    Delivered {
        delivery_id: DeliveryId,
        client_id: ClientId,
    },
    /// The client is away or busy. The downlink keeps it until `WantsDeliveries`.
    Deferred {
        delivery_id: DeliveryId,
        client_id: ClientId,
    },
    /// Never for this client: expired, refused by it, or larger than it takes.
    Undeliverable {
        delivery_id: DeliveryId,
        client_id: ClientId,
        why: WhyUndeliverable,
    },
    /// No session subscribes to its topic.
    NoSubscriber {
        delivery_id: DeliveryId,
    },
    /// There is room again: offer what was deferred (and, after a subscription, what it may match).
    WantsDeliveries {
        client_id: ClientId,
    },
}

/// Why a message will never reach this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUndeliverable {
    Expired,
    /// Beyond the maximum packet size of a version 5 client.
    TooLarge,
    /// By the reason code of its PUBACK.
    RefusedByClient(ReasonCode),
}

/// An event of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingest {
    pub token: Token,
    pub client_id: ClientId,
    pub principal: String,
    pub topic: String,
    /// A slice of the read buffer: copy it to keep it.
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    /// The client's last will: nobody waits for its token.
    pub is_will: bool,
    /// Version 5: content type, user properties and the like.
    pub properties: Properties,
    /// Written in the transaction of the event, so that the event and the memory of it are one.
    pub window_entry: Option<WindowEntry>,
}
