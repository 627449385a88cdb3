//! The MQTT side of the agent, without sockets and disk: connections, sessions, and the promise that
//! **a PUBACK means on disk**.
//!
//! ```text
//!  PUBLISH --> Ingest{token} --> (the store syncs) --> Committed{token} --> PUBACK
//! ```
//!
//! No other path leads to a PUBACK for an event, and the PUBACKs of a connection leave in the order of
//! its PUBLISHes [MQTT-4.6.0-2]. A QoS 0 event is ingested too, unanswered.
//!
//! **A re-sent event is stored once**, as far as MQTT lets one see it. A persistent session keeps a
//! window of what it committed last, (packet id, hash), written in the transaction of the events
//! themselves. After a reconnect that resumes the session the first use of a packet id that matches
//! is a re-delivery, with or without DUP: acknowledged, not ingested. One that is still being
//! committed is joined. See `window.rs`.
//!
//! **A persistent session is durable before its CONNACK**, a subscription before its SUBACK, so that
//! "session present" is true after a crash of the agent.
//!
//! **QoS 2** is not here: version 5 is told Maximum QoS 1, an older client that publishes with QoS 2
//! loses the connection. SUBSCRIBE with QoS 2 is granted QoS 1.
//!
//! **The retain flag** is accepted and passed on with the event; retained messages are kept nowhere.
//!
//! **Full?** Beyond the receive maximum a client is disconnected, and beyond `max_uncommitted` of all
//! clients whoever publishes next; QoS 0 events beyond either number are dropped and counted. Towards
//! the client, QoS 0 is dropped and counted, QoS 1 from the downlink is `Deferred` (the downlink's store
//! keeps it, `WantsDeliveries` asks for it again), and a client that reads nothing while its answers
//! pile up is disconnected.

mod action;
mod close;
mod config;
mod connect;
mod connection;
mod deliver;
mod hash;
mod input;
mod outgoing;
mod publish;
mod record;
mod session;
mod subscribe;
#[cfg(test)]
mod tests;
mod timers;
mod tree;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mqtt_wire::{Packet, PacketId, Qos};

pub use action::{Action, Ingest, WhyUndeliverable};
pub use close::CloseReason;
pub use config::SessionsConfig;
pub use input::{Delivery, Input};
pub use record::{LoadedSession, SessionRecord, SubscriptionRecord, WindowEntry};

use connection::Connection;
use session::Session;
use timers::{Timer, Timers};
use tree::SubscriptionTree;

/// A connection, numbered by the shell; a number is not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Ties a `Committed` to the action that asked for durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A message of the downlink, numbered by its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryId(pub u64);

/// What a client calls itself.
pub type ClientId = Arc<str>;

/// All connections and sessions of the agent.
pub struct Sessions {
    config: SessionsConfig,
    connections: BTreeMap<ConnectionId, Connection>,
    sessions: BTreeMap<ClientId, Session>,
    tree: SubscriptionTree,
    waiting: BTreeMap<Token, Waiting>,
    timers: Timers,
    last_token: u64,
    counters: Counters,
}

/// What happens when a token is committed.
enum Waiting {
    /// A PUBACK, and the message for local subscribers.
    Publish { client_id: ClientId, packet_id: Option<PacketId>, conn: ConnectionId, message: Option<Message> },
    /// The rest of a CONNECT.
    Connect { conn: ConnectionId, client_id: ClientId },
    /// A SUBACK or UNSUBACK.
    Reply { conn: ConnectionId, client_id: ClientId, packet: Packet },
}

/// A message on its way to subscribers.
#[derive(Debug, Clone)]
struct Message {
    topic: String,
    payload: Bytes,
    qos: Qos,
    retain: bool,
    /// The client that published it, for No Local.
    publisher: Option<ClientId>,
    expires: Option<Instant>,
    delivery_id: Option<DeliveryId>,
}

/// What was dropped because the promises allow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// QoS 0 events of devices, too many of them uncommitted.
    pub qos0_ingest_dropped: u64,
    /// QoS 0 messages to a device that is slow or away.
    pub qos0_deliveries_dropped: u64,
    /// QoS 1 messages from device to device, kept in memory only.
    pub local_deliveries_dropped: u64,
    /// Re-sent events that were not stored again.
    pub redeliveries: u64,
}

impl Sessions {
    pub fn new(config: SessionsConfig) -> Self {
        Self {
            config,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            tree: SubscriptionTree::default(),
            waiting: BTreeMap::new(),
            timers: Timers::default(),
            last_token: 0,
            counters: Counters::default(),
        }
    }

