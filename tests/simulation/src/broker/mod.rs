//! The core broker: one writer over all partitions, and a session for each connection of an agent.

mod hosted;
mod liar;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use broker_logic::edge_session::{self, Action, EdgeSession, StoreError};
use bytes::{Bytes, BytesMut};
use commit_log::MemDisk;
use fleet_events::topics::{DRIVER_ALERTS, GPS_REJECTED, TRUCKS_GPS};
use kafka_wire::record_batch::{BatchHeader, batches};
use uplink_wire::{Frame, Subscribe, TopicInfo, TopicWanted};

use crate::{
    app,
    network::{End, Network, WireId},
    observation::Place,
    scene::Scene,
    world,
};
use hosted::{Answer, Hosted, Waiter};

pub const GPS_PARTITIONS: i32 = 3;

const PLACES: [Place; 6] = [
    (TRUCKS_GPS, 0),
    (TRUCKS_GPS, 1),
    (TRUCKS_GPS, 2),
    (GPS_REJECTED, 0),
    (DRIVER_ALERTS, 0),
    (DRIVER_ALERTS, 1),
];

const MAX_BLOCK_BYTES: u32 = 1 << 20;
const MAX_DELIVERY_BYTES: usize = 1000;

/// The controller gives producer ids in blocks; what is left of one is lost with its broker.
const PRODUCER_ID_BLOCK: i64 = 1000;

