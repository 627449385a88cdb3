//! Random histories, with connections that drop and an agent that crashes: nothing panics, every packet
//! sent is one the codec takes, every PUBACK was preceded by its commit, and PUBACKs keep their order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_wire::{
    Ack, Connect, Disconnect, Packet, PacketId, Properties, Property, ProtocolVersion, Publish, Qos,
    ReasonCode, Subscribe, SubscribeRequest, Unsubscribe, Will,
};
use proptest::prelude::*;

use super::script::{Store, as_read, small_config};
use crate::sessions::{Action, ConnectionId, Delivery, DeliveryId, Ingest, Input, Sessions, Token};

#[derive(Debug, Clone)]
enum Step {
    Connect {
        client: u8,
        version: ProtocolVersion,
        clean: bool,
        will: bool,
    },
    /// A new event, or the last one of this packet id again.
    Publish {
        client: u8,
        id: u16,
        again: bool,
        qos: Qos,
        dup: bool,
    },
    Packet {
        client: u8,
        packet: Packet,
    },
    Drop {
        client: u8,
    },
    Flush {
        client: u8,
    },
    /// The oldest that waits, or one by chance.
    Commit {
        pick: usize,
    },
    Fail {
        pick: usize,
    },
    Reject {
        pick: usize,
    },
    Deliver {
        client: u8,
        qos: Qos,
    },
    Pass {
        secs: u64,
    },
    Crash,
}

fn qos() -> impl Strategy<Value = Qos> {
    prop_oneof![3 => Just(Qos::AtLeastOnce), 1 => Just(Qos::AtMostOnce)]
}

fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop_oneof![Just(ProtocolVersion::V3_1), Just(ProtocolVersion::V3_1_1), Just(ProtocolVersion::V5)]
}

