//! Runs a script against the sessions. The store of a script keeps what was committed and gives it back
//! after a `crash`. Tables are small here: 4 connections, 3 publishes in flight, 2 subscriptions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_wire::{
    Ack, Connect, Disconnect, Packet, PacketId, Properties, Property, ProtocolVersion, Publish, Qos,
    ReasonCode, Subscribe, SubscribeRequest, Unsubscribe, Will,
};

use crate::sessions::{
    Action, ClientId, ConnectionId, Delivery, DeliveryId, Ingest, Input, LoadedSession, SessionRecord,
    Sessions, SessionsConfig, Token, WindowEntry,
};

/// Every input with the actions it must cause, in order; `*` takes any.
pub fn check(script: &[(&str, &str)]) {
    let mut run = Run::new();
    for (number, (input, expected)) in script.iter().enumerate() {
        let actions = run.step(input);
        if *expected != "*" {
            assert_eq!(&actions, expected, "step {}: {input}", number + 1);
        }
    }
}

pub fn small_config() -> SessionsConfig {
    SessionsConfig {
        max_connections: 3,
        receive_maximum: 3,
        max_uncommitted: 12,
        max_subscriptions: 2,
        max_client_id_bytes: 40,
        ..SessionsConfig::default()
    }
}

struct Run {
    sessions: Sessions,
    store: Store,
    now: Instant,
}

/// What a script's disk holds, and what is on its way there.
#[derive(Default)]
pub struct Store {
    coming: BTreeMap<Token, Write>,
    sessions: BTreeMap<String, SessionRecord>,
    windows: BTreeMap<(String, u16), WindowEntry>,
}

enum Write {
    Save(SessionRecord),
    Delete(ClientId),
    Window(ClientId, WindowEntry),
}

impl Store {
    pub fn take(&mut self, action: &Action) {
        let (token, write) = match action {
            Action::SaveSession { token, record } => (token, Write::Save(record.clone())),
            Action::DeleteSession { token, client_id } => (token, Write::Delete(client_id.clone())),
            Action::Ingest(Ingest { token, client_id, window_entry: Some(entry), .. }) => {
                (token, Write::Window(client_id.clone(), *entry))
            }
            _ => return,
        };
        self.coming.insert(*token, write);
    }

    pub fn commit(&mut self, token: Token) {
        match self.coming.remove(&token) {
            Some(Write::Save(record)) => drop(self.sessions.insert(record.client_id.clone(), record)),
            Some(Write::Delete(client_id)) => {
                self.sessions.remove(&*client_id);
                self.windows.retain(|(of, _), _| **of != *client_id);
            }
            Some(Write::Window(client_id, entry)) => {
                self.windows.insert((client_id.to_string(), entry.slot), entry);
            }
            None => {}
        }
    }

    /// What a restart finds.
    pub fn crash(&mut self) -> Vec<LoadedSession> {
        self.coming.clear();
        let window_of = |client_id: &str| {
            self.windows.iter().filter(|((of, _), _)| of == client_id).map(|(_, entry)| *entry).collect()
        };
        let loaded = |record: &SessionRecord| LoadedSession {
            record: record.clone(),
            window: window_of(&record.client_id),
        };
        self.sessions.values().map(loaded).collect()
    }
}

impl Run {
    fn new() -> Self {
        Self { sessions: Sessions::new(small_config()), store: Store::default(), now: Instant::now() }
    }

    fn step(&mut self, text: &str) -> String {
        let input = self.input(text);
        let mut actions = Vec::new();
        self.sessions.handle(input, self.now, &mut actions);
        actions.iter().for_each(|action| self.store.take(action));
        assert!(self.sessions.deadline().is_none_or(|deadline| deadline > self.now), "a deadline has passed");
        actions.iter().map(said).collect::<Vec<_>>().join("; ")
    }

