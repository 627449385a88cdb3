//! One life of the agent's cores, wired as the edge agent's shell wires them: each input goes into its core,
//! and the actions that follow are carried out, whatever core they lead to, before the next event.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use edge_logic::{
    downlink::{self, Downlink, DownlinkConfig, WriteId},
    outbox::{self, Change, Outbox, OutboxConfig},
    routes::{Published, Routes, default_routes},
    sessions::{self, ConnectionId, Delivery, Ingest, Sessions, SessionsConfig, Token},
    uplink::{self, Attempt, StreamId, Uplink, UplinkConfig},
};
use fleet_events::topics::{DRIVER_ALERTS, TRUCKS_GPS};
use mqtt_wire::{Packet, ProtocolVersion, Qos, ReasonCode};
use outbox_store::{Op, Reader};
use uplink_wire::Frame;

use super::{
    Event,
    store::{self, Opened},
};
use crate::{
    network::{End, Network, Peer, WireId},
    observation::Observation,
    plan::{Plan, Sabotage},
    scene::Scene,
};

/// What is told when a write of the outbox is durable.
#[derive(Debug)]
enum Write {
    Session(Token),
    Rejected(Token),
    Downlink(WriteId),
    Nobody,
}

#[derive(Debug)]
enum FollowUp {
    Sessions(sessions::Input),
    Outbox(outbox::Input<Write>),
    Uplink(uplink::Input),
    Downlink(downlink::Input),
}

/// A device's connection, from this end.
#[derive(Debug, Default)]
struct Socket {
    received: BytesMut,
    version: Option<ProtocolVersion>,
}

pub struct Cores {
    life: u64,
    sessions: Sessions,
    routes: Routes,
    outbox: Outbox<Write>,
    uplink: Uplink,
    downlink: Downlink,
    sockets: BTreeMap<WireId, Socket>,
    /// The connection to the broker.
    link: Option<(Attempt, WireId)>,
    streams: BTreeMap<StreamId, BytesMut>,
    /// What the store is to write.
    pub commit: Option<Vec<Op>>,
    pub reader: Reader,
    follow_ups: VecDeque<FollowUp>,
    /// These will be told that all their bytes are written.
    flushing: BTreeSet<ConnectionId>,
    drains: bool,
    tick_at: Option<Duration>,
    /// Of a sabotage: a write that others overtake.
    held_back: Option<outbox::Input<Write>>,
    writes: u64,
}

impl Cores {
    pub fn new(life: u64, plan: &Plan, opened: &Opened, reader: Reader) -> Cores {
        let mut config = default_routes();
        config.retain(|route| route.topic == TRUCKS_GPS);
        for route in &mut config {
            route.partitions = crate::broker::GPS_PARTITIONS as u32;
        }
        let mut routes = Routes::new(&config).expect("the default routes are routes");
        routes.restore(opened.facts.iter().map(|(kind, key, value)| (kind.as_str(), key.as_str(), value)));
        let uplink_config = UplinkConfig {
            agent_id: "agent".into(),
            boot: opened.boot,
            topics: routes.topics(),
            subscribe: vec![DRIVER_ALERTS.into()],
        };
        let outbox_config = OutboxConfig { max_bytes: plan.outbox_bytes, linger: plan.linger };
        let downlink_config = DownlinkConfig { ttl_ms: plan.alert_ttl.as_millis() as i64 };
        let stored = downlink::StoredDownlink {
            pending: opened.downlink.pending.clone(),
            offsets: opened.downlink.offsets.clone(),
            facts: opened.downlink.facts.clone(),
        };
        Cores {
            life,
            sessions: Sessions::new(SessionsConfig::default()),
            routes,
            outbox: Outbox::new(outbox_config, &opened.lanes, opened.stored_bytes),
            uplink: Uplink::new(uplink_config, &opened.lanes),
            downlink: Downlink::new(downlink_config, opened.boot, stored),
            sockets: BTreeMap::new(),
            link: None,
            streams: BTreeMap::new(),
            commit: None,
            reader,
            follow_ups: VecDeque::new(),
            flushing: BTreeSet::new(),
            drains: false,
            tick_at: None,
            held_back: None,
            writes: 0,
        }
    }

