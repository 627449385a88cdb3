//! The one writer of the disk: the owner of every partition's replica and log.
//!
//! Each turn takes what is in the queue, lets the replicas decide, writes the batches, then syncs every
//! log that was written once, and tells the replicas. Producers that arrive during a sync are the next
//! turn's group: the slower the disk, the larger the group.

use std::time::Duration;

use broker_logic::{
    ids::BrokerId,
    replica::{Acks, Replica},
};
use bytes::Bytes;
use commit_log::{LogError, LogReader, RealDisk, Recovered};
use kafka_wire::record_batch::BatchHeader;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};

use crate::{
    clock,
    hosted::{Answers, AppendResult, Hosted, OpenPartition},
    partition::{Partition, View},
};

/// Batches waiting for the writer; a full queue makes the connections wait, and TCP their clients.
const QUEUE: usize = 4096;

/// Bytes written before a sync is due although more are waiting, so that the first of a long queue is
/// not kept waiting by the last.
const MAX_GROUP_BYTES: usize = 32 << 20;

/// A log whose disk was full is opened again after this long.
const REOPEN_MS: i64 = 1_000;

/// Silent producers are looked for this often.
const SWEEP: Duration = Duration::from_secs(60);

pub enum Command {
    Open {
        open: OpenPartition,
        answer: oneshot::Sender<Result<Partition, LogError>>,
    },
    Append {
        slot: usize,
        header: BatchHeader,
        batch: Bytes,
        acks: Acks,
        deadline_ms: i64,
        answer: oneshot::Sender<AppendResult>,
    },
    /// Sync, mark every log as cleanly closed, end.
    Stop {
        answer: oneshot::Sender<()>,
    },
}

/// Starts the writer's thread.
pub fn start(me: BrokerId) -> mpsc::Sender<Command> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let sweep_at_ms = clock::now_ms() + SWEEP.as_millis() as i64;
    let writer = Writer { me, handle: sender.downgrade(), slots: Vec::new(), sweep_at_ms };
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("log-writer".into())
        .spawn(move || runtime.block_on(writer.run(receiver)))
        .expect("a thread can be started");
    sender
}

struct Writer {
    me: BrokerId,
    handle: mpsc::WeakSender<Command>,
    slots: Vec<Slot>,
    sweep_at_ms: i64,
}

type Waiter = oneshot::Sender<AppendResult>;

/// A partition, and what others see of it.
struct Slot {
    hosted: Hosted<RealDisk, Waiter>,
    readers: watch::Sender<LogReader<RealDisk>>,
    view: watch::Sender<View>,
    /// The disk was full; then the log is opened again.
    reopen_at_ms: Option<i64>,
}

