//! One life of the agent's state machine, driven as the edge agent's shell drives it: sockets, the link, the
//! store's thread and the clock are imitated here, every effect on one screen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use edge_logic::{
    agent::{Action, Agent, AgentConfig, Input, Now, Stored},
    downlink::DownlinkConfig,
    outbox::OutboxConfig,
    routes::default_routes,
    sessions::{self, ConnectionId, SessionsConfig},
    uplink::{self, Attempt, StreamId},
};
use fleet_events::topics::{DRIVER_ALERTS, TRUCKS_GPS};
use mqtt_wire::{Packet, ProtocolVersion, Publish};
use outbox_store::{Op, Reader};
use uplink_wire::Frame;

use super::{Event, sabotage};
use crate::{
    network::{End, Network, WireId},
    observation::Observation,
    plan::Plan,
    scene::Scene,
};

/// A device's connection, from this end.
#[derive(Debug, Default)]
struct Socket {
    received: BytesMut,
    version: Option<ProtocolVersion>,
    /// Of a sabotage.
    held: Option<Publish>,
}

pub struct Cores {
    life: u64,
    agent: Agent,
    sockets: BTreeMap<WireId, Socket>,
    /// The connection to the broker.
    link: Option<(Attempt, WireId)>,
    streams: BTreeMap<StreamId, BytesMut>,
    /// What the store is to write.
    pub commit: Option<Vec<Op>>,
    pub reader: Reader,
    /// These will be told that all their bytes are written.
    flushing: BTreeSet<ConnectionId>,
    drains: bool,
    tick_at: Option<Duration>,
}

impl Cores {
    pub fn begin(
        life: u64,
        stored: Stored,
        reader: Reader,
        scene: &mut Scene,
        network: &mut Network,
    ) -> Cores {
        let (config, now) = (config(&scene.plan), now(scene));
        let mut actions = Vec::new();
        let agent = Agent::new(config, stored, now, &mut actions).expect("the default routes are routes");
        let mut cores = Cores {
            life,
            agent,
            sockets: BTreeMap::new(),
            link: None,
            streams: BTreeMap::new(),
            commit: None,
            reader,
            flushing: BTreeSet::new(),
            drains: false,
            tick_at: None,
        };
        cores.act(actions, scene, network);
        cores.sleep(scene);
        cores
    }

    pub fn accepted(&mut self, wire: WireId, scene: &mut Scene, network: &mut Network) {
        self.sockets.insert(wire, Socket::default());
        let (conn, fallback_client_id) = (ConnectionId(wire), format!("auto-{wire}"));
        let principal = "anonymous".into();
        let input = sessions::Input::Connected { conn, principal, fallback_client_id };
        self.take(Input::Mqtt(input), scene, network);
    }

    pub fn socket_bytes(&mut self, wire: WireId, bytes: &[u8], scene: &mut Scene, network: &mut Network) {
        let Some(socket) = self.sockets.get_mut(&wire) else { return };
        socket.received.extend_from_slice(bytes);
        let mut packets = Vec::new();
        loop {
            let limits = mqtt_wire::Limits::default();
            let packet = mqtt_wire::decode(&mut socket.received, socket.version, &limits);
            let Some(packet) = packet.expect("a device sends MQTT") else { break };
            match &packet {
                Packet::Connect(connect) => socket.version = Some(connect.version),
                Packet::Puback(ack) => {
                    let packet_id = ack.packet_id.get();
                    scene.observe(Observation::PubackHeard { conn: wire, packet_id });
                }
                _ => {}
            }
            packets.push(packet);
        }
        for packet in sabotage::packets(scene.plan.sabotage, &mut socket.held, packets) {
            let input = sessions::Input::Packet { conn: ConnectionId(wire), packet };
            self.take(Input::Mqtt(input), scene, network);
        }
    }

    pub fn socket_closed(&mut self, wire: WireId, scene: &mut Scene, network: &mut Network) {
        if self.sockets.remove(&wire).is_some() {
            let input = sessions::Input::Closed { conn: ConnectionId(wire) };
            self.take(Input::Mqtt(input), scene, network);
        }
    }

