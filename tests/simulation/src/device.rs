//! A truck's MQTT client: numbered fixes at QoS 1, kept until their PUBACK, sent again after a reconnect; and
//! the alerts that reach it.

use std::{collections::VecDeque, time::Duration};

use bytes::{Bytes, BytesMut};
use fleet_events::topics::{GPS_REJECTED, TRUCKS_GPS};
use mqtt_wire::{
    Ack, Connack, Connect, Limits, Packet, PacketId, Properties, Property, ProtocolVersion, Publish, Qos,
    RetainHandling, Subscribe, SubscribeRequest,
};

use crate::{
    network::{End, Network, WireId},
    observation::Observation,
    scene::Scene,
    world,
};

const PING_EVERY: Duration = Duration::from_secs(20);
const KEEP_ALIVE_SECS: u16 = 60;

/// Who waits longer for CONNACK hangs up.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub enum Event {
    /// Measures a fix, and will again.
    Measures,
    Connects,
    Pings {
        wire: WireId,
    },
    LosesPatience {
        wire: WireId,
    },
    AcknowledgesAlert {
        wire: WireId,
        packet_id: PacketId,
    },
}

/// Whether a publish that is sent again says so; not all clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dup {
    Always,
    Never,
    Sometimes,
}

#[derive(Debug)]
pub struct Device {
    index: usize,
    version: ProtocolVersion,
    persistent: bool,
    dup: Dup,
    /// Sends before CONNACK what a kept session lets it send.
    eager: bool,
    max_in_flight: usize,
    /// Ids go round: few of them, so that they are used again soon.
    packet_ids: u16,
    last_packet_id: u16,
    measures: bool,
    measures_every: Duration,
    next_fix: u64,
    /// Not sent yet, or to be sent as if it never was.
    outgoing: VecDeque<u64>,
    unacknowledged: VecDeque<(PacketId, u64)>,
    connection: Option<Connection>,
    /// The agent has said that it keeps the session.
    has_session: bool,
    /// The agent has said that it will send the alerts.
    subscribed: bool,
}

#[derive(Debug)]
struct Connection {
    wire: WireId,
    received: BytesMut,
    welcome: bool,
    /// What was unacknowledged is sent again already.
    resent: bool,
}

impl Device {
    pub fn new(index: usize, scene: &mut Scene) -> Device {
        // Some say little: an alert may come before the agent hears of them again.
        let rarely = if scene.chance.one_in(3) { 10 } else { 1 };
        let (measures_every, late_ms) = (scene.plan.publish_every * rarely, scene.plan.late.as_millis());
        let chance = &mut scene.chance;
        let persistent = !chance.one_in(4);
        let device = Device {
            index,
            version: *chance.pick(&[ProtocolVersion::V3_1_1, ProtocolVersion::V5]),
            persistent,
            dup: *chance.pick(&[Dup::Always, Dup::Never, Dup::Sometimes]),
            eager: persistent && chance.one_in(3),
            max_in_flight: 1 + chance.below(12) as usize,
            packet_ids: *chance.pick(&[13, 40, 1000]),
            last_packet_id: 0,
            measures: true,
            measures_every,
            next_fix: 0,
            outgoing: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            connection: None,
            has_session: false,
            subscribed: false,
        };
        let begins = scene.chance.ms(0, late_ms as u64);
        let (first, connects) = (begins + scene.chance.ms(1, 3000), begins + scene.chance.ms(1, 3000));
        scene.after(first, device.event(Event::Measures));
        scene.after(connects, device.event(Event::Connects));
        device
    }

    /// No new fixes; what there is goes out.
    pub fn stop_measuring(&mut self) {
        self.measures = false;
    }

    pub fn wire(&self) -> Option<WireId> {
        self.connection.as_ref().map(|connection| connection.wire)
    }

    pub fn handle(&mut self, event: Event, scene: &mut Scene, network: &mut Network) {
        match event {
            Event::Measures => {
                if self.measures {
                    self.outgoing.push_back(self.next_fix);
                    self.next_fix += 1;
                    let every = self.measures_every.as_millis() as u64;
                    let wait = scene.chance.ms(1, every * 2);
                    scene.after(wait, self.event(Event::Measures));
                    self.pump(scene, network);
                }
            }
            Event::Connects => {} // the world knows whether there is an agent to connect to
            Event::Pings { wire } => {
                if self.wire() == Some(wire) {
                    self.send(&Packet::Pingreq, scene, network);
                    scene.after(PING_EVERY, self.event(Event::Pings { wire }));
                }
            }
            Event::LosesPatience { wire } => {
                if self.connection.as_ref().is_some_and(|open| open.wire == wire && !open.welcome) {
                    network.close(scene, wire, End::Peer);
                    self.lost(scene);
                }
            }
            Event::AcknowledgesAlert { wire, packet_id } => {
                if self.wire() == Some(wire) {
                    self.send(&Packet::Puback(Ack::success(packet_id)), scene, network);
                }
            }
        }
    }

