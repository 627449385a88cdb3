//! The wires: sockets between devices and the agent, and the link between agent and broker with its streams.
//! Bytes of one socket or stream arrive in order, late, and until the wire is cut; a cut loses what is under
//! way, or all but what had nearly arrived. Each end hears of a cut by itself, some time later.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use edge_logic::uplink::Attempt;

use crate::{scene::Scene, world};

/// Which end of a wire: the agent's, or that of the device or broker at the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Agent,
    Peer,
}

impl End {
    fn other(self) -> End {
        match self {
            End::Agent => End::Peer,
            End::Peer => End::Agent,
        }
    }
}

/// A socket or a link, never used again.
pub type WireId = u64;

#[derive(Debug)]
pub enum Event {
    Bytes {
        wire: WireId,
        to: End,
        stream: u64,
        bytes: Bytes,
    },
    /// One stream of a link ends; the others go on.
    StreamEnded {
        wire: WireId,
        to: End,
        stream: u64,
    },
    Closed {
        wire: WireId,
        to: End,
    },
    /// The agent's knock reaches the broker's door.
    Knock {
        attempt: Attempt,
        life: u64,
    },
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Device(usize),
    /// The agent's name for the connection.
    Broker(Attempt),
}

#[derive(Debug)]
pub struct Wire {
    pub peer: Peer,
    /// When the last bytes of each direction and stream arrive.
    last: BTreeMap<(End, u64), Duration>,
    /// What would arrive at this end later than this is lost.
    dead_from: BTreeMap<End, Duration>,
}

#[derive(Debug, Default)]
pub struct Network {
    wires: BTreeMap<WireId, Wire>,
    next: WireId,
    /// No link can be made before then.
    link_away_until: Duration,
}

impl Network {
    pub fn connect(&mut self, peer: Peer) -> WireId {
        self.next += 1;
        self.wires.insert(self.next, Wire { peer, last: BTreeMap::new(), dead_from: BTreeMap::new() });
        self.next
    }

    pub fn knock(&self, scene: &mut Scene, attempt: Attempt, life: u64) {
        let wait = scene.chance.ms(2, 200);
        scene.after(wait, Event::Knock { attempt, life });
    }

    pub fn link_is_away(&self, scene: &Scene) -> bool {
        scene.now() < self.link_away_until
    }

    pub fn keep_link_away(&mut self, until: Duration) {
        self.link_away_until = until;
    }

    pub fn peer(&self, wire: WireId) -> Option<Peer> {
        self.wires.get(&wire).map(|wire| wire.peer)
    }

    /// The agent's latest connection to the broker, alive or not.
    pub fn link(&self) -> Option<WireId> {
        let of_broker = |wire: &&Wire| matches!(wire.peer, Peer::Broker(_));
        self.wires.iter().rev().find(|(_, wire)| of_broker(wire)).map(|(id, _)| *id)
    }

    /// In one piece or in two.
    pub fn send(&mut self, scene: &mut Scene, wire: WireId, to: End, stream: u64, bytes: Bytes) {
        let cut =
            if scene.chance.one_in(6) { scene.chance.below(bytes.len() as u64 + 1) as usize } else { 0 };
        let (head, tail) = (bytes.slice(..cut), bytes.slice(cut..));
        for bytes in [head, tail].into_iter().filter(|bytes| !bytes.is_empty()) {
            self.send_whole(scene, wire, to, stream, bytes);
        }
    }

    /// In one piece.
    pub fn send_whole(&mut self, scene: &mut Scene, wire: WireId, to: End, stream: u64, bytes: Bytes) {
        let at = self.arrival(scene, wire, to, stream);
        scene.at(at, Event::Bytes { wire, to, stream, bytes });
    }

    /// After all that was sent on it.
    pub fn end_stream(&mut self, scene: &mut Scene, wire: WireId, to: End, stream: u64) {
        let at = self.arrival(scene, wire, to, stream);
        scene.at(at, Event::StreamEnded { wire, to, stream });
    }

    fn arrival(&mut self, scene: &mut Scene, wire: WireId, to: End, stream: u64) -> Duration {
        let latency = if scene.chance.one_in(20) { scene.chance.ms(1, 800) } else { scene.chance.ms(1, 30) };
        let at = scene.now() + latency;
        let Some(wire) = self.wires.get_mut(&wire) else { return at };
        let last = wire.last.entry((to, stream)).or_default();
        *last = at.max(*last);
        *last
    }

    /// Whether what is due at this end is not lost.
    pub fn arrives(&self, scene: &Scene, wire: WireId, to: End) -> bool {
        let Some(wire) = self.wires.get(&wire) else { return false };
        wire.dead_from.get(&to).is_none_or(|dead_from| scene.now() < *dead_from)
    }

    /// One end closes; the other hears it after the last bytes.
    pub fn close(&mut self, scene: &mut Scene, wire: WireId, by: End) {
        let now = scene.now();
        let Some(found) = self.wires.get_mut(&wire) else { return };
        found.dead_from.insert(by, now);
        let to = by.other();
        let last = found.last.iter().filter(|((end, _), _)| *end == to).map(|(_, last)| *last).max();
        scene.at(last.unwrap_or(now).max(now + Duration::from_millis(1)), Event::Closed { wire, to });
    }

    /// The wire is cut between its ends.
    pub fn cut(&mut self, scene: &mut Scene, wire: WireId) {
        for end in [End::Agent, End::Peer] {
            self.lose_what_is_under_way(scene, wire, end);
            let hears =
                if scene.chance.one_in(3) { scene.chance.ms(1, 60_000) } else { scene.chance.ms(1, 500) };
            scene.after(hears, Event::Closed { wire, to: end });
        }
    }

    /// The program at this end is gone; the other end hears of it.
    pub fn end_died(&mut self, scene: &mut Scene, wire: WireId, died: End) {
        let now = scene.now();
        if let Some(found) = self.wires.get_mut(&wire) {
            found.dead_from.insert(died, now);
        }
        self.lose_what_is_under_way(scene, wire, died.other());
        let hears = if scene.chance.one_in(4) { scene.chance.ms(1, 60_000) } else { scene.chance.ms(1, 200) };
        scene.after(hears, Event::Closed { wire, to: died.other() });
    }

    fn lose_what_is_under_way(&mut self, scene: &mut Scene, wire: WireId, to: End) {
        let grace = if scene.chance.one_in(2) { Duration::ZERO } else { scene.chance.ms(1, 300) };
        let dead_from = scene.now() + grace;
        if let Some(wire) = self.wires.get_mut(&wire) {
            let known = wire.dead_from.entry(to).or_insert(dead_from);
            *known = dead_from.min(*known);
        }
    }
}

impl From<Event> for world::Event {
    fn from(event: Event) -> Self {
        world::Event::Network(event)
    }
}