    pub fn linked(&mut self, attempt: Attempt, wire: WireId, scene: &mut Scene, network: &mut Network) {
        self.link = Some((attempt, wire));
        self.take(Input::Uplink(uplink::Input::Connected { attempt }), scene, network);
    }

    pub fn unlinked(&mut self, attempt: Attempt, scene: &mut Scene, network: &mut Network) {
        if self.link.is_some_and(|(current, _)| current == attempt) {
            // Each stream's reader sees the end by itself, before or after the connection's.
            let streams: Vec<StreamId> = self.streams.keys().copied().collect();
            for stream in streams {
                if scene.chance.one_in(3) && self.streams.remove(&stream).is_some() {
                    self.take(Input::Uplink(uplink::Input::StreamClosed { stream }), scene, network);
                }
            }
            self.link = None;
        }
        self.take(Input::Uplink(uplink::Input::Disconnected { attempt }), scene, network);
    }

    pub fn frame_bytes(&mut self, stream: u64, bytes: &[u8], scene: &mut Scene, network: &mut Network) {
        let stream = StreamId(stream);
        let Some(received) = self.streams.get_mut(&stream) else { return };
        received.extend_from_slice(bytes);
        while let Some(received) = self.streams.get_mut(&stream) {
            let Some(frame) = uplink_wire::decode(received).expect("the broker sends frames") else { break };
            self.take(Input::Uplink(uplink::Input::Frame { stream, frame }), scene, network);
        }
    }

    pub fn stream_ended(&mut self, stream: u64, scene: &mut Scene, network: &mut Network) {
        let stream = StreamId(stream);
        if self.streams.remove(&stream).is_some() {
            if let Some((_, wire)) = self.link {
                network.end_stream(scene, wire, End::Peer, stream.0);
            }
            self.take(Input::Uplink(uplink::Input::StreamClosed { stream }), scene, network);
        }
    }

    pub fn flushed(&mut self, conn: ConnectionId, scene: &mut Scene, network: &mut Network) {
        self.flushing.remove(&conn);
        if self.sockets.contains_key(&conn.0) {
            self.take(Input::Mqtt(sessions::Input::Flushed { conn }), scene, network);
        }
    }

    pub fn blocks_read(&mut self, input: uplink::Input, scene: &mut Scene, network: &mut Network) {
        self.take(Input::Uplink(input), scene, network);
    }

    pub fn committed(&mut self, stored_bytes: u64, scene: &mut Scene, network: &mut Network) {
        self.take(Input::Committed { stored_bytes }, scene, network);
    }

    pub fn drained(&mut self, scene: &mut Scene, network: &mut Network) {
        self.handle(Input::Drained, scene, network);
        self.drains = false;
        self.wake_for_deadline(scene);
    }

    pub fn tick(&mut self, scene: &mut Scene, network: &mut Network) {
        if self.tick_at.is_some_and(|at| at <= scene.now()) {
            self.tick_at = None;
            self.take(Input::Tick, scene, network);
        }
    }

    /// Every wire of this life, for whoever ends it.
    pub fn wires(&self) -> impl Iterator<Item = WireId> {
        self.sockets.keys().copied().chain(self.link.map(|(_, wire)| wire))
    }

    fn take(&mut self, input: Input, scene: &mut Scene, network: &mut Network) {
        self.handle(input, scene, network);
        self.sleep(scene);
    }

    fn handle(&mut self, input: Input, scene: &mut Scene, network: &mut Network) {
        let mut actions = Vec::new();
        self.agent.handle(input, now(scene), &mut actions);
        self.act(actions, scene, network);
    }

    /// Until the next event. The agent hears that the mailbox is empty when some messages have been taken.
    fn sleep(&mut self, scene: &mut Scene) {
        if !std::mem::replace(&mut self.drains, true) {
            let wait = scene.chance.ms(0, 3);
            scene.after(wait, self.event(Event::Drained));
        }
    }

