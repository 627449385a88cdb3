//! Messages to clients: from the downlink, whose store keeps them until they are acknowledged, and from
//! device to device, in memory only.

use std::time::Instant;

use mqtt_wire::{Ack, Packet, PacketId, Properties, Property, ProtocolVersion, Publish, Qos};

use super::connection::{Connection, Stage};
use super::session::Session;
use super::{
    Action, ClientId, ConnectionId, Delivery, DeliveryId, Message, Sessions, SessionsConfig, WhyUndeliverable,
};

impl Sessions {
    pub(super) fn deliver(&mut self, delivery: Delivery, now: Instant, actions: &mut Vec<Action>) {
        let Delivery { delivery_id, to, topic, payload, qos, retain, expires } = delivery;
        let mut targets = self.tree.matching(&topic, None);
        if let Some(only) = to {
            targets.retain(|client_id, _| *client_id == only);
        }
        if targets.is_empty() {
            return actions.push(Action::NoSubscriber { delivery_id });
        }
        let delivery_id = Some(delivery_id);
        let message = Message { topic, payload, qos, retain, publisher: None, expires, delivery_id };
        for (client_id, max_qos) in targets {
            self.offer(&client_id, Message { qos: qos.min(max_qos), ..message.clone() }, now, actions);
        }
    }

    pub(super) fn withdraw(&mut self, delivery_id: DeliveryId) {
        for session in self.sessions.values_mut() {
            session.outgoing.withdraw(delivery_id);
        }
    }

    /// A device's event, once it is on disk, to the other devices that listen.
    pub(super) fn route_locally(&mut self, message: Message, now: Instant, actions: &mut Vec<Action>) {
        for (client_id, max_qos) in self.tree.matching(&message.topic, message.publisher.as_ref()) {
            let qos = message.qos.min(max_qos);
            self.offer(&client_id, Message { qos, ..message.clone() }, now, actions);
        }
    }

    fn offer(&mut self, client_id: &ClientId, message: Message, now: Instant, actions: &mut Vec<Action>) {
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        if let Some(id) = message.delivery_id
            && session.outgoing.has(id)
        {
            return; // on its way already
        }
        if message.expires.is_some_and(|expires| expires <= now) {
            return undeliverable(client_id, &message, WhyUndeliverable::Expired, actions);
        }
        let open = session.connection.and_then(|conn| Some((conn, self.connections.get(&conn)?)));
        let Some((conn, connection)) =
            open.filter(|(_, connection)| takes(connection, session, &message, &self.config))
        else {
            return self.not_now(client_id, message, actions);
        };
        if publish_bytes(&message) > connection.max_packet_bytes {
            return undeliverable(client_id, &message, WhyUndeliverable::TooLarge, actions); // [MQTT-3.1.2-24]
        }
        let packet_id = (message.qos > Qos::AtMostOnce).then(|| session.outgoing.push(message.clone()));
        let packet = publish(&message, packet_id, connection.version, false, now);
        self.send(conn, packet, now, actions);
        if let (None, Some(delivery_id)) = (packet_id, message.delivery_id) {
            actions.push(Action::Delivered { delivery_id, client_id: client_id.clone() });
        }
    }

    fn not_now(&mut self, client_id: &ClientId, message: Message, actions: &mut Vec<Action>) {
        match (message.delivery_id, self.sessions.get_mut(client_id)) {
            (Some(delivery_id), Some(session)) => {
                session.outgoing.deferred = true;
                actions.push(Action::Deferred { delivery_id, client_id: client_id.clone() });
            }
            _ if message.qos == Qos::AtMostOnce => self.counters.qos0_deliveries_dropped += 1,
            _ => self.counters.local_deliveries_dropped += 1,
        }
    }