    fn input(&mut self, text: &str) -> Input {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["crash"] => {
                self.sessions = Sessions::new(small_config());
                Input::Loaded { sessions: self.store.crash() }
            }
            ["after", secs] => {
                self.now += Duration::from_secs(number(secs));
                Input::Tick
            }
            ["committed", token] => {
                self.store.commit(Token(number(token)));
                Input::Committed { token: Token(number(token)) }
            }
            ["rejected", token, reason] => Input::Rejected {
                token: Token(number(token)),
                reason: ReasonCode(u8::from_str_radix(reason, 16).expect("hex")),
            },
            ["failed", token] => Input::CommitFailed { token: Token(number(token)) },
            ["deliver", id, topic, payload, qos, options @ ..] => Input::Deliver(Delivery {
                delivery_id: DeliveryId(number(id)),
                to: None,
                topic: (*topic).to_owned(),
                payload: Bytes::copy_from_slice(payload.as_bytes()),
                qos: qos_of(qos),
                retain: false,
                expires: option(options, "ttl=").map(|ttl| self.now + Duration::from_secs(number(ttl))),
            }),
            [conn, what, rest @ ..] => input_of_connection(ConnectionId(number(conn)), what, rest),
            _ => panic!("what is {text}?"),
        }
    }
}

fn input_of_connection(conn: ConnectionId, what: &str, rest: &[&str]) -> Input {
    match (what, rest) {
        ("connects", options) => Input::Connected {
            conn,
            principal: option(options, "as:").unwrap_or("depot").to_owned(),
            fallback_client_id: format!("gen-{}", conn.0),
        },
        ("closed", []) => Input::Closed { conn },
        ("flushed", []) => Input::Flushed { conn },
        _ => Input::Packet { conn, packet: packet(what, rest) },
    }
}

fn packet(name: &str, rest: &[&str]) -> Packet {
    match (name, rest) {
        ("CONNECT", [version, client_id, options @ ..]) => connect(version, client_id, options),
        ("PUBLISH", [topic, payload, qos, rest @ ..]) => Packet::Publish(Publish {
            dup: rest.contains(&"dup"),
            qos: qos_of(qos),
            retain: false,
            topic: (*topic).to_owned(),
            packet_id: rest.first().map(|id| packet_id(id)),
            properties: Properties::default(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }),
        ("PUBACK", [id]) => Packet::Puback(Ack::success(packet_id(id))),
        ("SUBSCRIBE", [id, filter, qos]) => Packet::Subscribe(Subscribe {
            packet_id: packet_id(id),
            requests: vec![SubscribeRequest::new(filter, qos_of(qos))],
            properties: Properties::default(),
        }),
        ("UNSUBSCRIBE", [id, filter]) => Packet::Unsubscribe(Unsubscribe {
            packet_id: packet_id(id),
            filters: vec![(*filter).to_owned()],
            properties: Properties::default(),
        }),
        ("PINGREQ", []) => Packet::Pingreq,
        ("DISCONNECT", []) => Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS)),
        ("DISCONNECT", ["with-will"]) => {
            Packet::Disconnect(Disconnect::new(ReasonCode::DISCONNECT_WITH_WILL))
        }
        _ => panic!("what is {name} {rest:?}?"),
    }
}

