//! A world: devices, agent, broker, the wires between them, what goes wrong, and the loop that lets one thing
//! happen after the other.

use std::time::{Duration, Instant};

use crate::{
    agent::{self, Agent},
    app::{self, App},
    broker::{self, Broker},
    chance::Chance,
    device::{self, Device},
    faults::{self, Fault},
    invariants::Violation,
    network::{self, End, Network, Peer},
    observation::Observation,
    plan::{Plan, Sabotage},
    scene::Scene,
};

/// A healed world is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// It must stay at rest this long: what was lost to sight may come late and be a duplicate.
const REST: Duration = Duration::from_secs(120);

/// All waits of agent and broker together are shorter than this.
const PATIENCE: Duration = Duration::from_secs(1200);

/// More than any world needs; one that takes more runs in a circle.
const MAX_EVENTS: u64 = 3_000_000;

#[derive(Debug)]
pub enum Event {
    Device {
        device: usize,
        what: device::Event,
    },
    Agent {
        life: u64,
        what: agent::Event,
    },
    Broker {
        life: u64,
        what: broker::Event,
    },
    Network(network::Event),
    App(app::Event),
    Fault(Fault),
    /// Nothing goes wrong any more, and the devices measure no more.
    Heals,
    Looks,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of all that happened.
    pub trace: u64,
    pub events: u64,
    pub fixes: usize,
    pub alerts: usize,
    pub violation: Option<Violation>,
}

pub struct World {
    pub(crate) devices: Vec<Device>,
    pub(crate) network: Network,
    pub(crate) agent: Agent,
    pub(crate) broker: Broker,
    app: App,
    healed: Option<Duration>,
    rests_since: Option<Duration>,
    ended: bool,
}

/// Runs the world of a seed to its end, or to the first broken promise. `talks`: prints what happens.
pub fn run(seed: u64, sabotage: Option<Sabotage>, talks: bool) -> Outcome {
    let mut chance = Chance::of(seed);
    let plan = Plan::of(&mut chance, sabotage);
    let mut scene = Scene::new(plan, chance, Instant::now(), talks);
    scene.say(&scene.plan);
    let mut world = World::new(&mut scene);
    let mut events = 0;
    while scene.violation.is_none()
        && !world.ended
        && let Some(event) = scene.next()
    {
        events += 1;
        world.handle(event, &mut scene);
        if events > MAX_EVENTS {
            let what = "it never comes to rest".to_owned();
            scene.violation = Some(Violation { invariant: "everything_arrives", at: scene.now(), what });
        }
    }
    let (fixes, alerts) = scene.invariants.counts();
    Outcome { trace: scene.trace.hash(), events, fixes, alerts, violation: scene.violation }
}

impl World {
    fn new(scene: &mut Scene) -> World {
        let agent = Agent::new(scene);
        let broker = Broker::new(scene);
        let devices = (0..scene.plan.devices).map(|index| Device::new(index, scene)).collect();
        scene.after(Duration::from_secs(5), app::Event::Alerts);
        faults::begin(scene);
        scene.after(scene.plan.trouble, Event::Heals);
        World {
            devices,
            network: Network::default(),
            agent,
            broker,
            app: App::default(),
            healed: None,
            rests_since: None,
            ended: false,
        }
    }

    fn handle(&mut self, event: Event, scene: &mut Scene) {
        match event {
            Event::Device { device, what: device::Event::Connects } => self.device_connects(device, scene),
            Event::Device { device, what } => self.devices[device].handle(what, scene, &mut self.network),
            Event::Agent { life, what } => self.agent.handle(life, what, scene, &mut self.network),
            Event::Broker { life, what } => self.broker.handle(life, what, scene, &mut self.network),
            Event::Network(event) => self.network_event(event, scene),
            Event::App(event) => self.app.handle(event, scene, &mut self.broker),
            Event::Fault(fault) => {
                if self.healed.is_none() || fault.is_mending() {
                    faults::strike(fault, self, scene);
                }
            }
            Event::Heals => {
                scene.say(&"everything heals");
                self.healed = Some(scene.now());
                self.agent.mend_disk();
                self.broker.mend_disk(scene, &mut self.network);
                self.network.keep_link_away(scene.now());
                self.app.stop();
                self.devices.iter_mut().for_each(Device::stop_measuring);
                scene.after(LOOK_EVERY, Event::Looks);
            }
            Event::Looks => self.look(scene),
        }
    }

    fn device_connects(&mut self, index: usize, scene: &mut Scene) {
        let device = &mut self.devices[index];
        if device.wire().is_some() {
            return;
        }
        if !self.agent.is_running() {
            return device.refused(scene);
        }
        let wire = self.network.connect(Peer::Device(index));
        self.agent.accepted(wire, scene, &mut self.network);
        device.connected(wire, scene, &mut self.network);
    }

    fn network_event(&mut self, event: network::Event, scene: &mut Scene) {
        let network = &mut self.network;
        match event {
            network::Event::Bytes { wire, to, stream, bytes } => {
                let Some(peer) = network.peer(wire).filter(|_| network.arrives(scene, wire, to)) else {
                    return;
                };
                scene.trace.note(&(wire, to, stream));
                scene.trace.bytes(&bytes);
                match (to, peer) {
                    (End::Agent, peer) => self.agent.received((wire, peer), stream, &bytes, scene, network),
                    (End::Peer, Peer::Device(device)) => {
                        self.devices[device].received(wire, &bytes, scene, network);
                    }
                    (End::Peer, Peer::Broker(_)) => {
                        self.broker.received(wire, stream, &bytes, scene, network);
                    }
                }
            }
            network::Event::StreamEnded { wire, to, stream } => {
                if !network.arrives(scene, wire, to) {
                    return;
                }
                match to {
                    End::Agent => self.agent.stream_ended(stream, scene, network),
                    End::Peer => self.broker.stream_ended(wire, stream, scene, network),
                }
            }
            network::Event::Closed { wire, to } => match (to, network.peer(wire)) {
                (_, None) => {}
                (End::Agent, Some(peer)) => self.agent.closed(wire, peer, scene, network),
                (End::Peer, Some(Peer::Device(device))) => self.devices[device].closed(wire, scene),
                (End::Peer, Some(Peer::Broker(_))) => self.broker.closed(wire),
            },
            network::Event::Knock { attempt, life } => {
                if life != self.agent.life() {
                    return;
                }
                if self.broker.is_running() && !network.link_is_away(scene) {
                    let wire = network.connect(Peer::Broker(attempt));
                    self.broker.linked(wire);
                    self.agent.linked(attempt, wire, scene, network);
                } else {
                    let wait = scene.chance.ms(50, 5000);
                    scene.after(wait, Event::Agent { life, what: agent::Event::LinkFailed { attempt } });
                }
            }
        }
    }

    fn look(&mut self, scene: &mut Scene) {
        let (events, now_ms) = (self.agent.stored_events(), scene.wall_ms());
        scene.observe(Observation::OutboxHolds { events, now_ms });
        let now = scene.now();
        let broken = scene.invariants.at_rest(now);
        if broken.is_some() || !self.app.is_done() {
            self.rests_since = None;
        }
        let since = *self.rests_since.get_or_insert(now);
        if broken.is_none() && now - since >= REST {
            self.ended = true;
        } else if self.healed.is_some_and(|healed| now - healed > PATIENCE) {
            scene.violation = scene.violation.take().or(broken);
            self.ended = true;
        }
        scene.after(LOOK_EVERY, Event::Looks);
    }
}