    /// After a reconnect, what the client has not acknowledged, in the order it was sent. [MQTT-4.4.0-1]
    pub(super) fn resend(
        &mut self,
        conn: ConnectionId,
        client_id: &ClientId,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let (Some(session), Some(connection)) =
            (self.sessions.get_mut(client_id), self.connections.get_mut(&conn))
        else {
            return;
        };
        let unacked: Vec<PacketId> = session.outgoing.iter().map(|unacked| unacked.packet_id).collect();
        let mut room = connection.receive_maximum;
        for packet_id in unacked {
            let Some(message) = session.outgoing.get(packet_id) else { continue };
            let message = message.clone();
            let why = if message.expires.is_some_and(|expires| expires <= now) {
                Some(WhyUndeliverable::Expired)
            } else if publish_bytes(&message) > connection.max_packet_bytes {
                Some(WhyUndeliverable::TooLarge)
            } else {
                None
            };
            if let Some(why) = why {
                session.outgoing.acked(packet_id);
                undeliverable(client_id, &message, why, actions);
            } else if room == 0 {
                // It came back with a smaller receive maximum.
                session.outgoing.acked(packet_id);
                match message.delivery_id {
                    Some(delivery_id) => {
                        session.outgoing.deferred = true;
                        actions.push(Action::Deferred { delivery_id, client_id: client_id.clone() });
                    }
                    None => self.counters.local_deliveries_dropped += 1,
                }
            } else {
                room -= 1;
                let packet = publish(&message, Some(packet_id), connection.version, true, now);
                connection.queue(packet, conn, actions);
            }
        }
    }

    /// The client has it, or (version 5) says that it does not want it.
    pub(super) fn puback(&mut self, conn: ConnectionId, ack: Ack, actions: &mut Vec<Action>) {
        let Some(client_id) =
            self.connections.get(&conn).and_then(|connection| connection.client_id().cloned())
        else {
            return;
        };
        let Some(session) = self.sessions.get_mut(&client_id) else { return };
        // An id that waits for nothing: of before a crash of ours, most likely.
        let Some(message) = session.outgoing.acked(ack.packet_id) else { return };
        if ack.reason.is_error() {
            undeliverable(&client_id, &message, WhyUndeliverable::RefusedByClient(ack.reason), actions);
        } else if let Some(delivery_id) = message.delivery_id {
            actions.push(Action::Delivered { delivery_id, client_id: client_id.clone() });
        }
        self.ask_again(conn, actions);
    }

    pub(super) fn flushed(&mut self, conn: ConnectionId, actions: &mut Vec<Action>) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.queued_bytes = 0;
            self.ask_again(conn, actions);
        }
    }

    /// Asks for what was deferred, if there is room for any of it.
    fn ask_again(&mut self, conn: ConnectionId, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let Stage::Open { client_id } = &connection.stage else { return };
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        if session.outgoing.deferred && has_room(connection, session, 0, &self.config) {
            session.outgoing.deferred = false;
            actions.push(Action::WantsDeliveries { client_id: client_id.clone() });
        }
    }
}

fn takes(connection: &Connection, session: &Session, message: &Message, config: &SessionsConfig) -> bool {
    let bytes = message.topic.len() + message.payload.len();
    match message.qos {
        _ if !matches!(connection.stage, Stage::Open { .. }) => false,
        Qos::AtMostOnce => connection.queued_bytes + bytes <= config.max_queued_bytes,
        _ => has_room(connection, session, bytes, config),
    }
}

fn has_room(connection: &Connection, session: &Session, bytes: usize, config: &SessionsConfig) -> bool {
    let inflight = config.max_outgoing_inflight.min(connection.receive_maximum);
    session.outgoing.len() < usize::from(inflight)
        && session.outgoing.bytes() + bytes <= config.max_queued_bytes
        && connection.queued_bytes + bytes <= config.max_queued_bytes
}

fn undeliverable(client_id: &ClientId, message: &Message, why: WhyUndeliverable, actions: &mut Vec<Action>) {
    if let Some(delivery_id) = message.delivery_id {
        actions.push(Action::Undeliverable { delivery_id, client_id: client_id.clone(), why });
    }
}

/// At most what the message takes on the wire: header, lengths, packet id and expiry included.
fn publish_bytes(message: &Message) -> usize {
    5 + 2 + message.topic.len() + 2 + 1 + 5 + message.payload.len()
}

fn publish(
    message: &Message,
    packet_id: Option<PacketId>,
    version: ProtocolVersion,
    dup: bool,
    now: Instant,
) -> Packet {
    let mut properties = Properties::default();
    if let (ProtocolVersion::V5, Some(expires)) = (version, message.expires) {
        let left = expires.saturating_duration_since(now).as_secs().max(1);
        properties.push(Property::MessageExpiryInterval(u32::try_from(left).unwrap_or(u32::MAX)));
    }
    Packet::Publish(Publish {
        dup,
        qos: message.qos,
        retain: message.retain,
        topic: message.topic.clone(),
        packet_id,
        properties,
        payload: message.payload.clone(),
    })
}
