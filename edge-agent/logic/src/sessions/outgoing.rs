//! The QoS 1 messages to one client that wait for its PUBACK, in the order they were first sent.

use std::collections::VecDeque;

use mqtt_wire::PacketId;

use super::{DeliveryId, Message};

#[derive(Default)]
pub(super) struct Outgoing {
    unacked: VecDeque<Unacked>,
    bytes: usize,
    last_id: u16,
    /// Something was deferred: say so when there is room.
    pub deferred: bool,
}

pub(super) struct Unacked {
    pub packet_id: PacketId,
    pub message: Message,
}

impl Outgoing {
    pub fn len(&self) -> usize {
        self.unacked.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn has(&self, delivery_id: DeliveryId) -> bool {
        self.unacked.iter().any(|unacked| unacked.message.delivery_id == Some(delivery_id))
    }

    pub fn push(&mut self, message: Message) -> PacketId {
        let packet_id = self.free_id();
        self.bytes += message_bytes(&message);
        self.unacked.push_back(Unacked { packet_id, message });
        packet_id
    }

    pub fn acked(&mut self, packet_id: PacketId) -> Option<Message> {
        let at = self.unacked.iter().position(|unacked| unacked.packet_id == packet_id)?;
        let unacked = self.unacked.remove(at)?;
        self.bytes -= message_bytes(&unacked.message);
        Some(unacked.message)
    }

    pub fn withdraw(&mut self, delivery_id: DeliveryId) {
        let of_id = |unacked: &&Unacked| unacked.message.delivery_id == Some(delivery_id);
        let packet_id = self.iter().find(of_id).map(|unacked| unacked.packet_id);
        if let Some(packet_id) = packet_id {
            self.acked(packet_id);
        }
    }

    pub fn get(&self, packet_id: PacketId) -> Option<&Message> {
        self.iter().find(|unacked| unacked.packet_id == packet_id).map(|unacked| &unacked.message)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.unacked.iter()
    }

    /// The next id that waits for nothing; few of the 65,535 ever do.
    fn free_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_id)
                && self.unacked.iter().all(|unacked| unacked.packet_id != id)
            {
                return id;
            }
        }
    }
}

fn message_bytes(message: &Message) -> usize {
    message.topic.len() + message.payload.len()
}
