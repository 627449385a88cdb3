//! The edge agent: lives of its cores over one disk that outlives them.

mod cores;
mod sabotage;

use std::time::Duration;

use edge_logic::{
    lane::{BlockNumber, LaneId},
    sessions::ConnectionId,
    uplink::{self, Attempt},
};
use outbox_store::{Cut, MemDisk, Op, Store, StoreConfig};

use crate::{
    network::{End, Network, Peer, WireId},
    observation::Observation,
    scene::Scene,
    world,
};
use cores::Cores;

#[derive(Debug)]
pub enum Event {
    Starts,
    Drained,
    Tick,
    Flushed {
        conn: ConnectionId,
    },
    /// The store's thread has written and synced the commit.
    CommitReachesDisk,
    /// Its answer is taken from the mailbox.
    CommitTold {
        stored_bytes: u64,
    },
    ReadsBlocks {
        lane: LaneId,
        from: BlockNumber,
        max_blocks: usize,
    },
    BlocksRead {
        lane: LaneId,
        from: BlockNumber,
        blocks: Vec<uplink::ReadBlock>,
    },
    /// Nobody answered at the broker's door.
    LinkFailed {
        attempt: Attempt,
    },
}

/// How an agent stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It was asked to: the commit under way is finished, and the file closed.
    Stopped,
    /// What was written is there, synced or not.
    Killed,
    /// What was not synced is lost or torn.
    PowerCut,
}

pub struct Agent {
    disk: MemDisk,
    /// Events of earlier lives find nobody.
    life: u64,
    running: Option<Running>,
}

struct Running {
    store: Store,
    cores: Cores,
}

impl Agent {
    pub fn new(scene: &mut Scene) -> Agent {
        let agent = Agent { disk: MemDisk::default(), life: 0, running: None };
        scene.after(Duration::ZERO, agent.event(Event::Starts));
        agent
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn life(&self) -> u64 {
        self.life
    }

    /// Events that wait in the outbox; `None` while the agent is down.
    pub fn stored_events(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.store.stored().stored_events)
    }

    pub fn handle(&mut self, life: u64, event: Event, scene: &mut Scene, network: &mut Network) {
        if life != self.life {
            return;
        }
        match (&mut self.running, event) {
            (None, Event::Starts) => self.start(scene, network),
            (Some(running), Event::Drained) => running.cores.drained(scene, network),
            (Some(running), Event::Tick) => running.cores.tick(scene, network),
            (Some(running), Event::Flushed { conn }) => running.cores.flushed(conn, scene, network),
            (Some(_), Event::CommitReachesDisk) => self.commit(scene, network),
            (Some(running), Event::CommitTold { stored_bytes }) => {
                running.cores.committed(stored_bytes, scene, network);
            }
            (Some(running), Event::ReadsBlocks { lane, from, max_blocks }) => {
                let blocks = edge_agent::store::read_blocks(&running.cores.reader, lane, from, max_blocks);
                let blocks = blocks.expect("reading does not fail on this disk");
                let wait = scene.chance.ms(0, 5);
                scene.after(wait, self.event(Event::BlocksRead { lane, from, blocks }));
            }
            (Some(running), Event::BlocksRead { lane, from, blocks }) => {
                running.cores.blocks_read(uplink::Input::BlocksRead { lane, from, blocks }, scene, network);
            }
            (Some(running), Event::LinkFailed { attempt }) => {
                running.cores.unlinked(attempt, scene, network);
            }
            (None, _) | (Some(_), Event::Starts) => {}
        }
    }

    pub fn accepted(&mut self, wire: WireId, scene: &mut Scene, network: &mut Network) {
        if let Some(running) = &mut self.running {
            running.cores.accepted(wire, scene, network);
        }
    }

    pub fn linked(&mut self, attempt: Attempt, wire: WireId, scene: &mut Scene, network: &mut Network) {
        if let Some(running) = &mut self.running {
            running.cores.linked(attempt, wire, scene, network);
        }
    }

    pub fn received(
        &mut self,
        (wire, peer): (WireId, Peer),
        stream: u64,
        bytes: &[u8],
        scene: &mut Scene,
        network: &mut Network,
    ) {
        let Some(running) = &mut self.running else { return };
        match peer {
            Peer::Device(_) => running.cores.socket_bytes(wire, bytes, scene, network),
            Peer::Broker(_) => running.cores.frame_bytes(stream, bytes, scene, network),
        }
    }

    pub fn stream_ended(&mut self, stream: u64, scene: &mut Scene, network: &mut Network) {
        if let Some(running) = &mut self.running {
            running.cores.stream_ended(stream, scene, network);
        }
    }

