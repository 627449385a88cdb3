//! PUBLISH from a client: to the store, and the PUBACK back when it is on disk.

use std::time::Instant;

use mqtt_wire::{Packet, PacketId, Publish, Qos, ReasonCode};

use super::connection::{Connection, OwedAck, OwedState};
use super::hash::publish_hash;
use super::session::Committing;
use super::{Action, ClientId, CloseReason, ConnectionId, Ingest, Message, Sessions, Token, Waiting};

/// What a QoS 1 PUBLISH is.
enum Arrival {
    /// An event not seen before.
    New,
    /// Sent again, its first copy is still being committed: both wait for the same sync.
    Joins(Token),
    /// Sent again, its first copy is on disk.
    OnDisk,
    /// Sent twice on this connection, its PUBACK is on the way.
    Repeated,
    /// Its packet id waits for the PUBACK of another event.
    IdInUse,
}

impl Sessions {
    pub(super) fn publish(
        &mut self,
        conn: ConnectionId,
        publish: Publish,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if self.connections.get(&conn).is_some_and(Connection::is_closing) {
            return; // sent again after the reconnect
        }
        if publish.properties.topic_alias().is_some() {
            return self.close(conn, CloseReason::TopicAlias, now, actions); // [MQTT-3.3.2-9]
        }
        if publish.properties.subscription_identifier().is_some() {
            return self.close(conn, CloseReason::SubscriptionIdentifier, now, actions); // [MQTT-3.3.4-6]
        }
        match (publish.qos, publish.packet_id) {
            (Qos::AtMostOnce, _) => self.publish_qos_0(conn, publish, actions),
            (Qos::AtLeastOnce, Some(packet_id)) => self.publish_qos_1(conn, packet_id, publish, now, actions),
            _ => self.close(conn, CloseReason::Qos2, now, actions),
        }
    }

    fn publish_qos_0(&mut self, conn: ConnectionId, publish: Publish, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let many = connection.qos0_uncommitted >= usize::from(self.config.receive_maximum);
        if many || self.waiting.len() >= self.config.max_uncommitted {
            self.counters.qos0_ingest_dropped += 1;
            return;
        }
        connection.qos0_uncommitted += 1;
        self.ingest(conn, publish, None, actions);
    }