    pub fn begin(&mut self, opened: Opened, scene: &mut Scene, network: &mut Network) {
        self.run(FollowUp::Sessions(sessions::Input::Loaded { sessions: opened.sessions }), scene, network);
        let mut actions = Vec::new();
        self.downlink.start(scene.wall_ms(), &mut actions);
        self.act_downlink(actions, scene);
        let mut actions = Vec::new();
        self.uplink.start(&mut actions);
        self.act_uplink(actions, scene, network);
        self.follow_up(scene, network);
        self.sleep(scene);
    }

    pub fn accepted(&mut self, wire: WireId, scene: &mut Scene, network: &mut Network) {
        self.sockets.insert(wire, Socket::default());
        let (conn, fallback_client_id) = (ConnectionId(wire), format!("auto-{wire}"));
        let principal = "anonymous".into();
        let input = sessions::Input::Connected { conn, principal, fallback_client_id };
        self.take(FollowUp::Sessions(input), scene, network);
    }

    pub fn socket_bytes(&mut self, wire: WireId, bytes: &[u8], scene: &mut Scene, network: &mut Network) {
        let Some(socket) = self.sockets.get_mut(&wire) else { return };
        socket.received.extend_from_slice(bytes);
        let conn = ConnectionId(wire);
        while let Some(socket) = self.sockets.get_mut(&wire) {
            let limits = mqtt_wire::Limits::default();
            let input = match mqtt_wire::decode(&mut socket.received, socket.version, &limits) {
                Ok(Some(packet)) => {
                    if let Packet::Connect(connect) = &packet {
                        socket.version = Some(connect.version);
                    }
                    if let Packet::Puback(ack) = &packet {
                        let packet_id = ack.packet_id.get();
                        scene.observe(Observation::PubackHeard { conn: wire, packet_id });
                    }
                    sessions::Input::Packet { conn, packet }
                }
                Ok(None) => break,
                Err(error) => panic!("a device sent what is not MQTT: {error}"),
            };
            self.run(FollowUp::Sessions(input), scene, network);
        }
        self.sleep(scene);
    }

    pub fn socket_closed(&mut self, wire: WireId, scene: &mut Scene, network: &mut Network) {
        if self.sockets.remove(&wire).is_some() {
            let input = sessions::Input::Closed { conn: ConnectionId(wire) };
            self.take(FollowUp::Sessions(input), scene, network);
        }
    }

    pub fn linked(&mut self, attempt: Attempt, wire: WireId, scene: &mut Scene, network: &mut Network) {
        self.link = Some((attempt, wire));
        self.take(FollowUp::Uplink(uplink::Input::Connected { attempt }), scene, network);
    }

    pub fn unlinked(&mut self, attempt: Attempt, scene: &mut Scene, network: &mut Network) {
        if self.link.is_some_and(|(current, _)| current == attempt) {
            // Each stream's reader sees the end by itself, before or after the connection's.
            let streams: Vec<StreamId> = self.streams.keys().copied().collect();
            for stream in streams {
                if scene.chance.one_in(3) && self.streams.remove(&stream).is_some() {
                    self.run(FollowUp::Uplink(uplink::Input::StreamClosed { stream }), scene, network);
                }
            }
            self.link = None;
        }
        self.take(FollowUp::Uplink(uplink::Input::Disconnected { attempt }), scene, network);
    }

    pub fn frame_bytes(&mut self, stream: u64, bytes: &[u8], scene: &mut Scene, network: &mut Network) {
        let stream = StreamId(stream);
        let Some(received) = self.streams.get_mut(&stream) else { return };
        received.extend_from_slice(bytes);
        while let Some(received) = self.streams.get_mut(&stream) {
            let Some(frame) = uplink_wire::decode(received).expect("the broker sends frames") else { break };
            self.run(FollowUp::Uplink(uplink::Input::Frame { stream, frame }), scene, network);
        }
        self.sleep(scene);
    }