    pub fn closed(&mut self, wire: WireId, peer: Peer, scene: &mut Scene, network: &mut Network) {
        let Some(running) = &mut self.running else { return };
        match peer {
            Peer::Device(_) => running.cores.socket_closed(wire, scene, network),
            Peer::Broker(attempt) => running.cores.unlinked(attempt, scene, network),
        }
    }

    /// Stops it where it stands, perhaps in the middle of a commit, and starts it again some time later.
    pub fn die(&mut self, death: Death, scene: &mut Scene, network: &mut Network) {
        let Some(Running { mut store, mut cores }) = self.running.take() else { return };
        scene.say(&("the agent dies", death));
        let wait = scene.chance.ms(10, 20_000);
        if death == Death::Stopped {
            if let Some(operations) = cores.commit.take() {
                let _ = store.commit(&operations);
            }
            // Fails when the commit did, on a broken disk; then the next start takes longer.
            let _ = store.close();
            self.ended(&cores, scene, network);
            return scene.after(wait, self.event(Event::Starts));
        }
        // What the store's thread does at this instant: nothing yet, or some of the commit under way.
        if let Some(operations) = cores.commit.take()
            && scene.chance.one_in(2)
        {
            self.die_while_committing(&mut store, &operations, scene);
        }
        let seed = match death {
            Death::Stopped | Death::Killed => 1,
            Death::PowerCut if scene.chance.one_in(3) => 0,
            Death::PowerCut => scene.chance.number() | 2,
        };
        // Before the store is dropped: it would close its file in good order.
        self.disk = self.disk.crash(seed);
        drop(store);
        self.ended(&cores, scene, network);
        scene.after(wait, self.event(Event::Starts));
    }

    fn die_while_committing(&mut self, store: &mut Store, operations: &[Op], scene: &mut Scene) {
        let sync = self.disk.syncs() + 1 + scene.chance.below(2);
        let cut = if scene.chance.one_in(2) { Cut::Before(sync) } else { Cut::After(sync) };
        self.disk.cut_power_at(cut);
        // It fails, unless it needs fewer syncs than that; nobody is left to hear of it.
        let _ = store.commit(operations);
    }

    /// Writes fail until [`mend_disk`](Agent::mend_disk).
    pub fn break_disk(&self) {
        self.disk.fail_writes(true);
    }

    pub fn mend_disk(&self) {
        self.disk.fail_writes(false);
    }

    fn start(&mut self, scene: &mut Scene, network: &mut Network) {
        let config = StoreConfig { cache_bytes: 1 << 20, ..StoreConfig::default() };
        let Ok((store, loaded)) = Store::open_on(self.disk.clone(), &config) else {
            let wait = scene.chance.ms(1000, 5000);
            return scene.after(wait, self.event(Event::Starts));
        };
        scene.say(&("the agent starts, boot", loaded.boot));
        // A record that cannot be read would be damage, and nothing damages this disk.
        assert!(loaded.damaged.is_empty(), "damaged without damage: {:?}", loaded.damaged);
        let (stored, unreadable) = edge_agent::store::stored(&store, loaded);
        assert!(unreadable.is_empty(), "sessions that cannot be read: {unreadable:?}");
        let cores = Cores::begin(self.life, stored, store.reader(), scene, network);
        self.running = Some(Running { store, cores });
    }

    fn commit(&mut self, scene: &mut Scene, network: &mut Network) {
        let Some(running) = &mut self.running else { return };
        let Some(operations) = running.cores.commit.take() else { return };
        match running.store.commit(&operations) {
            Ok(committed) => {
                scene.observe(Observation::CommitOnDisk);
                if sabotage::tells_before_it_writes(scene.plan.sabotage) {
                    return;
                }
                let (wait, stored_bytes) = (scene.chance.ms(0, 3), committed.stored_bytes);
                scene.after(wait, self.event(Event::CommitTold { stored_bytes }));
            }
            Err(error) => {
                scene.say(&("the store failed", error.to_string()));
                let Some(Running { store, cores }) = self.running.take() else { return };
                drop(store);
                self.ended(&cores, scene, network);
                let wait = scene.chance.ms(1000, 5000);
                scene.after(wait, self.event(Event::Starts));
            }
        }
    }

    fn ended(&mut self, cores: &Cores, scene: &mut Scene, network: &mut Network) {
        scene.observe(Observation::AgentDied);
        for wire in cores.wires() {
            network.end_died(scene, wire, End::Agent);
        }
        self.life += 1;
    }

    fn event(&self, what: Event) -> world::Event {
        world::Event::Agent { life: self.life, what }
    }
}