    /// Nobody answered; tries again.
    pub fn refused(&mut self, scene: &mut Scene) {
        let wait = scene.chance.ms(100, 4000);
        scene.after(wait, self.event(Event::Connects));
    }

    pub fn connected(&mut self, wire: WireId, scene: &mut Scene, network: &mut Network) {
        self.connection = Some(Connection { wire, received: BytesMut::new(), welcome: false, resent: false });
        let mut properties = Properties::default();
        if self.version == ProtocolVersion::V5 && self.persistent {
            properties.push(Property::SessionExpiryInterval(86_400));
        }
        let connect = Connect {
            version: self.version,
            clean_start: !self.persistent,
            keep_alive_secs: KEEP_ALIVE_SECS,
            client_id: format!("client-{}", self.index),
            will: None,
            username: None,
            password: None,
            properties,
        };
        self.send(&Packet::Connect(Box::new(connect)), scene, network);
        if self.eager && self.has_session {
            self.resend(scene, network);
        }
        scene.after(PATIENCE, self.event(Event::LosesPatience { wire }));
        scene.after(PING_EVERY, self.event(Event::Pings { wire }));
    }

    /// The connection is gone, as far as this end knows.
    pub fn closed(&mut self, wire: WireId, scene: &mut Scene) {
        if self.wire() == Some(wire) {
            self.lost(scene);
        }
    }

    fn lost(&mut self, scene: &mut Scene) {
        self.connection = None;
        let wait = if scene.chance.one_in(8) { scene.chance.ms(1, 30_000) } else { scene.chance.ms(1, 2000) };
        scene.after(wait, self.event(Event::Connects));
    }

    pub fn received(&mut self, wire: WireId, bytes: &[u8], scene: &mut Scene, network: &mut Network) {
        let Some(connection) = self.connection.as_mut().filter(|open| open.wire == wire) else { return };
        connection.received.extend_from_slice(bytes);
        while let Some(connection) = &mut self.connection {
            match mqtt_wire::decode(&mut connection.received, Some(self.version), &Limits::default()) {
                Ok(Some(packet)) => self.packet(packet, scene, network),
                Ok(None) => return,
                Err(error) => panic!("the agent sent what is not MQTT: {error}"),
            }
        }
    }

    fn packet(&mut self, packet: Packet, scene: &mut Scene, network: &mut Network) {
        let Some(connection) = &mut self.connection else { return };
        match packet {
            Packet::Connack(Connack { reason, .. }) if reason.is_error() => {
                network.close(scene, connection.wire, End::Peer);
                self.lost(scene);
            }
            Packet::Connack(Connack { session_present, .. }) => {
                connection.welcome = true;
                self.has_session = self.persistent;
                if session_present {
                    self.resend(scene, network);
                } else {
                    self.begin_anew();
                }
                if !self.subscribed {
                    self.subscribe(scene, network);
                }
                self.pump(scene, network);
            }
            Packet::Puback(ack) => {
                let acknowledged = self.unacknowledged.iter().position(|(id, _)| *id == ack.packet_id);
                if let Some((_, number)) = acknowledged.and_then(|at| self.unacknowledged.remove(at)) {
                    let (fix, wire) = ((self.index, number), self.wire());
                    scene.observe(Observation::Acknowledged { fix, wire });
                }
                self.pump(scene, network);
            }
            Packet::Suback(_) => self.subscribed = true,
            Packet::Publish(publish) => self.alert(publish, scene),
            _ => {}
        }
    }

    fn alert(&mut self, publish: Publish, scene: &mut Scene) {
        let (Some(wire), Some(packet_id)) = (self.wire(), publish.packet_id) else { return };
        let alert = crate::app::alert_id_of(&publish.payload).unwrap_or_default();
        scene.observe(Observation::AlertReceived { device: self.index, alert });
        let wait = if scene.chance.one_in(4) { scene.chance.ms(1, 3000) } else { Duration::ZERO };
        scene.after(wait, self.event(Event::AcknowledgesAlert { wire, packet_id }));
    }

    /// What the agent may have, under the ids it had. [MQTT-4.4.0-1]
    fn resend(&mut self, scene: &mut Scene, network: &mut Network) {
        let Some(connection) = &mut self.connection else { return };
        if std::mem::replace(&mut connection.resent, true) {
            return;
        }
        for (packet_id, number) in self.unacknowledged.clone() {
            let dup = match self.dup {
                Dup::Always => true,
                Dup::Never => false,
                Dup::Sometimes => scene.chance.one_in(2),
            };
            self.publish(packet_id, number, dup, false, scene, network);
        }
    }