    pub fn stream_ended(&mut self, stream: u64, scene: &mut Scene, network: &mut Network) {
        let stream = StreamId(stream);
        if self.streams.remove(&stream).is_some() {
            if let Some((_, wire)) = self.link {
                network.end_stream(scene, wire, End::Peer, stream.0);
            }
            self.take(FollowUp::Uplink(uplink::Input::StreamClosed { stream }), scene, network);
        }
    }

    pub fn flushed(&mut self, conn: ConnectionId, scene: &mut Scene, network: &mut Network) {
        self.flushing.remove(&conn);
        if self.sockets.contains_key(&conn.0) {
            self.take(FollowUp::Sessions(sessions::Input::Flushed { conn }), scene, network);
        }
    }

    pub fn blocks_read(&mut self, input: uplink::Input, scene: &mut Scene, network: &mut Network) {
        self.take(FollowUp::Uplink(input), scene, network);
    }

    pub fn committed(&mut self, stored_bytes: u64, scene: &mut Scene, network: &mut Network) {
        self.take(FollowUp::Outbox(outbox::Input::Committed { stored_bytes }), scene, network);
    }

    pub fn drained(&mut self, scene: &mut Scene, network: &mut Network) {
        self.drains = false;
        self.run(FollowUp::Outbox(outbox::Input::Drained), scene, network);
        self.wake_for_deadline(scene);
    }

    pub fn tick(&mut self, scene: &mut Scene, network: &mut Network) {
        if self.tick_at.is_none_or(|at| scene.now() < at) {
            return;
        }
        self.tick_at = None;
        self.run(FollowUp::Sessions(sessions::Input::Tick), scene, network);
        self.run(FollowUp::Uplink(uplink::Input::Tick), scene, network);
        self.run(FollowUp::Downlink(downlink::Input::Tick), scene, network);
        self.sleep(scene);
    }

    /// Every wire of this life, for whoever ends it.
    pub fn wires(&self) -> impl Iterator<Item = WireId> {
        self.sockets.keys().copied().chain(self.link.map(|(_, wire)| wire))
    }

    fn take(&mut self, input: FollowUp, scene: &mut Scene, network: &mut Network) {
        self.run(input, scene, network);
        self.sleep(scene);
    }

    /// Until the next event. The outbox hears that the mailbox is empty when some messages have been taken.
    fn sleep(&mut self, scene: &mut Scene) {
        if !self.drains {
            self.drains = true;
            let wait = scene.chance.ms(0, 3);
            scene.after(wait, self.event(Event::Drained));
        }
    }

    fn wake_for_deadline(&mut self, scene: &mut Scene) {
        let cores = [self.sessions.deadline(), self.outbox.deadline(), self.uplink.deadline()];
        let due = cores.into_iter().flatten().map(|at| scene.since_base(at));
        let due = due.chain(self.downlink.deadline_ms().map(|at| scene.of_wall_ms(at))).min();
        let Some(due) = due.map(|due| due.max(scene.now() + Duration::from_millis(1))) else { return };
        if self.tick_at.is_none_or(|at| due < at) {
            self.tick_at = Some(due);
            scene.at(due, self.event(Event::Tick));
        }
    }

    fn event(&self, what: Event) -> crate::world::Event {
        crate::world::Event::Agent { life: self.life, what }
    }

    fn run(&mut self, input: FollowUp, scene: &mut Scene, network: &mut Network) {
        self.follow_ups.push_back(input);
        self.follow_up(scene, network);
    }

    fn follow_up(&mut self, scene: &mut Scene, network: &mut Network) {
        while let Some(next) = self.follow_ups.pop_front() {
            let now = scene.instant();
            match next {
                FollowUp::Sessions(input) => {
                    let mut actions = Vec::new();
                    self.sessions.handle(input, now, &mut actions);
                    self.act_sessions(actions, scene, network);
                }
                FollowUp::Outbox(input) => {
                    let mut actions = Vec::new();
                    self.outbox.handle(input, now, &mut actions);
                    self.act_outbox(actions, scene);
                }
                FollowUp::Uplink(input) => {
                    let mut actions = Vec::new();
                    let chance = scene.chance.number() as u32;
                    self.uplink.handle(input, now, chance, &mut actions);
                    self.act_uplink(actions, scene, network);
                }
                FollowUp::Downlink(input) => {
                    let mut actions = Vec::new();
                    self.downlink.handle(input, scene.wall_ms(), &mut actions);
                    self.act_downlink(actions, scene);
                }
            }
        }
    }