#[derive(Debug)]
pub enum Event {
    Starts,
    /// The writer takes what is in its queue.
    WriterTurns,
    /// It has written it, and syncs.
    WriterSyncs,
    WriterTicks,
    /// For a session, from one of its tasks.
    Session {
        wire: WireId,
        input: edge_session::Input,
    },
    /// A subscription's task looks whether there is more to send.
    Delivers {
        wire: WireId,
        stream: u64,
        partition: i32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// In order: what is waiting is answered, the logs are closed.
    Stopped,
    Killed,
    PowerCut,
}

pub struct Broker {
    disk: MemDisk,
    life: u64,
    next_producer_id: i64,
    running: Option<Running>,
}

struct Running {
    hosted: BTreeMap<Place, Hosted>,
    sessions: BTreeMap<WireId, Session>,
    queue: VecDeque<Append>,
    /// A turn of the writer is under way or asked for.
    turning: bool,
}

struct Append {
    place: Place,
    header: BatchHeader,
    batch: Bytes,
    waiter: Waiter,
}

struct Session {
    session: EdgeSession,
    streams: BTreeMap<u64, BytesMut>,
    /// By stream and partition, the next offset to send.
    deliveries: BTreeMap<(u64, i32), i64>,
    /// The topic of each subscription.
    topics: BTreeMap<u64, &'static str>,
}

impl Broker {
    pub fn new(scene: &mut Scene) -> Broker {
        let broker = Broker { disk: MemDisk::new(), life: 0, next_producer_id: 0, running: None };
        scene.after(Duration::ZERO, broker.event(Event::Starts));
        broker
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn handle(&mut self, life: u64, event: Event, scene: &mut Scene, network: &mut Network) {
        if life != self.life {
            return;
        }
        match event {
            Event::Starts => self.start(scene, network),
            Event::WriterTurns => self.writer_turns(scene),
            Event::WriterSyncs => self.writer_syncs(scene),
            Event::WriterTicks => {
                let mut answers = Vec::new();
                for hosted in self.running.iter_mut().flat_map(|running| running.hosted.values_mut()) {
                    hosted.tick(scene, &mut answers);
                }
                self.answer(answers, scene);
            }
            Event::Session { wire, input } => self.session(wire, input, scene, network),
            Event::Delivers { wire, stream, partition } => {
                self.deliver(wire, stream, partition, scene, network);
            }
        }
    }

    pub fn linked(&mut self, wire: WireId) {
        if let Some(running) = &mut self.running {
            let session = Session {
                session: EdgeSession::new("simulation".into(), MAX_BLOCK_BYTES),
                streams: BTreeMap::new(),
                deliveries: BTreeMap::new(),
                topics: BTreeMap::new(),
            };
            running.sessions.insert(wire, session);
        }
    }

    pub fn received(
        &mut self,
        wire: WireId,
        stream: u64,
        bytes: &[u8],
        scene: &mut Scene,
        network: &mut Network,
    ) {
        let mut frames = Vec::new();
        if let Some(session) = self.running.as_mut().and_then(|running| running.sessions.get_mut(&wire)) {
            let received = session.streams.entry(stream).or_default();
            received.extend_from_slice(bytes);
            while let Some(frame) = uplink_wire::decode(received).expect("the agent sends frames") {
                frames.push(frame);
            }
        }
        for frame in frames {
            self.session(wire, edge_session::Input::Frame { stream, frame }, scene, network);
        }
    }

    pub fn stream_ended(&mut self, wire: WireId, stream: u64, scene: &mut Scene, network: &mut Network) {
        if let Some(session) = self.running.as_mut().and_then(|running| running.sessions.get_mut(&wire)) {
            session.streams.remove(&stream);
            session.topics.remove(&stream);
            session.deliveries.retain(|(of, _), _| *of != stream);
        }
        self.session(wire, edge_session::Input::StreamClosed { stream }, scene, network);
    }

    /// What its blocks have set going goes on; nobody hears the answers.
    pub fn closed(&mut self, wire: WireId) {
        if let Some(running) = &mut self.running {
            running.sessions.remove(&wire);
        }
    }

    /// A stream app's alert, to a partition of its own choosing.
    pub fn append_alert(&mut self, alert: usize, batch: &Bytes, scene: &mut Scene) -> Result<(), ()> {
        let header = BatchHeader::validate(batch).expect("the app sends a batch");
        let place = (DRIVER_ALERTS, (alert % 2) as i32);
        let append = Append { place, header, batch: batch.clone(), waiter: Waiter::App { alert } };
        self.submit(append, scene)
    }

    /// A write or a sync of a log fails soon; what follows is refused until the broker is started again.
    pub fn break_disk(&self, scene: &mut Scene) {
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        let nth = 1 + scene.chance.below(4);
        match scene.chance.below(3) {
            0 => self.disk.fail_sync(nth, EIO),
            1 => self.disk.fail_write(nth, EIO),
            _ => self.disk.fail_write(nth, ENOSPC),
        }
    }

    /// Nothing more fails. A broker whose log may have failed is started again.
    pub fn mend_disk(&mut self, scene: &mut Scene, network: &mut Network) {
        const NEVER: u64 = 1 << 60;
        self.disk.fail_sync(NEVER, 0);
        self.disk.fail_write(NEVER, 0);
        if scene.plan.log_disk_fails.is_some() {
            self.die(Death::Killed, scene, network);
        }
    }

    /// Stops it where it stands, and starts it again some time later.
    pub fn die(&mut self, death: Death, scene: &mut Scene, network: &mut Network) {
        let Some(mut running) = self.running.take() else { return };
        scene.say(&("the broker dies", death));
        if death == Death::Stopped {
            let mut answers = Vec::new();
            for hosted in std::mem::take(&mut running.hosted).into_values() {
                hosted.stop(scene, &mut answers);
            }
            // Only apps still hear theirs: the agents' connections end with the broker.
            for Answer { waiter, result } in answers {
                if let Waiter::App { alert } = waiter {
                    scene.after(Duration::ZERO, app::Event::Answered { alert, stored: result.is_ok() });
                }
            }
        }
        match death {
            Death::Stopped => self.disk.restart_process(),
            // All it wrote is there; what it did not sync can still be lost.
            Death::Killed => self.disk.restart_process(),
            Death::PowerCut => {
                let seed = if scene.chance.one_in(3) { 0 } else { scene.chance.number() | 2 };
                self.disk = self.disk.crash(seed);
            }
        }
        for wire in running.sessions.keys() {
            network.end_died(scene, *wire, End::Peer);
        }
        let waiting = running.hosted.into_values().flat_map(Hosted::into_waiters);
        for waiter in waiting.chain(running.queue.iter().map(|append| append.waiter)) {
            if let Waiter::App { alert } = waiter {
                scene.after(Duration::ZERO, app::Event::Answered { alert, stored: false });
            }
        }
        self.life += 1;
        self.next_producer_id = (self.next_producer_id / PRODUCER_ID_BLOCK + 1) * PRODUCER_ID_BLOCK;
        let wait = scene.chance.ms(10, 20_000);
        scene.after(wait, self.event(Event::Starts));
    }

    fn start(&mut self, scene: &mut Scene, network: &mut Network) {
        let opened = PLACES.iter().map(|place| Ok((*place, Hosted::open(&self.disk, *place, scene)?)));
        let hosted: Result<_, commit_log::LogError> = opened.collect();
        let running = hosted.map(|hosted| Running {
            hosted,
            sessions: BTreeMap::new(),
            queue: VecDeque::new(),
            turning: false,
        });
        match running {
            Ok(running) => {
                scene.say(&"the broker starts");
                self.running = Some(running);
            }
            Err(error) => {
                // The disk failed while the log was opened.
                scene.say(&("the broker cannot start", error.to_string()));
                self.running = Some(Running {
                    hosted: BTreeMap::new(),
                    sessions: BTreeMap::new(),
                    queue: VecDeque::new(),
                    turning: false,
                });
                self.die(Death::Killed, scene, network);
            }
        }
    }

    fn submit(&mut self, append: Append, scene: &mut Scene) -> Result<(), ()> {
        let Some(running) = &mut self.running else { return Err(()) };
        running.queue.push_back(append);
        if !std::mem::replace(&mut running.turning, true) {
            scene.after(Duration::ZERO, self.event(Event::WriterTurns));
        }
        Ok(())
    }

    fn writer_turns(&mut self, scene: &mut Scene) {
        let Some(running) = &mut self.running else { return };
        let mut answers = Vec::new();
        for Append { place, header, batch, waiter } in std::mem::take(&mut running.queue) {
            if let Some(hosted) = running.hosted.get_mut(&place) {
                hosted.append(header, &batch, waiter, scene, &mut answers);
            }
        }
        let wait = scene.chance.ms(1, 40);
        scene.after(wait, self.event(Event::WriterSyncs));
        self.answer(answers, scene);
    }

    fn writer_syncs(&mut self, scene: &mut Scene) {
        let Some(running) = &mut self.running else { return };
        let mut answers = Vec::new();
        let before: Vec<i64> = running.hosted.values().map(Hosted::high_watermark).collect();
        for hosted in running.hosted.values_mut() {
            hosted.commit(scene, &mut answers);
            hosted.tick(scene, &mut answers);
        }
        let moved: Vec<Place> = running
            .hosted
            .iter()
            .zip(before)
            .filter(|((_, hosted), before)| hosted.high_watermark() > *before)
            .map(|((place, _), _)| *place)
            .collect();
        running.turning = !running.queue.is_empty();
        let turning = running.turning;
        let due = running.hosted.values().filter_map(Hosted::deadline_ms).min();
        if turning {
            scene.after(Duration::ZERO, self.event(Event::WriterTurns));
        } else if let Some(due) = due {
            scene.at(scene.of_wall_ms(due), self.event(Event::WriterTicks));
        }
        self.answer(answers, scene);
        for (topic, partition) in moved {
            self.wake_deliveries(topic, partition, scene);
        }
    }

    /// Each answer is a task of its own: they overtake one another.
    fn answer(&mut self, answers: Vec<Answer>, scene: &mut Scene) {
        for Answer { waiter, result } in answers {
            let wait = scene.chance.ms(0, 4);
            match waiter {
                Waiter::Agent { wire, stream, block } => {
                    let result = edge_session::block_stored(result);
                    let input = edge_session::Input::Stored { stream, block, result };
                    scene.after(wait, self.event(Event::Session { wire, input }));
                }
                Waiter::App { alert } => {
                    scene.after(wait, app::Event::Answered { alert, stored: result.is_ok() });
                }
            }
        }
    }

    fn session(
        &mut self,
        wire: WireId,
        input: edge_session::Input,
        scene: &mut Scene,
        network: &mut Network,
    ) {
        let mut actions = Vec::new();
        let Some(session) = self.running.as_mut().and_then(|running| running.sessions.get_mut(&wire)) else {
            return;
        };
        session.session.handle(input, &mut actions);
        for action in actions {
            self.act(wire, action, scene, network);
        }
    }

    fn act(&mut self, wire: WireId, action: Action, scene: &mut Scene, network: &mut Network) {
        let reply = |input, scene: &mut Scene| {
            let wait = scene.chance.ms(0, 10);
            scene.after(wait, self.event(Event::Session { wire, input }));
        };
        match action {
            Action::PrepareTopics { stream, topics } => {
                let topics = topics.into_iter().map(topic_info).collect();
                let now_ms = scene.wall_ms();
                reply(edge_session::Input::TopicsReady { stream, topics, now_ms }, scene);
            }
            Action::AllocateProducer { stream } => {
                let producer = Ok(self.next_producer_id);
                reply(edge_session::Input::ProducerAllocated { stream, producer }, scene);
                self.next_producer_id += 1;
            }
            Action::Append { stream, block, topic, partition, header, batch } => {
                let place = PLACES.iter().find(|place| **place == (topic.as_str(), partition));
                let Some(place) = place.copied() else {
                    let result = Err(StoreError::UnknownPartition);
                    return reply(edge_session::Input::Stored { stream, block, result }, scene);
                };
                let waiter = Waiter::Agent { wire, stream, block };
                // It is running: a session of it acts.
                let _ = self.submit(Append { place, header, batch, waiter }, scene);
            }
            Action::Deliver { stream, subscribe } => self.subscribe(wire, stream, &subscribe, scene),
            Action::Send { stream, frame } => {
                if let Frame::Refused(refusal) = &frame {
                    scene.say(refusal);
                }
                send(wire, stream, &frame, scene, network);
            }
            Action::Finish { stream } => network.end_stream(scene, wire, End::Agent, stream),
        }
    }

    fn subscribe(&mut self, wire: WireId, stream: u64, subscribe: &Subscribe, scene: &mut Scene) {
        let life = self.life;
        let Some(running) = &mut self.running else { return };
        let Some(session) = running.sessions.get_mut(&wire) else { return };
        for (topic, partition) in PLACES.into_iter().filter(|(topic, _)| *topic == subscribe.topic) {
            let from = subscribe.from.iter().find(|(index, _)| *index == partition);
            session.deliveries.insert((stream, partition), from.map_or(0, |(_, offset)| *offset));
            session.topics.insert(stream, topic);
            let what = Event::Delivers { wire, stream, partition };
            scene.after(Duration::ZERO, world::Event::Broker { life, what });
        }
    }

    fn wake_deliveries(&self, topic: &'static str, partition: i32, scene: &mut Scene) {
        let Some(running) = &self.running else { return };
        for (wire, session) in &running.sessions {
            for (stream, _) in session.topics.iter().filter(|(_, of)| **of == topic) {
                let (wire, stream, wait) = (*wire, *stream, scene.chance.ms(0, 10));
                scene.after(wait, self.event(Event::Delivers { wire, stream, partition }));
            }
        }
    }

    fn deliver(
        &mut self,
        wire: WireId,
        stream: u64,
        partition: i32,
        scene: &mut Scene,
        network: &mut Network,
    ) {
        let Some(running) = &mut self.running else { return };
        let Some(session) = running.sessions.get_mut(&wire) else { return };
        let Some(topic) = session.topics.get(&stream) else { return };
        let (Some(hosted), Some(offset)) =
            (running.hosted.get(&(*topic, partition)), session.deliveries.get_mut(&(stream, partition)))
        else {
            return;
        };
        let high_watermark = hosted.high_watermark();
        assert!(*offset <= high_watermark, "an agent asks beyond the end: {offset} of {high_watermark}");
        while *offset < high_watermark {
            let batches = hosted.reader().read(*offset, high_watermark, MAX_DELIVERY_BYTES, true);
            let batches = batches.expect("what is below the watermark reads");
            let Some(next_offset) = next_offset(&batches) else { return };
            send(wire, stream, &Frame::Deliver { partition, next_offset, batches }, scene, network);
            *offset = next_offset;
        }
    }

    fn event(&self, what: Event) -> world::Event {
        world::Event::Broker { life: self.life, what }
    }
}

fn send(wire: WireId, stream: u64, frame: &Frame, scene: &mut Scene, network: &mut Network) {
    let mut bytes = BytesMut::new();
    uplink_wire::encode(frame, &mut bytes);
    network.send(scene, wire, End::Agent, stream, bytes.freeze());
}

fn topic_info(wanted: TopicWanted) -> TopicInfo {
    let partitions = PLACES.iter().filter(|(topic, _)| *topic == wanted.name).count() as u32;
    TopicInfo { name: wanted.name, partitions }
}

fn next_offset(bytes: &[u8]) -> Option<i64> {
    batches(bytes).filter_map(Result::ok).last().map(|(header, _)| header.next_offset())
}