fn packet() -> impl Strategy<Value = Packet> {
    let id = PacketId::new(1).expect("not 0");
    let request = |filter: &str| SubscribeRequest::new(filter, Qos::ExactlyOnce);
    prop_oneof![
        (1..5_u16).prop_map(|id| Packet::Puback(Ack::success(PacketId::new(id).expect("not 0")))),
        Just(Packet::Subscribe(Subscribe {
            packet_id: id,
            requests: vec![request("t/+"), request("#")],
            properties: Properties::default(),
        })),
        Just(Packet::Unsubscribe(Unsubscribe {
            packet_id: id,
            filters: vec!["t/+".to_owned()],
            properties: Properties::default(),
        })),
        Just(Packet::Pingreq),
        Just(Packet::Pubrec(Ack::success(id))),
        Just(Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..3_u8;
    prop_oneof![
        3 => (client.clone(), version(), any::<bool>(), any::<bool>())
            .prop_map(|(client, version, clean, will)| Step::Connect { client, version, clean, will }),
        8 => (client.clone(), 1..5_u16, any::<bool>(), qos(), any::<bool>())
            .prop_map(|(client, id, again, qos, dup)| Step::Publish { client, id, again, qos, dup }),
        2 => (client.clone(), packet()).prop_map(|(client, packet)| Step::Packet { client, packet }),
        1 => client.clone().prop_map(|client| Step::Drop { client }),
        1 => client.clone().prop_map(|client| Step::Flush { client }),
        8 => any::<usize>().prop_map(|pick| Step::Commit { pick }),
        1 => any::<usize>().prop_map(|pick| Step::Fail { pick }),
        1 => any::<usize>().prop_map(|pick| Step::Reject { pick }),
        2 => (client, qos()).prop_map(|(client, qos)| Step::Deliver { client, qos }),
        1 => (0..100_u64).prop_map(|secs| Step::Pass { secs }),
        1 => Just(Step::Crash),
    ]
}

/// The world around the sessions, with what must stay true of them.
struct World {
    sessions: Sessions,
    store: Store,
    now: Instant,
    /// The connection of each client; one that was closed stays here until the next.
    connections: [u64; 3],
    last_connection: u64,
    /// How many there were, and the last one of each (client, packet id).
    events: u64,
    last_events: BTreeMap<(u8, u16), u64>,
    waiting: Vec<Token>,
    /// What an ingest asked for, by token; and what is on disk: (client, payload).
    ingests: BTreeMap<Token, (String, Bytes)>,
    on_disk: BTreeSet<(String, Bytes)>,
    /// QoS 1 publishes of a connection without a PUBACK: (packet id, client, payload).
    unacked: BTreeMap<ConnectionId, VecDeque<(PacketId, String, Bytes)>>,
}

impl World {
    fn new() -> Self {
        Self {
            sessions: Sessions::new(small_config()),
            store: Store::default(),
            now: Instant::now(),
            connections: [0; 3],
            last_connection: 0,
            events: 0,
            last_events: BTreeMap::new(),
            waiting: Vec::new(),
            ingests: BTreeMap::new(),
            on_disk: BTreeSet::new(),
            unacked: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Connect { client, version, clean, will } => self.connect(client, version, clean, will),
            Step::Publish { client, id, again, qos, dup } => self.publish(client, id, again, qos, dup),
            Step::Packet { client, packet } => {
                let conn = self.connection(client);
                self.handle(Input::Packet { conn, packet });
            }
            Step::Drop { client } => self.handle(Input::Closed { conn: self.connection(client) }),
            Step::Flush { client } => self.handle(Input::Flushed { conn: self.connection(client) }),
            Step::Commit { pick } => {
                if let Some(token) = self.pick(pick) {
                    self.store.commit(token);
                    self.on_disk.extend(self.ingests.get(&token).cloned());
                    self.handle(Input::Committed { token });
                }
            }
            Step::Reject { pick } => {
                if let Some(token) = self.pick(pick) {
                    self.store.commit(token);
                    self.on_disk.extend(self.ingests.get(&token).cloned());
                    self.handle(Input::Rejected { token, reason: ReasonCode::TOPIC_NAME_INVALID });
                }
            }
            Step::Fail { pick } => {
                if let Some(token) = self.pick(pick) {
                    self.handle(Input::CommitFailed { token });
                }
            }
            Step::Deliver { client, qos } => self.handle(Input::Deliver(Delivery {
                delivery_id: DeliveryId(self.last_connection),
                to: None,
                topic: format!("t/{client}"),
                payload: Bytes::from_static(b"alert"),
                qos,
                retain: false,
                expires: Some(self.now + Duration::from_secs(50)),
            })),
            Step::Pass { secs } => {
                self.now += Duration::from_secs(secs);
                self.handle(Input::Tick);
            }
            Step::Crash => {
                self.sessions = Sessions::new(small_config());
                self.waiting.clear();
                self.unacked.clear();
                let sessions = self.store.crash();
                self.handle(Input::Loaded { sessions });
            }
        }
    }

    fn connect(&mut self, client: u8, version: ProtocolVersion, clean_start: bool, will: bool) {
        self.handle(Input::Closed { conn: self.connection(client) });
        self.last_connection += 1;
        self.connections[usize::from(client)] = self.last_connection;
        let conn = self.connection(client);
        let fallback_client_id = format!("gen-{}", conn.0);
        self.handle(Input::Connected { conn, principal: "depot".to_owned(), fallback_client_id });
        let expiry =
            (version == ProtocolVersion::V5 && !clean_start).then_some(Property::SessionExpiryInterval(60));
        let will = will.then(|| Will {
            topic: "t/will".to_owned(),
            payload: Bytes::new(),
            qos: Qos::AtLeastOnce,
            retain: true,
            properties: Properties::default(),
        });
        let connect = Connect {
            version,
            clean_start,
            keep_alive_secs: 60,
            client_id: client.to_string(),
            will,
            username: None,
            password: None,
            properties: expiry.into_iter().collect(),
        };
        self.handle(Input::Packet { conn, packet: Packet::Connect(Box::new(connect)) });
    }

    fn publish(&mut self, client: u8, id: u16, again: bool, qos: Qos, dup: bool) {
        let conn = self.connection(client);
        self.events += u64::from(!again);
        let event = self.last_events.entry((client, id)).or_insert(0);
        *event = if again { *event } else { self.events };
        let payload = Bytes::from(event.to_string());
        let acknowledged = qos == Qos::AtLeastOnce;
        let packet_id = PacketId::new(id).filter(|_| acknowledged);
        if let Some(packet_id) = packet_id {
            let unacked = self.unacked.entry(conn).or_default();
            if !unacked.iter().any(|(other, _, _)| *other == packet_id) {
                unacked.push_back((packet_id, client.to_string(), payload.clone()));
            }
        }
        let packet = Packet::Publish(Publish {
            dup: dup && acknowledged,
            qos,
            retain: false,
            topic: format!("t/{client}"),
            packet_id,
            properties: Properties::default(),
            payload,
        });
        self.handle(Input::Packet { conn, packet });
    }

    fn handle(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.sessions.handle(input, self.now, &mut actions);
        for action in actions {
            self.store.take(&action);
            match action {
                Action::Send { conn, version, packet } => self.sent(conn, as_read(&packet, version)),
                Action::Ingest(Ingest { token, client_id, payload, .. }) => {
                    self.ingests.insert(token, (client_id.to_string(), payload));
                    self.waiting.push(token);
                }
                Action::SaveSession { token, .. } | Action::DeleteSession { token, .. } => {
                    self.waiting.push(token);
                }
                _ => {}
            }
        }
        assert!(self.sessions.deadline().is_none_or(|deadline| deadline > self.now), "a deadline has passed");
        assert!(self.sessions.connection_count() <= 3 && self.sessions.session_count() <= 3);
    }

    fn sent(&mut self, conn: ConnectionId, packet: Packet) {
        if let Packet::Puback(ack) = packet {
            let unacked = self.unacked.entry(conn).or_default().pop_front();
            let (packet_id, client, payload) = unacked.expect("a PUBACK answers a PUBLISH");
            assert_eq!(ack.packet_id, packet_id, "PUBACKs keep the order of the PUBLISHes");
            assert!(self.on_disk.contains(&(client, payload)), "acknowledged before the disk has it");
        }
    }

    fn connection(&self, client: u8) -> ConnectionId {
        ConnectionId(self.connections[usize::from(client)])
    }

    fn pick(&mut self, pick: usize) -> Option<Token> {
        let at = pick.checked_rem(self.waiting.len())?;
        Some(self.waiting.remove(at))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_a_puback_means_on_disk(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
    }
}