    fn write(&mut self, token: Write, events: Vec<outbox::Event>, changes: Vec<Change>, scene: &Scene) {
        let overtakes = scene.plan.sabotage == Some(Sabotage::WritesOvertake);
        self.writes += 1;
        let holds =
            overtakes && self.held_back.is_none() && !events.is_empty() && self.writes.is_multiple_of(5);
        let input = outbox::Input::Write { token, events, changes };
        if holds {
            self.held_back = Some(input);
            return;
        }
        self.follow_ups.push_back(FollowUp::Outbox(input));
        self.follow_ups.extend(self.held_back.take().map(FollowUp::Outbox));
    }

    fn act_sessions(&mut self, actions: Vec<sessions::Action>, scene: &mut Scene, network: &mut Network) {
        use sessions::Action;
        for action in actions {
            match action {
                Action::Send { conn, version, packet } => self.send(conn, version, &packet, scene, network),
                Action::Close { conn, reason } => {
                    scene.say(&("closed", conn, reason.to_string()));
                    if self.sockets.remove(&conn.0).is_some() {
                        network.close(scene, conn.0, End::Agent);
                    }
                }
                Action::Ingest(ingest) => self.ingest(ingest, scene),
                Action::SaveSession { token, record } => {
                    let bytes = postcard::to_stdvec(&record).expect("a session record is plain data");
                    let change =
                        Change::PutSession { client_id: record.client_id, record: Bytes::from(bytes) };
                    self.write(Write::Session(token), Vec::new(), vec![change], scene);
                }
                Action::DeleteSession { token, client_id } => {
                    let change = Change::DeleteSession { client_id: client_id.to_string() };
                    self.write(Write::Session(token), Vec::new(), vec![change], scene);
                }
                Action::Delivered { delivery_id, .. } => {
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    if scene.plan.sabotage != Some(Sabotage::DeliveriesForgotten) {
                        self.tell_downlink(downlink::Input::Delivered { delivery });
                    }
                }
                Action::Deferred { delivery_id, .. } | Action::NoSubscriber { delivery_id } => {
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.tell_downlink(downlink::Input::NotWanted { delivery });
                }
                Action::Undeliverable { delivery_id, .. } => {
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.tell_downlink(downlink::Input::Undeliverable { delivery });
                }
                Action::WantsDeliveries { .. } => self.tell_downlink(downlink::Input::Wanted),
            }
        }
    }

    fn tell_downlink(&mut self, input: downlink::Input) {
        self.follow_ups.push_back(FollowUp::Downlink(input));
    }

    fn send(
        &mut self,
        conn: ConnectionId,
        version: ProtocolVersion,
        packet: &Packet,
        scene: &mut Scene,
        network: &mut Network,
    ) {
        if !self.sockets.contains_key(&conn.0) {
            return;
        }
        if let Packet::Publish(publish) = packet
            && let Some(packet_id) = publish.packet_id
        {
            let alert = crate::app::alert_id_of(&publish.payload).unwrap_or_default();
            let (packet_id, now_ms) = (packet_id.get(), scene.wall_ms());
            scene.observe(Observation::AlertHanded { conn: conn.0, packet_id, alert, now_ms });
        }
        let mut bytes = BytesMut::new();
        mqtt_wire::encode(packet, version, &mut bytes).expect("the sessions send what can be said");
        network.send(scene, conn.0, End::Peer, 0, bytes.freeze());
        if self.flushing.insert(conn) {
            let wait = scene.chance.ms(0, 3);
            scene.after(wait, self.event(Event::Flushed { conn }));
        }
    }