fn connect(version: &str, client_id: &str, options: &[&str]) -> Packet {
    let version = match version {
        "v3" => ProtocolVersion::V3_1,
        "v4" => ProtocolVersion::V3_1_1,
        _ => ProtocolVersion::V5,
    };
    let client_id = match client_id {
        "-" => String::new(),
        "long" => "x".repeat(41),
        other => other.to_owned(),
    };
    let seconds = |name: &str| option(options, name).map(|secs| number(secs) as u32);
    let will = option(options, "will=").map(|will| {
        let (topic, payload) = will.split_once(':').expect("topic:payload");
        Will {
            topic: topic.to_owned(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            qos: Qos::AtLeastOnce,
            retain: false,
            properties: seconds("delay=").map(Property::WillDelayInterval).into_iter().collect(),
        }
    });
    let maximum = option(options, "max=").and_then(|max| PacketId::new(number(max) as u16));
    let properties =
        [seconds("expiry=").map(Property::SessionExpiryInterval), maximum.map(Property::ReceiveMaximum)];
    Packet::Connect(Box::new(Connect {
        version,
        clean_start: options.contains(&"clean"),
        keep_alive_secs: seconds("keep=").unwrap_or(0) as u16,
        client_id,
        will,
        username: None,
        password: None,
        properties: properties.into_iter().flatten().collect(),
    }))
}

/// An action in a few words.
fn said(action: &Action) -> String {
    match action {
        Action::Send { conn, version, packet } => format!("{}<{}", conn.0, sent(packet, *version)),
        Action::Close { conn, reason } => format!("{} closes: {reason}", conn.0),
        Action::Ingest(ingest) => {
            let Ingest { token, client_id, topic, payload, is_will, window_entry, .. } = ingest;
            let kind = if *is_will { "will" } else { "ingest" };
            let slot = window_entry.map_or(String::new(), |entry| format!(" slot={}", entry.slot));
            format!("{kind}#{} {client_id} {topic} {}{slot}", token.0, String::from_utf8_lossy(payload))
        }
        Action::SaveSession { token, record } => {
            let filters: Vec<&str> = record.subscriptions.iter().map(|one| one.filter.as_str()).collect();
            format!("save#{} {} [{}]", token.0, record.client_id, filters.join(" "))
        }
        Action::DeleteSession { token, client_id } => format!("delete#{} {client_id}", token.0),
        Action::Delivered { delivery_id, client_id } => format!("delivered {} {client_id}", delivery_id.0),
        Action::Deferred { delivery_id, client_id } => format!("deferred {} {client_id}", delivery_id.0),
        Action::Undeliverable { delivery_id, client_id, why } => {
            format!("undeliverable {} {client_id} {why:?}", delivery_id.0)
        }
        Action::NoSubscriber { delivery_id } => format!("nobody {}", delivery_id.0),
        Action::WantsDeliveries { client_id } => format!("wants {client_id}"),
    }
}

/// A packet as its client reads it, which is also proof that it can.
fn sent(packet: &Packet, version: ProtocolVersion) -> String {
    match as_read(packet, version) {
        Packet::Connack(connack) => {
            let state = if connack.session_present { "resumed" } else { "new" };
            // A version without the flag is shown what we meant.
            let id = connack.properties.assigned_client_identifier();
            let id = id.map_or(String::new(), |id| format!(" id={id}"));
            format!("CONNACK {state} {:#04x}{id}", connack.reason.0)
        }
        Packet::Puback(ack) => format!("PUBACK {} {:#04x}", ack.packet_id, ack.reason.0),
        Packet::Suback(suback) => format!("SUBACK {} {}", suback.packet_id, codes(&suback.reasons)),
        Packet::Unsuback(unsuback) if unsuback.reasons.is_empty() => {
            format!("UNSUBACK {} 0x00", unsuback.packet_id)
        }
        Packet::Unsuback(unsuback) => format!("UNSUBACK {} {}", unsuback.packet_id, codes(&unsuback.reasons)),
        Packet::Disconnect(disconnect) => format!("DISCONNECT {:#04x}", disconnect.reason.0),
        Packet::Publish(publish) => {
            let id = publish.packet_id.map_or(String::new(), |id| format!(" {id}"));
            let dup = if publish.dup { " dup" } else { "" };
            format!("PUBLISH {} {}{id}{dup}", publish.topic, String::from_utf8_lossy(&publish.payload))
        }
        other => other.name().to_owned(),
    }
}

/// Over the wire and back: what the sessions send must be what the strict codec takes.
pub fn as_read(packet: &Packet, version: ProtocolVersion) -> Packet {
    let mut wire = bytes::BytesMut::new();
    mqtt_wire::encode(packet, version, &mut wire).unwrap_or_else(|error| panic!("{packet:?}: {error}"));
    match mqtt_wire::decode(&mut wire, Some(version), &mqtt_wire::Limits::default()) {
        Ok(Some(read)) => read,
        other => panic!("{packet:?} is read as {other:?}"),
    }
}

fn codes(reasons: &[ReasonCode]) -> String {
    reasons.iter().map(|reason| format!("{:#04x}", reason.0)).collect::<Vec<_>>().join(" ")
}

fn option<'a>(options: &[&'a str], name: &str) -> Option<&'a str> {
    options.iter().find_map(|option| option.strip_prefix(name))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn packet_id(text: &str) -> PacketId {
    PacketId::new(number(text) as u16).expect("not 0")
}

fn qos_of(text: &str) -> Qos {
    match text {
        "q0" => Qos::AtMostOnce,
        "q1" => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}
