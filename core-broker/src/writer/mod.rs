//! A writer of the disk: the owner of its partitions' replicas and logs. There are as many as processors, at
//! most four.
//!
//! Each turn takes what is in the queue, lets the replicas decide, writes the batches, then syncs every
//! log that was written once, and tells the replicas. Producers that arrive during a sync are the next
//! turn's group: the slower the disk, the larger the group.

mod slot;
mod sweep;
mod writers;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use broker_logic::{
    cluster::TopicSettings,
    replica::{Acks, AppendError},
};
use bytes::Bytes;
use commit_log::RealDisk;
use kafka_wire::record_batch::BatchHeader;
use tokio::sync::{mpsc, oneshot};

use crate::{
    clock,
    hosted::{Answers, AppendResult, Hosted},
    metrics::Metrics,
    partition::Partition,
    thread,
    upkeep::UpkeepCounts,
};
use slot::Slot;
pub use slot::log_recovery;
use sweep::Sweep;
pub use writers::Writers;

/// Batches waiting for the writer; a full queue makes the connections wait, and TCP their clients.
const QUEUE: usize = 4096;

/// Bytes written before a sync is due although more are waiting, so that the first of a long queue is
/// not kept waiting by the last.
const MAX_GROUP_BYTES: usize = 32 << 20;

/// And so many commands: a flood of tiny batches never leaves the queue empty.
const MAX_GROUP: usize = QUEUE;

/// Logs that are closed at a time.
const CLOSED_AT_A_TIME: usize = 8;

/// Who waits for the answer to a batch.
pub type Waiter = oneshot::Sender<AppendResult>;

/// A partition's log as the writer has it.
pub type HostedLog = Hosted<RealDisk, Waiter>;

/// Something rare and short that only the owner may do. What it returns tells whoever asked, once everybody
/// can see what was done.
pub type Task = Box<dyn FnOnce(&mut HostedLog, i64, &mut Answers<Waiter>) -> Tell + Send>;
pub type Tell = Box<dyn FnOnce()>;

pub enum Command {
    /// A log that somebody has opened: from here on it is the writer's.
    Host {
        hosted: Box<HostedLog>,
        answer: oneshot::Sender<Partition>,
    },
    Append {
        slot: usize,
        header: BatchHeader,
        batch: Bytes,
        acks: Acks,
        deadline_ms: i64,
        answer: Waiter,
    },
    /// Answered when the settings are in force.
    Configure {
        slot: usize,
        settings: Box<TopicSettings>,
        answer: oneshot::Sender<()>,
    },
    /// Between two appends. Dropped if the partition is gone.
    Do {
        slot: usize,
        task: Task,
    },
    /// The topic is deleted. Answered when nothing of the partition is open any more.
    Delete {
        slot: usize,
        answer: oneshot::Sender<()>,
    },
    /// Answered when its turn comes.
    Turn {
        answer: oneshot::Sender<()>,
    },
    /// Sync, mark every log as cleanly closed, end.
    Stop {
        answer: oneshot::Sender<()>,
    },
}

struct Writer {
    handle: mpsc::WeakSender<Command>,
    /// `None`: deleted. A slot is never given twice: whoever holds an old handle writes to nobody else.
    slots: Vec<Option<Box<Slot>>>,
    sweep: Sweep,
    metrics: Arc<Metrics>,
    upkeep: Arc<UpkeepCounts>,
}