    fn publish_qos_1(
        &mut self,
        conn: ConnectionId,
        packet_id: PacketId,
        publish: Publish,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let hash = publish_hash(&publish.topic, &publish.payload);
        let arrival = self.arrival(conn, packet_id, hash, publish.dup);
        let state = match arrival {
            Arrival::Repeated => return,
            Arrival::IdInUse => return self.close(conn, CloseReason::PacketIdInUse, now, actions),
            _ if self.owed_count(conn) >= usize::from(self.config.receive_maximum) => {
                return self.close(conn, CloseReason::ReceiveMaximumExceeded, now, actions); // [MQTT-3.3.4-7]
            }
            Arrival::New if self.waiting.len() >= self.config.max_uncommitted => {
                return self.close(conn, CloseReason::StoreBehind, now, actions);
            }
            Arrival::New => {
                let Some(token) = self.ingest(conn, publish, Some(hash), actions) else { return };
                OwedState::Committing(token)
            }
            Arrival::Joins(token) => {
                self.counters.redeliveries += 1;
                OwedState::Committing(token)
            }
            Arrival::OnDisk => {
                self.counters.redeliveries += 1;
                OwedState::OnDisk(ReasonCode::SUCCESS)
            }
        };
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.owed.push_back(OwedAck { packet_id, hash, state });
        }
        self.send_pubacks(conn, now, actions);
    }

    fn arrival(&mut self, conn: ConnectionId, packet_id: PacketId, hash: u64, dup: bool) -> Arrival {
        let Some(connection) = self.connections.get_mut(&conn) else { return Arrival::IdInUse };
        let first_use = connection.resendable.remove(&packet_id.get());
        if let Some(owed) = connection.owes(packet_id) {
            return if owed.hash == hash { Arrival::Repeated } else { Arrival::IdInUse };
        }
        let Some(session) = self.session_of(conn) else { return Arrival::IdInUse };
        match session.committing.get(&packet_id) {
            Some(committing) if committing.hash == hash => return Arrival::Joins(committing.token),
            _ => {}
        }
        // DUP alone is no proof, and its absence is none either: the hash must match.
        if first_use == Some(hash) || dup && session.window.holds(packet_id, hash) {
            Arrival::OnDisk
        } else {
            Arrival::New
        }
    }

    /// Asks the store to keep an event; with a hash it is QoS 1.
    fn ingest(
        &mut self,
        conn: ConnectionId,
        publish: Publish,
        hash: Option<u64>,
        actions: &mut Vec<Action>,
    ) -> Option<Token> {
        let token = self.next_token();
        let client_id = self.connections.get(&conn)?.client_id()?.clone();
        let principal = self.connections.get(&conn)?.principal.clone();
        let session = self.sessions.get_mut(&client_id)?;
        let packet_id = publish.packet_id;
        let mut window_entry = None;
        if let (Some(packet_id), Some(hash)) = (packet_id, hash) {
            window_entry = session.is_persistent().then(|| session.window.enter(packet_id, hash));
            session.committing.insert(packet_id, Committing { token, hash, entry: window_entry });
        }
        let message = self.message_for_subscribers(&publish, &client_id);
        let waiting = Waiting::Publish { client_id: client_id.clone(), packet_id, conn, message };
        self.waiting.insert(token, waiting);
        let Publish { topic, payload, qos, retain, properties, .. } = publish;
        actions.push(Action::Ingest(Ingest {
            token,
            client_id,
            principal,
            topic,
            payload,
            qos,
            retain,
            is_will: false,
            properties,
            window_entry,
        }));
        Some(token)
    }

    /// Kept in memory until the commit, and only if somebody may listen.
    fn message_for_subscribers(&self, publish: &Publish, publisher: &ClientId) -> Option<Message> {
        (!self.tree.is_empty()).then(|| Message {
            topic: publish.topic.clone(),
            payload: publish.payload.clone(),
            qos: publish.qos,
            retain: false, // a subscriber hears of it live [MQTT-3.3.1-9]
            publisher: Some(publisher.clone()),
            expires: None,
            delivery_id: None,
        })
    }

    pub(super) fn publish_committed(
        &mut self,
        token: Token,
        (client_id, packet_id, conn): (ClientId, Option<PacketId>, ConnectionId),
        rejected: Option<ReasonCode>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(packet_id) = packet_id else { return self.qos_0_settled(conn) };
        let Some((committing, conn)) = self.take_committing(&client_id, packet_id, token) else { return };
        if let (Some(entry), Some(session)) = (committing.entry, self.sessions.get_mut(&client_id)) {
            session.window.commit(entry);
        }
        // The client may have come back: the PUBACK is owed to whom the session belongs to.
        let Some(conn) = conn else { return };
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.on_disk(token, rejected.unwrap_or(ReasonCode::SUCCESS));
            if connection.owes(packet_id).is_none() {
                // Came back, and has not sent it again yet.
                connection.resendable.insert(packet_id.get(), committing.hash);
            }
        }
        self.send_pubacks(conn, now, actions);
    }

    /// Never acknowledged: the client keeps it, and comes back with it.
    pub(super) fn publish_failed(
        &mut self,
        token: Token,
        client_id: ClientId,
        packet_id: Option<PacketId>,
        conn: ConnectionId,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(packet_id) = packet_id else { return self.qos_0_settled(conn) };
        if let Some((_, Some(conn))) = self.take_committing(&client_id, packet_id, token)
            && let Some(connection) = self.connections.get_mut(&conn)
        {
            connection.failed(token);
            self.send_pubacks(conn, now, actions);
        }
    }

    /// The publish behind a token, and its session's connection; `None` when the session is another
    /// one by now, or has used the packet id again.
    fn take_committing(
        &mut self,
        client_id: &ClientId,
        packet_id: PacketId,
        token: Token,
    ) -> Option<(Committing, Option<ConnectionId>)> {
        let session = self.sessions.get_mut(client_id)?;
        if session.committing.get(&packet_id)?.token != token {
            return None;
        }
        let committing = session.committing.remove(&packet_id)?;
        Some((committing, session.connection))
    }

    fn qos_0_settled(&mut self, conn: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.qos0_uncommitted -= 1;
        }
    }

    fn owed_count(&self, conn: ConnectionId) -> usize {
        self.connections.get(&conn).map_or(0, |connection| connection.owed.len())
    }

    /// The PUBACKs whose turn it is: those at the head that are on disk.
    fn send_pubacks(&mut self, conn: ConnectionId, now: Instant, actions: &mut Vec<Action>) {
        while let Some(ack) = self.connections.get_mut(&conn).and_then(|connection| connection.next_puback())
        {
            self.send(conn, Packet::Puback(ack), now, actions);
        }
        if self.connections.get(&conn).is_some_and(Connection::has_failed) {
            self.close(conn, CloseReason::StoreFailed, now, actions);
        }
    }
}
