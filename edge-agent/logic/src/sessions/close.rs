//! How connections and sessions end, and what a client leaves behind.

use std::fmt;
use std::time::{Duration, Instant};

use mqtt_wire::{Connack, DecodeError, Disconnect, Packet, Properties, ProtocolVersion, ReasonCode, Will};

use super::connection::Stage;
use super::{Action, ClientId, ConnectionId, Ingest, Sessions};

/// Why the agent closes a connection: a sentence for the log, a reason code for a version 5 client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The client said so.
    Disconnected,
    TooManyConnections,
    ConnectTimeout,
    NotConnect,
    SecondConnect,
    Refused(ReasonCode),
    TooMuchBeforeConnack,
    KeepAliveTimeout,
    TakenOver,
    Malformed(DecodeError),
    UnexpectedPacket {
        packet: &'static str,
    },
    ReceiveMaximumExceeded,
    /// The packet id waits for its PUBACK and came with another message.
    PacketIdInUse,
    Qos2,
    TopicAlias,
    SubscriptionIdentifier,
    SessionExpiryFromZero,
    ReadsNothing,
    /// The store is behind with too many events.
    StoreBehind,
    /// Not acknowledged, so that the client keeps what it sent.
    StoreFailed,
}

impl CloseReason {
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Disconnected => ReasonCode::SUCCESS,
            Self::TooManyConnections => ReasonCode::SERVER_BUSY,
            Self::ConnectTimeout => ReasonCode::MAXIMUM_CONNECT_TIME,
            Self::NotConnect | Self::SecondConnect | Self::SessionExpiryFromZero => {
                ReasonCode::PROTOCOL_ERROR
            }
            Self::UnexpectedPacket { .. } | Self::PacketIdInUse => ReasonCode::PROTOCOL_ERROR,
            Self::Refused(reason) => *reason,
            Self::TooMuchBeforeConnack | Self::ReceiveMaximumExceeded => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            Self::KeepAliveTimeout => ReasonCode::KEEP_ALIVE_TIMEOUT,
            Self::TakenOver => ReasonCode::SESSION_TAKEN_OVER,
            // A second CONNECT in another version: there is no CONNACK left to say so.
            Self::Malformed(DecodeError::UnsupportedVersion { .. }) => ReasonCode::PROTOCOL_ERROR,
            Self::Malformed(error) => error.reason_code(),
            Self::Qos2 => ReasonCode::QOS_NOT_SUPPORTED,
            Self::TopicAlias => ReasonCode::TOPIC_ALIAS_INVALID,
            Self::SubscriptionIdentifier => ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
            Self::ReadsNothing | Self::StoreBehind | Self::StoreFailed => ReasonCode::QUOTA_EXCEEDED,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the client disconnected"),
            Self::TooManyConnections => f.write_str("there are too many connections"),
            Self::ConnectTimeout => f.write_str("no CONNECT came in time"),
            Self::NotConnect => f.write_str("its first packet is not CONNECT"),
            Self::SecondConnect => f.write_str("a second CONNECT came"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::TooMuchBeforeConnack => f.write_str("it sent too much before CONNACK"),
            Self::KeepAliveTimeout => f.write_str("it was silent for one and a half times its keep alive"),
            Self::TakenOver => f.write_str("its client id connected again"),
            Self::Malformed(error) => error.fmt(f),
            Self::UnexpectedPacket { packet } => write!(f, "a client does not send {packet} here"),
            Self::ReceiveMaximumExceeded => {
                f.write_str("it has more unacknowledged than the receive maximum")
            }
            Self::PacketIdInUse => f.write_str("it used a packet id again before its PUBACK"),
            Self::Qos2 => f.write_str("it published with QoS 2, which is not served"),
            Self::TopicAlias => f.write_str("it used a topic alias, none was granted"),
            Self::SubscriptionIdentifier => {
                f.write_str("it used a subscription identifier, which is not served")
            }
            Self::SessionExpiryFromZero => f.write_str("it gave a session an expiry that had none"),
            Self::ReadsNothing => f.write_str("it does not read what it is sent"),
            Self::StoreBehind => f.write_str("too many events wait for the store"),
            Self::StoreFailed => f.write_str("the store could not keep what it sent"),
        }
    }
}

impl Sessions {
    /// Closes a connection as if it had been lost, with a word to a version 5 client.
    pub(super) fn close(
        &mut self,
        conn: ConnectionId,
        reason: CloseReason,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        match connection.stage {
            Stage::Fresh => {}
            Stage::AwaitsConnack { .. } => {
                let refusal = refusal(connection.version, ReasonCode::SERVER_UNAVAILABLE);
                connection.queue(refusal, conn, actions);
            }
            Stage::Open { .. } if connection.version == ProtocolVersion::V5 => {
                let word = Packet::Disconnect(Disconnect::new(reason.reason_code()));
                connection.queue(word, conn, actions);
            }
            Stage::Open { .. } => {}
        }
        actions.push(Action::Close { conn, reason });
        self.forget_connection(conn, true, now, actions);
    }

    /// Answers a CONNECT with no, and closes.
    pub(super) fn refuse(
        &mut self,
        conn: ConnectionId,
        reason: ReasonCode,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.queue(refusal(connection.version, reason), conn, actions);
        actions.push(Action::Close { conn, reason: CloseReason::Refused(reason) });
        self.forget_connection(conn, false, now, actions);
    }

