//! One connection: where it is between socket and session, and the PUBACKs it is owed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use mqtt_wire::{Ack, Connack, Packet, PacketId, ProtocolVersion, ReasonCode, Will};

use super::{Action, ClientId, ConnectionId, SessionsConfig, Token};

pub(super) struct Connection {
    pub principal: String,
    pub fallback_client_id: String,
    pub stage: Stage,
    pub version: ProtocolVersion,
    pub opened: Instant,
    pub last_packet: Instant,
    /// None: it may be silent for ever.
    pub keep_alive: Option<Duration>,
    pub will: Option<Will>,
    /// The one timer that is set for it.
    pub timer: Option<Instant>,
    /// What this client may have unacknowledged from us, and the largest packet it takes.
    pub receive_maximum: u16,
    pub max_packet_bytes: usize,
    /// Given to the shell and not yet written.
    pub queued_bytes: usize,
    /// The PUBACKs owed, in the order of the PUBLISHes. [MQTT-4.6.0-2]
    pub owed: VecDeque<OwedAck>,
    /// QoS 0 events that are being committed.
    pub qos0_uncommitted: usize,
    /// Committed before this connection, by packet id: the first use of an id may be a re-delivery.
    pub resendable: BTreeMap<u16, u64>,
}

pub(super) enum Stage {
    /// No CONNECT yet.
    Fresh,
    /// CONNECT is taken, the session is being saved; packets wait.
    AwaitsConnack {
        client_id: ClientId,
        connack: Connack,
        held: Vec<Packet>,
        held_bytes: usize,
    },
    Open {
        client_id: ClientId,
    },
}

pub(super) struct OwedAck {
    pub packet_id: PacketId,
    pub hash: u64,
    pub state: OwedState,
}

pub(super) enum OwedState {
    Committing(Token),
    /// On disk. The only state from which a PUBACK leaves.
    OnDisk(ReasonCode),
    /// The store could not. The connection closes when those before it are answered, and takes no further
    /// event: behind one that is missing the order would be lost.
    Failed,
}

impl Connection {
    pub fn new(principal: String, fallback_client_id: String, now: Instant) -> Self {
        Self {
            principal,
            fallback_client_id,
            stage: Stage::Fresh,
            version: ProtocolVersion::V3_1_1,
            opened: now,
            last_packet: now,
            keep_alive: None,
            will: None,
            timer: None,
            receive_maximum: u16::MAX,
            max_packet_bytes: usize::MAX,
            queued_bytes: 0,
            owed: VecDeque::new(),
            qos0_uncommitted: 0,
            resendable: BTreeMap::new(),
        }
    }

    pub fn is_fresh(&self) -> bool {
        matches!(self.stage, Stage::Fresh)
    }

    pub fn awaits_connack(&self) -> bool {
        matches!(self.stage, Stage::AwaitsConnack { .. })
    }

    pub fn client_id(&self) -> Option<&ClientId> {
        match &self.stage {
            Stage::Fresh => None,
            Stage::AwaitsConnack { client_id, .. } | Stage::Open { client_id } => Some(client_id),
        }
    }

    /// Keeps a packet until CONNACK; `Err` when there are too many.
    pub fn hold(&mut self, packet: Packet, config: &SessionsConfig) -> Result<(), ()> {
        if let Stage::AwaitsConnack { held, held_bytes, .. } = &mut self.stage {
            *held_bytes += packet_bytes(&packet);
            if held.len() >= usize::from(config.receive_maximum) || *held_bytes > config.max_queued_bytes {
                return Err(());
            }
            held.push(packet);
        }
        Ok(())
    }

    pub fn queue(&mut self, packet: Packet, conn: ConnectionId, actions: &mut Vec<Action>) {
        self.queued_bytes += packet_bytes(&packet);
        actions.push(Action::Send { conn, version: self.version, packet });
    }

    /// When it is too late for the next packet: CONNECT, or one within one and a half times the keep
    /// alive. [MQTT-3.1.2-24]
    pub fn silent_until(&self, config: &SessionsConfig) -> Option<Instant> {
        match self.stage {
            Stage::Fresh => Some(self.opened + config.connect_timeout),
            _ => self.keep_alive.map(|keep_alive| self.last_packet + keep_alive * 3 / 2),
        }
    }

    pub fn owes(&self, packet_id: PacketId) -> Option<&OwedAck> {
        self.owed.iter().find(|owed| owed.packet_id == packet_id)
    }

    /// The event behind this token is on disk: the PUBACKs at the head that only waited for it leave.
    pub fn on_disk(&mut self, token: Token, reason: ReasonCode) {
        let of_token =
            |owed: &&mut OwedAck| matches!(owed.state, OwedState::Committing(other) if other == token);
        if let Some(owed) = self.owed.iter_mut().find(of_token) {
            owed.state = OwedState::OnDisk(reason);
        }
    }

    /// The store could not keep the event behind this token.
    pub fn failed(&mut self, token: Token) {
        let of_token =
            |owed: &&mut OwedAck| matches!(owed.state, OwedState::Committing(other) if other == token);
        if let Some(owed) = self.owed.iter_mut().find(of_token) {
            owed.state = OwedState::Failed;
        }
    }

    /// It closes as soon as what came before is answered.
    pub fn is_closing(&self) -> bool {
        self.owed.iter().any(|owed| matches!(owed.state, OwedState::Failed))
    }

    /// The oldest event that is not answered is one that could not be kept.
    pub fn has_failed(&self) -> bool {
        self.owed.front().is_some_and(|owed| matches!(owed.state, OwedState::Failed))
    }

    /// The next PUBACK whose turn it is.
    pub fn next_puback(&mut self) -> Option<Ack> {
        let OwedState::OnDisk(reason) = self.owed.front()?.state else { return None };
        let owed = self.owed.pop_front()?;
        Some(Ack { reason, ..Ack::success(owed.packet_id) })
    }
}

/// About what a packet takes in a buffer.
pub(super) fn packet_bytes(packet: &Packet) -> usize {
    const OVERHEAD: usize = 32;
    OVERHEAD
        + match packet {
            Packet::Publish(publish) => publish.topic.len() + publish.payload.len(),
            Packet::Subscribe(subscribe) => {
                subscribe.requests.iter().map(|request| request.filter.len() + OVERHEAD).sum()
            }
            Packet::Unsubscribe(unsubscribe) => {
                unsubscribe.filters.iter().map(|filter| filter.len() + OVERHEAD).sum()
            }
            Packet::Suback(suback) => suback.reasons.len(),
            _ => 0,
        }
}
