//! What the agent's shell does wrong when it is told to.

use bytes::Bytes;
use mqtt_wire::{Packet, Publish};
use outbox_store::Op;

use crate::{app::alert_id_of, observation::fix_of, plan::Sabotage};

/// Between a socket and the sessions. `held`: what is kept back of this socket.
pub fn packets(sabotage: Option<Sabotage>, held: &mut Option<Publish>, packets: Vec<Packet>) -> Vec<Packet> {
    match sabotage {
        Some(Sabotage::PayloadChanged) => packets.into_iter().map(changed).collect(),
        Some(Sabotage::FixesExchanged) => {
            packets.into_iter().flat_map(|packet| exchanged(held, packet)).collect()
        }
        _ => packets,
    }
}

fn changed(packet: Packet) -> Packet {
    match packet {
        Packet::Publish(publish) if number(&publish.payload).is_multiple_of(7) => {
            let payload = Bytes::from(String::from_utf8_lossy(&publish.payload).replace("52.5", "52.6"));
            Packet::Publish(Publish { payload, ..publish })
        }
        other => other,
    }
}

/// A fix waits for the next one, and they exchange their payloads.
fn exchanged(held: &mut Option<Publish>, packet: Packet) -> Vec<Packet> {
    let Packet::Publish(mut publish) = packet else { return vec![packet] };
    match held.take() {
        None => {
            *held = Some(publish);
            Vec::new()
        }
        Some(mut before) => {
            std::mem::swap(&mut before.payload, &mut publish.payload);
            vec![Packet::Publish(before), Packet::Publish(publish)]
        }
    }
}

fn number(payload: &Bytes) -> u64 {
    fix_of(payload).map_or(1, |(_, number)| number)
}

/// Between the outbox and the store.
pub fn commit(sabotage: Option<Sabotage>, operations: &mut Vec<Op>) {
    if sabotage == Some(Sabotage::DeliveriesForgotten) {
        operations.retain(|operation| !matches!(operation, Op::DeleteDownlink { .. }));
    }
}

pub fn tells_before_it_writes(sabotage: Option<Sabotage>) -> bool {
    sabotage == Some(Sabotage::AckBeforeCommit)
}

/// Between the sessions and the socket.
pub fn drops(sabotage: Option<Sabotage>, packet: &Packet) -> bool {
    let Packet::Publish(publish) = packet else { return false };
    sabotage == Some(Sabotage::AlertsDropped)
        && alert_id_of(&publish.payload).is_some_and(|alert| alert.ends_with(['0', '3', '6', '9']))
}