impl Writer {
    /// Starts a writer's thread.
    fn start(
        retention_check: Duration,
        upkeep: Arc<UpkeepCounts>,
        metrics: Arc<Metrics>,
    ) -> mpsc::Sender<Command> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let sweep = Sweep::new(retention_check, clock::now_ms(), upkeep.clone());
        let writer = Writer { handle: sender.downgrade(), slots: Vec::new(), sweep, metrics, upkeep };
        thread::start("log-writer", move || writer.run(receiver)).expect("a thread can be started");
        sender
    }

    /// Runs on its own thread: what blocks here blocks no async worker.
    async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        loop {
            let first = match tokio::time::timeout(self.idle(), queue.recv()).await {
                Ok(Some(command)) => Some(command),
                Ok(None) => break,
                Err(_) => None,
            };
            let (mut commands, mut bytes, mut batches) = (0, 0, 0);
            let mut next = first;
            while let Some(command) = next {
                commands += 1;
                match command {
                    Command::Stop { answer } => {
                        self.commit();
                        self.close();
                        let _ = answer.send(());
                        return;
                    }
                    Command::Append { slot, header, batch, acks, deadline_ms, answer } => {
                        bytes += batch.len();
                        batches += 1;
                        self.append(slot, &header, &batch, acks, deadline_ms, answer);
                    }
                    Command::Turn { answer } => {
                        let _ = answer.send(());
                    }
                    Command::Host { hosted, answer } => {
                        let _ = answer.send(self.host(*hosted));
                    }
                    Command::Configure { slot, settings, answer } => {
                        if let Some(slot) = self.slot(slot) {
                            slot.configure(*settings);
                        }
                        let _ = answer.send(());
                    }
                    Command::Do { slot, task } => {
                        if let Some(slot) = self.slot(slot) {
                            slot.act(task)();
                        }
                    }
                    Command::Delete { slot, answer } => {
                        if let Some(slot) = self.slots.get_mut(slot).and_then(Option::take) {
                            slot.delete();
                        }
                        let _ = answer.send(());
                    }
                }
                let more = bytes < MAX_GROUP_BYTES && commands < MAX_GROUP;
                next = if more { queue.try_recv().ok() } else { None };
            }
            self.commit();
            if batches > 0 {
                self.metrics.group_committed(batches);
            }
            self.tick();
            self.sweep.step(&mut self.slots, clock::now_ms());
        }
        self.commit();
        self.close();
    }

    /// Until something is due.
    fn idle(&self) -> Duration {
        let due = self.slots.iter().flatten().filter_map(|slot| slot.deadline_ms());
        let next = due.chain([self.sweep.due_ms()]).min().unwrap_or_default();
        Duration::from_millis(next.saturating_sub(clock::now_ms()).max(0) as u64)
    }

    fn slot(&mut self, slot: usize) -> Option<&mut Slot> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    fn host(&mut self, hosted: HostedLog) -> Partition {
        let handle = self.handle.upgrade().expect("whoever asks to host holds a sender");
        let traffic = self.metrics.topic(&hosted.id().topic);
        let (slot, partition) = Slot::new(hosted, self.slots.len(), handle, traffic, self.upkeep.clone());
        self.slots.push(Some(Box::new(slot)));
        partition
    }

    fn append(
        &mut self,
        slot: usize,
        header: &BatchHeader,
        batch: &Bytes,
        acks: Acks,
        deadline_ms: i64,
        answer: Waiter,
    ) {
        match self.slot(slot) {
            Some(slot) => slot.append(header, batch, acks, deadline_ms, answer),
            None => {
                let _ = answer.send(Err(AppendError::TopicDeleted));
            }
        }
    }

    /// The end of a turn: one sync for each log that was written.
    fn commit(&mut self) {
        for slot in self.slots.iter_mut().flatten().filter(|slot| slot.hosted.is_uncommitted()) {
            let began = Instant::now();
            let is_synced = slot.act(|hosted, now_ms, answers| {
                let is_due = hosted.replica().is_sync_due(now_ms);
                hosted.commit(now_ms, answers);
                is_due
            });
            if is_synced {
                self.metrics.synced(began.elapsed());
            }
        }
    }

    fn tick(&mut self) {
        let now_ms = clock::now_ms();
        for slot in self.slots.iter_mut().flatten() {
            slot.tick(now_ms);
        }
    }

    /// Several logs at a time: closing is waiting for the disk.
    fn close(self) {
        let slots = Mutex::new(self.slots.into_iter().flatten());
        let next = || slots.lock().unwrap_or_else(PoisonError::into_inner).next();
        std::thread::scope(|threads| {
            for _ in 0..CLOSED_AT_A_TIME {
                threads.spawn(|| {
                    while let Some(slot) = next() {
                        slot.close();
                    }
                });
            }
        });
    }
}
