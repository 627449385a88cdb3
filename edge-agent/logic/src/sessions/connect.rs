//! CONNECT: from a socket to a session that is on disk before the client hears of it.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use mqtt_wire::{Connack, Connect, Packet, Properties, Property, ProtocolVersion, Qos, ReasonCode};

use super::connection::{Connection, Stage};
use super::session::Session;
use super::{Action, ClientId, CloseReason, ConnectionId, Sessions, Timer, Token, Waiting};

/// A session of the older versions has no end of its own: the agent's limit is its end.
const NO_EXPIRY: u32 = u32::MAX;

impl Sessions {
    pub(super) fn connected(
        &mut self,
        conn: ConnectionId,
        principal: String,
        fallback_client_id: String,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if self.connections.len() >= self.config.max_connections {
            return actions.push(Action::Close { conn, reason: CloseReason::TooManyConnections });
        }
        self.connections.insert(conn, Connection::new(principal, fallback_client_id, now));
        self.set_connection_timer(conn);
    }

    pub(super) fn connect(
        &mut self,
        conn: ConnectionId,
        connect: Connect,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.version = connect.version;
        let principal = connection.principal.clone();
        let client_id = match self.check_connect(conn, &connect) {
            Ok(client_id) => client_id,
            Err(reason) => return self.refuse(conn, reason, now, actions),
        };
        // [MQTT-3.1.4-3]. The old connection's will goes out, unless it is delayed and this one resumes.
        if let Some(old) = self.sessions.get(&client_id).and_then(|session| session.connection) {
            self.close(old, CloseReason::TakenOver, now, actions);
        }
        let deleted = if connect.clean_start { self.discard_session(&client_id, now, actions) } else { None };
        let resumed = self.sessions.contains_key(&client_id);
        if !resumed && self.sessions.len() >= self.config.max_sessions {
            return self.refuse(conn, ReasonCode::QUOTA_EXCEEDED, now, actions);
        }
        let expiry_secs = expiry_secs(&connect);
        let session =
            self.sessions.entry(client_id.clone()).or_insert_with(|| Session::new(principal, &self.config));
        let on_its_way = session.saved && !session.unsaved && session.expiry_secs == expiry_secs;
        let save = expiry_secs > 0 && !on_its_way;
        // An earlier connection may have gone before its record was on disk.
        let saving = session.saving;
        session.expiry_secs = expiry_secs;
        session.connection = Some(conn);
        session.ends = None;
        session.delayed_will = None;
        let saving = if save { self.save_session(&client_id, actions) } else { saving };
        self.set_session_timer(&client_id);
        self.prepare_connection(conn, &client_id, connect, resumed);
        match saving.or(deleted) {
            // On disk before CONNACK: the client will rely on it after a crash of ours.
            Some(token) => drop(self.waiting.insert(token, Waiting::Connect { conn, client_id })),
            None => self.finish_connect(conn, now, actions),
        }
    }

    /// CONNACK, what the client has not acknowledged, and what it sent before CONNACK.
    pub(super) fn finish_connect(&mut self, conn: ConnectionId, now: Instant, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let stage = std::mem::replace(&mut connection.stage, Stage::Fresh);
        let Stage::AwaitsConnack { client_id, connack, held, .. } = stage else {
            panic!("a CONNECT is committed once, and {conn:?} does not wait for that");
        };
        connection.stage = Stage::Open { client_id: client_id.clone() };
        self.send(conn, Packet::Connack(connack), now, actions);
        self.resend(conn, &client_id, now, actions);
        if self.sessions.get(&client_id).is_some_and(|session| !session.subscriptions.is_empty()) {
            actions.push(Action::WantsDeliveries { client_id });
        }
        for packet in held {
            if self.connections.contains_key(&conn) {
                self.packet_of_session(conn, packet, now, actions);
            }
        }
    }

    /// Has the record written as the session is; the token is committed when it is on disk.
    pub(super) fn save_session(&mut self, client_id: &ClientId, actions: &mut Vec<Action>) -> Option<Token> {
        let token = self.next_token();
        let session = self.sessions.get_mut(client_id)?;
        session.saved = true;
        session.unsaved = false;
        session.saving = Some(token);
        actions.push(Action::SaveSession { token, record: session.record(client_id) });
        Some(token)
    }

    /// The store is done with a record, well or badly; a later one may be on its way.
    pub(super) fn saved(&mut self, token: Token, client_id: &ClientId, well: bool) {
        if let Some(session) = self.sessions.get_mut(client_id)
            && session.saving == Some(token)
        {
            session.saving = None;
            session.unsaved = !well;
        }
    }

    pub(super) fn set_connection_timer(&mut self, conn: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if let Some(at) = connection.timer.take() {
            self.timers.clear(at, Timer::Connection(conn));
        }
        connection.timer = connection.silent_until(&self.config);
        if let Some(at) = connection.timer {
            self.timers.set(at, Timer::Connection(conn));
        }
    }