    /// Takes one input and appends what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Instant, actions: &mut Vec<Action>) {
        match input {
            Input::Loaded { sessions } => self.loaded(sessions, now),
            Input::Connected { conn, principal, fallback_client_id } => {
                self.connected(conn, principal, fallback_client_id, now, actions);
            }
            Input::Packet { conn, packet } => self.packet(conn, packet, now, actions),
            Input::Malformed { conn, error } => self.malformed(conn, error, now, actions),
            Input::Closed { conn } => self.forget_connection(conn, true, now, actions),
            Input::Flushed { conn } => self.flushed(conn, actions),
            Input::Committed { token } => self.committed(token, None, now, actions),
            Input::Rejected { token, reason } => self.committed(token, Some(reason), now, actions),
            Input::CommitFailed { token } => self.commit_failed(token, now, actions),
            Input::Deliver(delivery) => self.deliver(delivery, now, actions),
            Input::Withdraw { delivery_id } => self.withdraw(delivery_id),
            Input::Tick => {}
        }
        self.expire(now, actions);
    }

    /// When `handle` wants to be called with a `Tick` at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Open connections, before and after CONNECT.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Sessions, connected or kept.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    fn packet(&mut self, conn: ConnectionId, packet: Packet, now: Instant, actions: &mut Vec<Action>) {
        // A connection we closed may still have packets in the shell's hands.
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.last_packet = now;
        if let Packet::Connect(connect) = packet {
            return if connection.is_fresh() {
                self.connect(conn, *connect, now, actions)
            } else {
                self.close(conn, CloseReason::SecondConnect, now, actions)
            };
        }
        if connection.is_fresh() {
            return self.close(conn, CloseReason::NotConnect, now, actions);
        }
        if connection.awaits_connack() {
            // A client need not wait for CONNACK; what it sends waits for the store with it.
            if connection.hold(packet, &self.config).is_err() {
                self.close(conn, CloseReason::TooMuchBeforeConnack, now, actions);
            }
            return;
        }
        self.packet_of_session(conn, packet, now, actions);
    }

    fn packet_of_session(
        &mut self,
        conn: ConnectionId,
        packet: Packet,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        match packet {
            Packet::Publish(publish) => self.publish(conn, publish, now, actions),
            Packet::Puback(ack) => self.puback(conn, ack, actions),
            Packet::Subscribe(subscribe) => self.subscribe(conn, subscribe, now, actions),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(conn, unsubscribe, now, actions),
            Packet::Pingreq => self.send(conn, Packet::Pingresp, now, actions),
            Packet::Disconnect(disconnect) => self.disconnect(conn, disconnect, now, actions),
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingresp
            | Packet::Auth(_) => {
                self.close(conn, CloseReason::UnexpectedPacket { packet: packet.name() }, now, actions);
            }
        }
    }

    /// The store has it, as an event or (with a reason) as a recorded rejection.
    fn committed(
        &mut self,
        token: Token,
        rejected: Option<mqtt_wire::ReasonCode>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        match self.waiting.remove(&token) {
            Some(Waiting::Publish { client_id, packet_id, conn, message }) => {
                self.publish_committed(token, (client_id, packet_id, conn), rejected, now, actions);
                if let (Some(message), None) = (message, rejected) {
                    self.route_locally(message, now, actions);
                }
            }
            Some(Waiting::Connect { conn, client_id }) => {
                self.saved(token, &client_id, true);
                self.finish_connect(conn, now, actions);
            }
            Some(Waiting::Reply { conn, client_id, packet }) => {
                self.saved(token, &client_id, true);
                self.send(conn, packet, now, actions);
            }
            None => {} // a will, or a connection that is gone
        }
    }

    fn commit_failed(&mut self, token: Token, now: Instant, actions: &mut Vec<Action>) {
        match self.waiting.remove(&token) {
            Some(Waiting::Publish { client_id, packet_id, conn, .. }) => {
                self.publish_failed(token, client_id, packet_id, conn, now, actions);
            }
            Some(Waiting::Connect { conn, client_id } | Waiting::Reply { conn, client_id, .. }) => {
                self.saved(token, &client_id, false);
                self.close(conn, CloseReason::StoreFailed, now, actions);
            }
            None => {}
        }
    }

    fn next_token(&mut self) -> Token {
        self.last_token += 1;
        Token(self.last_token)
    }

    /// Sends to a connection that is still there; closes one that does not read.
    fn send(&mut self, conn: ConnectionId, packet: Packet, now: Instant, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.queue(packet, conn, actions);
        if connection.queued_bytes > 2 * self.config.max_queued_bytes {
            self.close(conn, CloseReason::ReadsNothing, now, actions);
        }
    }

    fn expire(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Connection(conn) => self.connection_timer(conn, now, actions),
                Timer::Session(client_id) => self.session_timer(&client_id, now, actions),
            }
        }
    }
}
