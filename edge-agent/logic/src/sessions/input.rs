//! What the sessions are told.

use std::time::Instant;

use bytes::Bytes;
use mqtt_wire::{DecodeError, Packet, Qos, ReasonCode};

use super::{ClientId, ConnectionId, DeliveryId, LoadedSession, Token};

#[derive(Debug, Clone)]
pub enum Input {
    /// What the store kept, before the first connection.
    Loaded {
        sessions: Vec<LoadedSession>,
    },
    /// A socket is open and authenticated as `principal`. Chance is an argument: `fallback_client_id`
    /// is for a client that brings no id, and must be new every time.
    Connected {
        conn: ConnectionId,
        principal: String,
        fallback_client_id: String,
    },
    Packet {
        conn: ConnectionId,
        packet: Packet,
    },
    /// The bytes of the connection are not MQTT.
    Malformed {
        conn: ConnectionId,
        error: DecodeError,
    },
    /// The socket is gone.
    Closed {
        conn: ConnectionId,
    },
    /// The shell has written all it was given for this connection.
    Flushed {
        conn: ConnectionId,
    },
    /// What the action with this token asked for is synced.
    Committed {
        token: Token,
    },
    /// No route takes the event, and this is recorded durably. `reason`: 0x87, 0x90 for the topic,
    /// 0x99 for the payload.
    Rejected {
        token: Token,
        reason: ReasonCode,
    },
    /// The store could not. The client is disconnected, keeps the event and sends it again.
    CommitFailed {
        token: Token,
    },
    Deliver(Delivery),
    /// It has expired or is done elsewhere: not sent again to anybody.
    Withdraw {
        delivery_id: DeliveryId,
    },
    /// Time has passed.
    Tick,
}

/// A message of the downlink.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub delivery_id: DeliveryId,
    /// Only to this client; to all that subscribed when `None`.
    pub to: Option<ClientId>,
    pub topic: String,
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    /// Not sent at or after this time.
    pub expires: Option<Instant>,
}