    fn ingest(&mut self, mut ingest: Ingest, scene: &mut Scene) {
        let mut changes = Vec::new();
        if let Some(entry) = ingest.window_entry {
            let bytes = postcard::to_stdvec(&entry).expect("a window entry is plain data");
            let (client_id, slot) = (ingest.client_id.to_string(), entry.slot);
            changes.push(Change::PutWindow { client_id, slot, entry: Bytes::from(bytes) });
        }
        if scene.plan.sabotage == Some(Sabotage::PayloadChanged) && ingest.token.0.is_multiple_of(7) {
            let text = String::from_utf8_lossy(&ingest.payload).replace(r#""lat":52.5"#, r#""lat":52.6"#);
            ingest.payload = Bytes::from(text);
        }
        let routed = self.routes.route(Published {
            client_id: &ingest.client_id,
            topic: &ingest.topic,
            payload: &ingest.payload,
            received_ms: scene.wall_ms(),
        });
        let Some(routed) = routed else {
            return self.write(Write::Session(ingest.token), Vec::new(), changes, scene);
        };
        changes.extend(routed.device.as_ref().and_then(|device| self.downlink.heard(device)));
        let token = match &routed.rejected {
            Some(_) => Write::Rejected(ingest.token),
            None => Write::Session(ingest.token),
        };
        if scene.plan.sabotage == Some(Sabotage::AckBeforeCommit) {
            let input = sessions::Input::Committed { token: ingest.token };
            self.follow_ups.push_back(FollowUp::Sessions(input));
            return self.write(Write::Nobody, vec![routed.event], changes, scene);
        }
        self.write(token, vec![routed.event], changes, scene);
    }

    fn act_outbox(&mut self, actions: Vec<outbox::Action<Write>>, scene: &mut Scene) {
        use outbox::Action;
        for action in actions {
            match action {
                Action::Commit(commit) => {
                    assert!(self.commit.is_none(), "one commit at a time");
                    self.commit = Some(store::operations(commit));
                    scene.observe(Observation::CommitStarted);
                    let wait = scene.chance.ms(1, scene.plan.commit_ms);
                    scene.after(wait, self.event(Event::CommitReachesDisk));
                }
                Action::Durable { tokens } => {
                    for token in tokens {
                        let next = match token {
                            Write::Session(token) => FollowUp::Sessions(sessions::Input::Committed { token }),
                            Write::Rejected(token) => FollowUp::Sessions(sessions::Input::Rejected {
                                token,
                                reason: ReasonCode::PAYLOAD_FORMAT_INVALID,
                            }),
                            Write::Downlink(write) => FollowUp::Downlink(downlink::Input::Durable { write }),
                            Write::Nobody => continue,
                        };
                        self.follow_ups.push_back(next);
                    }
                }
                Action::Refused { token, why } => match token {
                    Write::Session(token) | Write::Rejected(token) => {
                        scene.say(&("refused", token, why.to_string()));
                        let input = sessions::Input::CommitFailed { token };
                        self.follow_ups.push_back(FollowUp::Sessions(input));
                    }
                    Write::Downlink(_) | Write::Nobody => {}
                },
                Action::LaneHasBlocks { lane, key, next_block } => {
                    let input = uplink::Input::LaneHasBlocks { lane, key, next_block };
                    self.follow_ups.push_back(FollowUp::Uplink(input));
                }
                Action::ProducerSaved { lane, producer } => {
                    let input = uplink::Input::ProducerSaved { lane, producer };
                    self.follow_ups.push_back(FollowUp::Uplink(input));
                }
                Action::Forgotten { lane, through } => {
                    let input = uplink::Input::Forgotten { lane, through };
                    self.follow_ups.push_back(FollowUp::Uplink(input));
                }
                Action::Alarm(alarm) => scene.say(&alarm),
            }
        }
    }

    fn act_uplink(&mut self, actions: Vec<uplink::Action>, scene: &mut Scene, network: &mut Network) {
        use uplink::Action;
        for action in actions {
            match action {
                Action::Connect { attempt } => {
                    self.drop_link(scene, network);
                    network.knock(scene, attempt, self.life);
                }
                Action::Disconnect { attempt } => {
                    if self.link.is_some_and(|(current, _)| current == attempt) {
                        self.drop_link(scene, network);
                    }
                }
                Action::OpenStream { stream, .. } => {
                    if self.link.is_some() {
                        self.streams.insert(stream, BytesMut::new());
                    }
                }
                Action::Send { stream, frame } => self.send_frame(stream, &frame, scene, network),
                Action::ReadBlocks { lane, from, max_blocks } => {
                    let wait = scene.chance.ms(0, 5);
                    scene.after(wait, self.event(Event::ReadsBlocks { lane, from, max_blocks }));
                }
                Action::SaveProducer { lane, producer } => {
                    let input = outbox::Input::SetProducer { lane, producer };
                    self.follow_ups.push_back(FollowUp::Outbox(input));
                }
                Action::Forget { lane, through, urgent } => {
                    let input = outbox::Input::Forget { lane, through, urgent };
                    self.follow_ups.push_back(FollowUp::Outbox(input));
                }
                Action::Partitions { topic, partitions } => {
                    if let Some(change) = self.routes.learn(&topic, partitions) {
                        self.write(Write::Nobody, Vec::new(), vec![change], scene);
                    }
                }
                Action::ServerTime { .. } => {}
                Action::Subscribe { stream, topic } => {
                    let frame = Frame::Subscribe(self.downlink.subscribe(&topic));
                    self.send_frame(stream, &frame, scene, network);
                }
                Action::Deliver { topic, partition, next_offset, batches } => {
                    self.tell_downlink(downlink::Input::Deliver { topic, partition, next_offset, batches });
                }
                Action::Alarm(alarm) => scene.say(&alarm),
            }
        }
    }

    fn drop_link(&mut self, scene: &mut Scene, network: &mut Network) {
        if let Some((_, wire)) = self.link.take() {
            network.close(scene, wire, End::Agent);
        }
        self.streams.clear();
    }

    fn send_frame(&mut self, stream: StreamId, frame: &Frame, scene: &mut Scene, network: &mut Network) {
        let Some((_, wire)) = self.link.filter(|_| self.streams.contains_key(&stream)) else { return };
        let mut bytes = BytesMut::new();
        uplink_wire::encode(frame, &mut bytes);
        network.send(scene, wire, End::Peer, stream.0, bytes.freeze());
    }

    fn act_downlink(&mut self, actions: Vec<downlink::Action>, scene: &mut Scene) {
        use downlink::Action;
        for action in actions {
            match action {
                Action::Write { write, changes } => {
                    self.write(Write::Downlink(write), Vec::new(), changes, scene);
                }
                Action::Publish { delivery, mqtt_topic, payload, expires_ms } => {
                    if scene.plan.sabotage == Some(Sabotage::AlertsDropped) && delivery.0.is_multiple_of(3) {
                        continue;
                    }
                    let delivery = Delivery {
                        delivery_id: sessions::DeliveryId(delivery.0),
                        to: None,
                        topic: mqtt_topic,
                        payload,
                        qos: Qos::AtLeastOnce,
                        retain: false,
                        expires: Some(instant_of(expires_ms, scene)),
                    };
                    self.follow_ups.push_back(FollowUp::Sessions(sessions::Input::Deliver(delivery)));
                }
                // The sessions drop it by themselves: they were told when it expires.
                Action::Withdraw { .. } => {}
            }
        }
    }
}

/// The wall clock's `at_ms` on the monotonic one.
fn instant_of(at_ms: i64, scene: &Scene) -> Instant {
    let ahead_ms = at_ms.saturating_sub(scene.wall_ms()).max(0) as u64;
    scene.instant() + Duration::from_millis(ahead_ms)
}

/// The broker's name for the agent's end of a link.
pub fn broker_of(peer: Peer) -> Option<Attempt> {
    match peer {
        Peer::Broker(attempt) => Some(attempt),
        Peer::Device(_) => None,
    }
}