    /// The session of an open connection.
    pub(super) fn session_of(&mut self, conn: ConnectionId) -> Option<&mut Session> {
        self.sessions.get_mut(self.connections.get(&conn)?.client_id()?)
    }

    fn check_connect(&self, conn: ConnectionId, connect: &Connect) -> Result<ClientId, ReasonCode> {
        let connection = self.connections.get(&conn).ok_or(ReasonCode::UNSPECIFIED_ERROR)?;
        if connect.properties.authentication_method().is_some() {
            return Err(ReasonCode::BAD_AUTHENTICATION_METHOD);
        }
        let will_qos_2 = connect.will.as_ref().is_some_and(|will| will.qos == Qos::ExactlyOnce);
        if will_qos_2 && connect.version == ProtocolVersion::V5 {
            return Err(ReasonCode::QOS_NOT_SUPPORTED); // [MQTT-3.2.2-12]
        }
        let client_id = if !connect.client_id.is_empty() {
            connect.client_id.as_str()
        } else if has_no_id_by_right(connect) {
            connection.fallback_client_id.as_str()
        } else {
            return Err(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID); // [MQTT-3.1.3-8]
        };
        if client_id.is_empty()
            || client_id.len() > self.config.max_client_id_bytes
            || client_id.contains(char::is_control)
        {
            return Err(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID);
        }
        match self.sessions.get(client_id) {
            // Nobody takes over what another principal left.
            Some(session) if session.principal != connection.principal => Err(ReasonCode::NOT_AUTHORIZED),
            _ => Ok(ClientId::from(client_id)),
        }
    }

    /// Clean start: what was kept is deleted, and that is durable before CONNACK too. A will that was
    /// delayed goes out, because its session ends. [MQTT-3.1.3-9]
    fn discard_session(
        &mut self,
        client_id: &ClientId,
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> Option<Token> {
        let session = self.sessions.get_mut(client_id)?;
        let saved = session.saved;
        session.ends = Some(now);
        self.session_timer(client_id, now, actions);
        saved.then_some(Token(self.last_token)) // of the DeleteSession, the last thing said
    }

    fn prepare_connection(
        &mut self,
        conn: ConnectionId,
        client_id: &ClientId,
        connect: Connect,
        resumed: bool,
    ) {
        let properties = self.connack_properties(client_id, &connect);
        let (Some(connection), Some(session)) =
            (self.connections.get_mut(&conn), self.sessions.get(client_id))
        else {
            return;
        };
        let keep_alive = Duration::from_secs(u64::from(connect.keep_alive_secs));
        connection.keep_alive = (!keep_alive.is_zero()).then_some(keep_alive);
        connection.receive_maximum = connect.properties.receive_maximum().map_or(u16::MAX, |max| max.get());
        connection.max_packet_bytes =
            connect.properties.maximum_packet_size().map_or(usize::MAX, |max| max.get() as usize);
        connection.will = connect.will;
        connection.resendable = session.window.resendable();
        let connack = Connack { session_present: resumed, reason: ReasonCode::SUCCESS, properties };
        let client_id = client_id.clone();
        connection.stage = Stage::AwaitsConnack { client_id, connack, held: Vec::new(), held_bytes: 0 };
        self.set_connection_timer(conn);
    }

    fn connack_properties(&self, client_id: &ClientId, connect: &Connect) -> Properties {
        let mut properties = Properties::default();
        if connect.version != ProtocolVersion::V5 {
            return properties;
        }
        properties.push(Property::MaximumQos(true));
        if let Some(maximum) = NonZeroU16::new(self.config.receive_maximum) {
            properties.push(Property::ReceiveMaximum(maximum));
        }
        if let Some(maximum) = std::num::NonZeroU32::new(self.config.max_packet_bytes) {
            properties.push(Property::MaximumPacketSize(maximum));
        }
        properties.push(Property::SubscriptionIdentifierAvailable(false));
        properties.push(Property::SharedSubscriptionAvailable(false));
        if connect.client_id.is_empty() {
            properties.push(Property::AssignedClientIdentifier(client_id.to_string()));
        }
        let longest = u32::try_from(self.config.max_session_expiry.as_secs()).unwrap_or(u32::MAX);
        if expiry_secs(connect) > longest {
            properties.push(Property::SessionExpiryInterval(longest));
        }
        properties
    }
}

/// Version 5 always, 3.1.1 only for a clean session [MQTT-3.1.3-7], 3.1 never.
fn has_no_id_by_right(connect: &Connect) -> bool {
    match connect.version {
        ProtocolVersion::V5 => true,
        ProtocolVersion::V3_1_1 => connect.clean_start,
        ProtocolVersion::V3_1 => false,
    }
}

fn expiry_secs(connect: &Connect) -> u32 {
    match connect.version {
        ProtocolVersion::V5 => connect.properties.session_expiry_interval().copied().unwrap_or(0),
        _ if connect.clean_start => 0,
        _ => NO_EXPIRY,
    }
}