    /// There is no session: what is unacknowledged becomes new again, and the alerts must be asked for.
    fn begin_anew(&mut self) {
        for (_, number) in std::mem::take(&mut self.unacknowledged).into_iter().rev() {
            self.outgoing.push_front(number);
        }
        self.subscribed = false;
    }

    fn subscribe(&mut self, scene: &mut Scene, network: &mut Network) {
        let request = SubscribeRequest {
            filter: format!("fleet/trucks/truck-{}/alert", self.index),
            max_qos: Qos::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::AtSubscribe,
        };
        // An id that no publish of this device has.
        let packet_id = PacketId::MAX;
        let subscribe = Subscribe { packet_id, requests: vec![request], properties: Properties::default() };
        self.send(&Packet::Subscribe(subscribe), scene, network);
    }

    fn pump(&mut self, scene: &mut Scene, network: &mut Network) {
        while self.connection.as_ref().is_some_and(|connection| connection.welcome)
            && self.unacknowledged.len() < self.max_in_flight
            && let Some(number) = self.outgoing.pop_front()
        {
            let packet_id = self.free_packet_id();
            self.unacknowledged.push_back((packet_id, number));
            self.publish(packet_id, number, false, true, scene, network);
        }
    }

    fn free_packet_id(&mut self) -> PacketId {
        loop {
            self.last_packet_id = self.last_packet_id % self.packet_ids + 1;
            if let Some(id) = PacketId::new(self.last_packet_id)
                && self.unacknowledged.iter().all(|(used, _)| *used != id)
            {
                return id;
            }
        }
    }

    fn publish(
        &mut self,
        packet_id: PacketId,
        number: u64,
        dup: bool,
        anew: bool,
        scene: &mut Scene,
        network: &mut Network,
    ) {
        let payload = self.payload(number);
        let topic = if is_faulty(number) { GPS_REJECTED } else { TRUCKS_GPS };
        let (fix, wire, persistent) = ((self.index, number), self.wire(), self.persistent);
        scene.observe(Observation::Published {
            fix,
            wire,
            persistent,
            topic,
            payload: payload.clone(),
            anew,
        });
        let publish = Publish {
            dup,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic: format!("fleet/trucks/truck-{}/gps", self.index),
            packet_id: Some(packet_id),
            properties: Properties::default(),
            payload,
        };
        let again = Packet::Publish(Publish { dup: true, ..publish.clone() });
        let packet = Packet::Publish(publish);
        if scene.chance.one_in(40) {
            self.send_twin(&packet, &again, scene, network);
        } else {
            self.send(&packet, scene, network);
        }
    }

    /// A pure function of the number: a fix that is sent again is the same fix.
    fn payload(&self, number: u64) -> Bytes {
        let position =
            if is_faulty(number) { r#""lat":91.5,"lon":13.4"# } else { r#""lat":52.5,"lon":13.4"# };
        let (device, minute, second) = (self.index, number / 60 % 60, number % 60);
        let ts = format!("2026-05-28T12:{minute:02}:{second:02}Z");
        let text =
            format!(r#"{{"v":1,"vehicle_id":"truck-{device}","ts":"{ts}","seq":{number},{position}}}"#);
        Bytes::from(text)
    }

    fn send(&self, packet: &Packet, scene: &mut Scene, network: &mut Network) {
        if let Some(wire) = self.wire() {
            network.send(scene, wire, End::Agent, 0, self.encoded(&[packet]));
        }
    }

    /// Twice in one piece: a second copy that came after the first one's PUBACK would be a second event, and
    /// its PUBACK one for whatever has the packet id by then.
    fn send_twin(&self, packet: &Packet, again: &Packet, scene: &mut Scene, network: &mut Network) {
        if let Some(wire) = self.wire() {
            network.send_whole(scene, wire, End::Agent, 0, self.encoded(&[packet, again]));
        }
    }

    fn encoded(&self, packets: &[&Packet]) -> Bytes {
        let mut bytes = BytesMut::new();
        for packet in packets {
            mqtt_wire::encode(packet, self.version, &mut bytes).expect("a device sends what can be said");
        }
        bytes.freeze()
    }

    fn event(&self, what: Event) -> world::Event {
        world::Event::Device { device: self.index, what }
    }
}

/// A position that cannot be: it is kept too, among the rejected.
fn is_faulty(number: u64) -> bool {
    number % 23 == 7
}
