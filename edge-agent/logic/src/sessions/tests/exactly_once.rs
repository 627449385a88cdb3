//! A device that keeps to the protocol: a persistent session, up to three events in flight, packet ids
//! used again as soon as they are free, and after a reconnect everything unacknowledged once more.
//! Whatever breaks in between, each of its events is on disk once.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use mqtt_wire::{Connect, Packet, PacketId, Properties, ProtocolVersion, Publish, Qos};
use proptest::prelude::*;

use super::script::{Store, small_config};
use crate::sessions::{Action, ConnectionId, Ingest, Input, Sessions, Token};

#[derive(Debug, Clone, Copy)]
enum Fault {
    Publish,
    /// The store syncs what it has.
    Sync,
    /// The store cannot.
    Fail,
    Reconnect,
    /// The agent's answers are lost with the connection from here on.
    Deafen,
    Crash,
}

struct World {
    sessions: Sessions,
    store: Store,
    now: Instant,
    conn: u64,
    /// Whether the device hears the agent.
    hears: bool,
    is_open: bool,
    dup: bool,
    queue: Vec<(Token, Option<Bytes>)>,
    disk: Vec<Bytes>,
    events: u64,
    unacked: VecDeque<(PacketId, Bytes)>,
}

impl World {
    fn new(dup: bool) -> Self {
        Self {
            sessions: Sessions::new(small_config()),
            store: Store::default(),
            now: Instant::now(),
            conn: 0,
            hears: false,
            is_open: false,
            dup,
            queue: Vec::new(),
            disk: Vec::new(),
            events: 0,
            unacked: VecDeque::new(),
        }
    }

    fn step(&mut self, fault: Fault) {
        match fault {
            Fault::Publish => self.publish_next(),
            Fault::Sync => self.sync(),
            Fault::Fail => {
                for (token, _) in std::mem::take(&mut self.queue) {
                    self.handle(Input::CommitFailed { token });
                }
            }
            Fault::Reconnect => self.reconnect(),
            Fault::Deafen => self.hears = false,
            Fault::Crash => {
                self.sessions = Sessions::new(small_config());
                self.queue.clear();
                self.is_open = false;
                let sessions = self.store.crash();
                self.handle(Input::Loaded { sessions });
            }
        }
    }

    fn reconnect(&mut self) {
        self.handle(Input::Closed { conn: ConnectionId(self.conn) });
        self.conn += 1;
        (self.hears, self.is_open) = (true, false);
        let conn = ConnectionId(self.conn);
        self.handle(Input::Connected { conn, principal: String::new(), fallback_client_id: String::new() });
        let connect = Connect {
            version: ProtocolVersion::V3_1_1,
            clean_start: false,
            keep_alive_secs: 0,
            client_id: "truck".to_owned(),
            will: None,
            username: None,
            password: None,
            properties: Properties::default(),
        };
        self.handle(Input::Packet { conn, packet: Packet::Connect(Box::new(connect)) });
    }

    fn publish_next(&mut self) {
        let free =
            (1..=3).filter_map(PacketId::new).find(|id| self.unacked.iter().all(|(used, _)| used != id));
        if let (true, true, Some(packet_id)) = (self.is_open, self.hears, free) {
            self.events += 1;
            let payload = Bytes::from(self.events.to_string());
            self.unacked.push_back((packet_id, payload.clone()));
            self.publish(packet_id, payload, false);
        }
    }

    fn publish(&mut self, packet_id: PacketId, payload: Bytes, dup: bool) {
        let packet = Packet::Publish(Publish {
            dup,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic: "gps".to_owned(),
            packet_id: Some(packet_id),
            properties: Properties::default(),
            payload,
        });
        self.handle(Input::Packet { conn: ConnectionId(self.conn), packet });
    }

    fn sync(&mut self) {
        for (token, event) in std::mem::take(&mut self.queue) {
            self.store.commit(token);
            self.disk.extend(event);
            self.handle(Input::Committed { token });
        }
    }

    fn handle(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.sessions.handle(input, self.now, &mut actions);
        for action in actions {
            self.store.take(&action);
            match action {
                Action::Ingest(Ingest { token, payload, .. }) => self.queue.push((token, Some(payload))),
                Action::SaveSession { token, .. } => self.queue.push((token, None)),
                Action::Send { conn, packet, .. } if conn.0 == self.conn && self.hears => self.hear(packet),
                Action::Close { conn, .. } if conn.0 == self.conn => self.is_open = false,
                _ => {}
            }
        }
    }

    fn hear(&mut self, packet: Packet) {
        match packet {
            Packet::Connack(connack) if !connack.reason.is_error() => {
                self.is_open = true;
                for (packet_id, payload) in self.unacked.clone() {
                    self.publish(packet_id, payload, self.dup);
                }
            }
            Packet::Puback(ack) => self.unacked.retain(|(packet_id, _)| *packet_id != ack.packet_id),
            _ => {}
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        8 => Just(Fault::Publish),
        5 => Just(Fault::Sync),
        1 => Just(Fault::Fail),
        2 => Just(Fault::Reconnect),
        1 => Just(Fault::Deafen),
        1 => Just(Fault::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn each_event_of_a_device_is_on_disk_once(
        faults in proptest::collection::vec(fault(), 1..150),
        dup in any::<bool>(),
    ) {
        let mut world = World::new(dup);
        faults.into_iter().for_each(|fault| world.step(fault));
        world.reconnect();
        world.sync();
        world.sync();
        prop_assert!(world.unacked.is_empty(), "{:?} were never acknowledged", world.unacked);
        let expected: Vec<Bytes> = (1..=world.events).map(|event| Bytes::from(event.to_string())).collect();
        world.disk.sort_by_key(|event| String::from_utf8_lossy(event).parse::<u64>().unwrap_or(0));
        prop_assert_eq!(world.disk, expected);
    }
}