impl Writer {
    /// Runs on its own thread: what blocks here blocks no async worker.
    async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        loop {
            let first = match tokio::time::timeout(self.idle(), queue.recv()).await {
                Ok(Some(command)) => Some(command),
                Ok(None) => break,
                Err(_) => None,
            };
            let mut bytes = 0;
            let mut next = first;
            while let Some(command) = next {
                match command {
                    Command::Stop { answer } => {
                        self.sync();
                        self.close();
                        let _ = answer.send(());
                        return;
                    }
                    Command::Open { open, answer } => {
                        let _ = answer.send(self.open(open));
                    }
                    Command::Append { slot, header, batch, acks, deadline_ms, answer } => {
                        bytes += batch.len();
                        self.slots[slot].act(|hosted, now_ms, answers| {
                            hosted.append(&header, &batch, acks, deadline_ms, answer, now_ms, answers);
                        });
                    }
                }
                next = if bytes < MAX_GROUP_BYTES { queue.try_recv().ok() } else { None };
            }
            self.sync();
            self.tick();
            self.open_again();
        }
        self.sync();
        self.close();
    }

    /// Until something is due.
    fn idle(&self) -> Duration {
        let due = self.slots.iter().flat_map(|slot| [slot.hosted.replica().deadline_ms(), slot.reopen_at_ms]);
        let next = due.flatten().chain([self.sweep_at_ms]).min().unwrap_or_default();
        Duration::from_millis(next.saturating_sub(clock::now_ms()).max(0) as u64)
    }

    fn open(&mut self, open: OpenPartition) -> Result<Partition, LogError> {
        let (hosted, recovered) = Hosted::open(RealDisk, self.me, open, clock::now_ms())?;
        log_recovery(&hosted, &recovered);
        let (view, view_receiver) = watch::channel(view_of(hosted.replica()));
        let (readers, log_receiver) = watch::channel(hosted.reader());
        let partition = Partition {
            id: hosted.id().clone(),
            log: log_receiver,
            view: view_receiver,
            slot: self.slots.len(),
            writer: self.handle.upgrade().expect("whoever asks to open holds a sender"),
        };
        self.slots.push(Slot { hosted, readers, view, reopen_at_ms: None });
        Ok(partition)
    }

    /// The end of a turn: one sync for each log that was written.
    fn sync(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.hosted.is_unsynced()) {
            slot.act(|hosted, now_ms, answers| hosted.sync(now_ms, answers));
        }
    }

    fn tick(&mut self) {
        let now_ms = clock::now_ms();
        let sweep = self.sweep_at_ms <= now_ms;
        if sweep {
            self.sweep_at_ms = now_ms + SWEEP.as_millis() as i64;
        }
        for slot in &mut self.slots {
            if sweep || slot.hosted.replica().deadline_ms().is_some_and(|at| at <= now_ms) {
                slot.act(|hosted, now_ms, answers| hosted.tick(now_ms, answers));
            }
        }
    }

    /// A disk that was full may have room again.
    fn open_again(&mut self) {
        let now_ms = clock::now_ms();
        for slot in &mut self.slots {
            if slot.reopen_at_ms.is_some_and(|at| at <= now_ms) {
                slot.open_again();
            }
        }
    }

    fn close(self) {
        for slot in self.slots {
            let id = slot.hosted.id().clone();
            if let Err(error) = slot.hosted.close() {
                error!(partition = %id, %error, "could not close the log");
            }
        }
    }
}

impl Slot {
    /// Does something to the partition, then tells who waits and who watches.
    fn act(&mut self, act: impl FnOnce(&mut Hosted<RealDisk, Waiter>, i64, &mut Answers<Waiter>)) {
        let mut answers = Vec::new();
        act(&mut self.hosted, clock::now_ms(), &mut answers);
        let shown = view_of(self.hosted.replica());
        self.view.send_if_modified(|view| std::mem::replace(view, shown) != shown);
        for (waiter, result) in answers {
            // A client that went away needs no answer.
            let _ = waiter.send(result);
        }
        if let Some(error) = self.hosted.take_failure() {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &LogError) {
        let partition = self.hosted.id();
        if error.is_disk_full() {
            error!(%partition, %error, "the disk is full: nothing more is acknowledged until there is room");
            self.reopen_at_ms = Some(clock::now_ms() + REOPEN_MS);
        } else {
            // What a disk that failed a sync still holds is unknown to everybody: no opening again by itself.
            error!(%partition, %error, "the log failed; it takes no more until the broker restarts");
        }
    }

    fn open_again(&mut self) {
        match self.hosted.open_again(RealDisk, clock::now_ms()) {
            Ok(recovered) => {
                log_recovery(&self.hosted, &recovered);
                warn!(partition = %self.hosted.id(), log_end = recovered.log_end, "the log was opened again");
                self.readers.send_replace(self.hosted.reader());
                self.view.send_replace(view_of(self.hosted.replica()));
                self.reopen_at_ms = None;
            }
            Err(error) => {
                error!(partition = %self.hosted.id(), %error, "the log cannot be opened again yet");
                self.reopen_at_ms = Some(clock::now_ms() + REOPEN_MS);
            }
        }
    }
}

fn view_of(replica: &Replica) -> View {
    View {
        leader_epoch: replica.leader_epoch(),
        log_start: replica.log_start(),
        high_watermark: replica.high_watermark(),
    }
}

fn log_recovery(hosted: &Hosted<RealDisk, Waiter>, recovered: &Recovered) {
    let partition = hosted.id();
    if recovered.truncated_bytes > 0 {
        warn!(%partition, bytes = recovered.truncated_bytes, "cut an unfinished write off the end of the log");
    }
    if let Some(corruption) = &recovered.corruption {
        error!(%partition, ?corruption, "the log is damaged");
    }
}