    fn wake_for_deadline(&mut self, scene: &mut Scene) {
        let Some(due) = self.agent.deadline(now(scene)) else { return };
        let due = scene.since_base(due).max(scene.now() + Duration::from_millis(1));
        if self.tick_at.is_none_or(|at| due < at) {
            self.tick_at = Some(due);
            scene.at(due, self.event(Event::Tick));
        }
    }

    fn event(&self, what: Event) -> crate::world::Event {
        crate::world::Event::Agent { life: self.life, what }
    }

    /// Every effect of the agent.
    fn act(&mut self, actions: Vec<Action>, scene: &mut Scene, network: &mut Network) {
        for action in actions {
            match action {
                Action::Packet { conn, version, packet } => {
                    self.send_packet(conn, version, &packet, scene, network);
                }
                Action::Close { conn, reason } => {
                    scene.say(&("closed", conn, reason.to_string()));
                    if self.sockets.remove(&conn.0).is_some() {
                        network.close(scene, conn.0, End::Agent);
                    }
                }
                Action::Commit(commit) => self.begin_commit(edge_agent::store::operations(commit), scene),
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
                Action::Frame { stream, frame } => self.send_frame(stream, &frame, scene, network),
                Action::ReadBlocks { lane, from, max_blocks } => {
                    let wait = scene.chance.ms(0, 5);
                    scene.after(wait, self.event(Event::ReadsBlocks { lane, from, max_blocks }));
                }
                Action::Notice(notice) => scene.say(&notice),
            }
        }
    }

    fn begin_commit(&mut self, mut operations: Vec<Op>, scene: &mut Scene) {
        sabotage::commit(scene.plan.sabotage, &mut operations);
        scene.observe(Observation::CommitStarted);
        let wait = scene.chance.ms(1, scene.plan.commit_ms);
        if sabotage::tells_before_it_writes(scene.plan.sabotage) {
            // The one after it is written with it.
            self.commit.get_or_insert_default().extend(operations);
            scene.after(Duration::ZERO, self.event(Event::CommitTold { stored_bytes: 0 }));
        } else {
            assert!(self.commit.is_none(), "one commit at a time");
            self.commit = Some(operations);
        }
        scene.after(wait, self.event(Event::CommitReachesDisk));
    }

    fn send_packet(
        &mut self,
        conn: ConnectionId,
        version: ProtocolVersion,
        packet: &Packet,
        scene: &mut Scene,
        network: &mut Network,
    ) {
        if !self.sockets.contains_key(&conn.0) || sabotage::drops(scene.plan.sabotage, packet) {
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

    fn send_frame(&mut self, stream: StreamId, frame: &Frame, scene: &mut Scene, network: &mut Network) {
        let Some((_, wire)) = self.link.filter(|_| self.streams.contains_key(&stream)) else { return };
        let mut bytes = BytesMut::new();
        uplink_wire::encode(frame, &mut bytes);
        network.send(scene, wire, End::Peer, stream.0, Bytes::from(bytes));
    }

    fn drop_link(&mut self, scene: &mut Scene, network: &mut Network) {
        if let Some((_, wire)) = self.link.take() {
            network.close(scene, wire, End::Agent);
        }
        self.streams.clear();
    }
}

fn config(plan: &Plan) -> AgentConfig {
    let mut routes = default_routes();
    routes.retain(|route| route.topic == TRUCKS_GPS);
    for route in &mut routes {
        route.partitions = plan.guessed_partitions;
    }
    AgentConfig {
        agent_id: "agent".into(),
        routes,
        sessions: SessionsConfig::default(),
        outbox: OutboxConfig { max_bytes: plan.outbox_bytes, linger: plan.linger },
        downlink: DownlinkConfig { ttl_ms: plan.alert_ttl.as_millis() as i64 },
        subscribe: vec![DRIVER_ALERTS.into()],
    }
}

fn now(scene: &mut Scene) -> Now {
    Now { instant: scene.instant(), unix_ms: scene.wall_ms(), chance: scene.chance.number() as u32 }
}