    pub(super) fn malformed(
        &mut self,
        conn: ConnectionId,
        error: DecodeError,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let fresh = self.connections.get(&conn).is_some_and(super::Connection::is_fresh);
        match error {
            // [MQTT-3.1.2-2]: the one mistake before CONNECT that has an answer.
            DecodeError::UnsupportedVersion { .. } if fresh => {
                self.refuse(conn, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, now, actions);
            }
            error => self.close(conn, CloseReason::Malformed(error), now, actions),
        }
    }

    /// DISCONNECT: without its will, unless version 5 asks for it. [MQTT-3.14.4-3]
    pub(super) fn disconnect(
        &mut self,
        conn: ConnectionId,
        disconnect: Disconnect,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let session = self.session_of(conn);
        if let (Some(session), Some(expiry)) = (session, disconnect.properties.session_expiry_interval()) {
            if session.expiry_secs == 0 && *expiry > 0 {
                return self.close(conn, CloseReason::SessionExpiryFromZero, now, actions);
            }
            session.expiry_secs = *expiry;
        }
        actions.push(Action::Close { conn, reason: CloseReason::Disconnected });
        self.forget_connection(conn, disconnect.reason != ReasonCode::SUCCESS, now, actions);
    }

    /// The connection is no more. Its session stays if it is persistent, and so do the publishes that
    /// are being committed.
    pub(super) fn forget_connection(
        &mut self,
        conn: ConnectionId,
        publish_will: bool,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        if let Some(at) = connection.timer {
            self.timers.clear(at, super::Timer::Connection(conn));
        }
        let Some(client_id) = connection.client_id().cloned() else { return };
        let Some(session) = self.sessions.get_mut(&client_id) else { return };
        if session.connection != Some(conn) {
            return;
        }
        session.connection = None;
        let expiry = session.expiry(&self.config);
        let will = connection.will.filter(|_| publish_will);
        if let Some(will) = will {
            let delay = will.properties.will_delay_interval().copied().unwrap_or(0);
            let delay = Duration::from_secs(u64::from(delay)).min(expiry);
            if delay.is_zero() {
                self.ingest_will(&client_id, &connection.principal, will, actions);
            } else {
                session.delayed_will = Some((now + delay, will));
            }
        }
        if expiry.is_zero() {
            self.end_session(&client_id, actions);
        } else if let Some(session) = self.sessions.get_mut(&client_id) {
            session.ends = Some(now + expiry);
            self.set_session_timer(&client_id);
        }
    }

    /// The end of a session: nothing is left of it, in memory or on disk.
    pub(super) fn end_session(&mut self, client_id: &ClientId, actions: &mut Vec<Action>) {
        let Some(session) = self.remove_session(client_id) else { return };
        for delivery_id in session.outgoing.iter().filter_map(|unacked| unacked.message.delivery_id) {
            actions.push(Action::Deferred { delivery_id, client_id: client_id.clone() });
        }
        if session.saved {
            let token = self.next_token();
            actions.push(Action::DeleteSession { token, client_id: client_id.clone() });
        }
    }

    pub(super) fn connection_timer(&mut self, conn: ConnectionId, now: Instant, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.timer = None;
        match connection.silent_until(&self.config) {
            Some(until) if until <= now => {
                let fresh = connection.is_fresh();
                let reason = if fresh { CloseReason::ConnectTimeout } else { CloseReason::KeepAliveTimeout };
                self.close(conn, reason, now, actions);
            }
            _ => self.set_connection_timer(conn),
        }
    }

    pub(super) fn session_timer(&mut self, client_id: &ClientId, now: Instant, actions: &mut Vec<Action>) {
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        session.timer = None;
        let ended = session.ends.is_some_and(|ends| ends <= now);
        let principal = session.principal.clone();
        if let Some((_, will)) = session.delayed_will.take_if(|(at, _)| ended || *at <= now) {
            self.ingest_will(client_id, &principal, will, actions);
        }
        if ended { self.end_session(client_id, actions) } else { self.set_session_timer(client_id) }
    }

    /// The last will is an event like any other, only that nobody waits for its PUBACK.
    fn ingest_will(&mut self, client_id: &ClientId, principal: &str, will: Will, actions: &mut Vec<Action>) {
        let Will { topic, payload, qos, retain, properties } = will;
        let properties =
            properties.iter().filter(|property| !is_will_delay(property)).cloned().collect::<Properties>();
        actions.push(Action::Ingest(Ingest {
            token: self.next_token(),
            client_id: client_id.clone(),
            principal: principal.to_owned(),
            topic,
            payload,
            qos: qos.min(mqtt_wire::Qos::AtLeastOnce),
            retain,
            is_will: true,
            properties,
            window_entry: None,
        }));
    }
}

fn is_will_delay(property: &mqtt_wire::Property) -> bool {
    matches!(property, mqtt_wire::Property::WillDelayInterval(_))
}

/// A CONNACK that every version can say: what an older one has no number for is "server unavailable".
fn refusal(version: ProtocolVersion, reason: ReasonCode) -> Packet {
    let has_number = matches!(
        reason,
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION
            | ReasonCode::CLIENT_IDENTIFIER_NOT_VALID
            | ReasonCode::BAD_USER_NAME_OR_PASSWORD
            | ReasonCode::NOT_AUTHORIZED
            | ReasonCode::SERVER_UNAVAILABLE
    );
    let fits = has_number || version == ProtocolVersion::V5;
    Packet::Connack(Connack::refused(if fits { reason } else { ReasonCode::SERVER_UNAVAILABLE }))
}
