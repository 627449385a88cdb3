//! The one writer of the disk: the owner of every partition's replica and log.
//!
//! Each turn takes what is in the queue, lets the replicas decide, writes the batches, then syncs every
//! log that was written once, and tells the replicas. Producers that arrive during a sync are the next
//! turn's group: the slower the disk, the larger the group.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use broker_logic::{
    ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition},
    replica::{Acks, Action, AppendError, InSync, Input, Opened, Producers, Replica},
};
use bytes::Bytes;
use commit_log::{Log, LogConfig, LogError, LogReader, RealDisk};
use kafka_wire::record_batch::{self, BatchHeader};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};

use crate::{
    clock,
    partition::{AppendResult, Partition, View},
};

/// Batches waiting for the writer; a full queue makes the connections wait, and TCP their clients.
const QUEUE: usize = 4096;

/// Bytes written before a sync is due although more are waiting, so that the first of a long queue is
/// not kept waiting by the last.
const MAX_GROUP_BYTES: usize = 32 << 20;

/// A log whose disk was full is opened again after this long.
const REOPEN_MS: i64 = 1_000;

/// Forgotten producers and expired waits are looked for this often at the latest.
const MAX_IDLE: Duration = Duration::from_secs(60);

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

/// What to host, as the cluster's image says.
pub struct OpenPartition {
    pub id: TopicPartition,
    pub topic_id: TopicId,
    pub folder: PathBuf,
    pub leader_epoch: LeaderEpoch,
    pub in_sync: Vec<BrokerId>,
    pub min_in_sync: usize,
}

/// Starts the writer's thread.
pub fn start(me: BrokerId, segment_bytes: u64) -> mpsc::Sender<Command> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let writer = Writer { me, segment_bytes, handle: sender.downgrade(), hosted: Vec::new() };
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("log-writer".into())
        .spawn(move || runtime.block_on(writer.run(receiver)))
        .expect("a thread can be started");
    sender
}

struct Writer {
    me: BrokerId,
    segment_bytes: u64,
    handle: mpsc::WeakSender<Command>,
    hosted: Vec<Hosted>,
}

struct Hosted {
    open: OpenPartition,
    log: Log<RealDisk>,
    readers: watch::Sender<LogReader<RealDisk>>,
    replica: Replica,
    view: watch::Sender<View>,
    /// Producers that wait for their answer, by token.
    answers: BTreeMap<u64, oneshot::Sender<AppendResult>>,
    next_token: u64,
    unsynced: bool,
    /// The disk was full; then the log is opened again.
    reopen_at_ms: Option<i64>,
}

/// How a log was found: what a replica goes on from.
struct Found {
    log: Log<RealDisk>,
    replica: Replica,
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
                        self.hosted[slot].append(&header, &batch, acks, deadline_ms, answer);
                    }
                }
                next = if bytes < MAX_GROUP_BYTES { queue.try_recv().ok() } else { None };
            }
            self.sync();
            self.tick();
            self.reopen();
        }
        self.sync();
        self.close();
    }

    fn idle(&self) -> Duration {
        let now_ms = clock::now_ms();
        self.hosted.iter().filter_map(|hosted| hosted.replica.deadline_ms()).min().map_or(MAX_IDLE, |at| {
            Duration::from_millis(at.saturating_sub(now_ms).max(0) as u64).min(MAX_IDLE)
        })
    }

    fn open(&mut self, open: OpenPartition) -> Result<Partition, LogError> {
        let Found { log, replica } = self.find(&open)?;
        let (view, view_receiver) = watch::channel(view_of(&replica));
        let (readers, log_receiver) = watch::channel(log.reader());
        let partition = Partition {
            id: open.id.clone(),
            log: log_receiver,
            view: view_receiver,
            slot: self.hosted.len(),
            writer: self.handle.upgrade().expect("whoever asks to open holds a sender"),
        };
        self.hosted.push(Hosted {
            open,
            log,
            readers,
            replica,
            view,
            answers: BTreeMap::new(),
            next_token: 0,
            unsynced: false,
            reopen_at_ms: None,
        });
        Ok(partition)
    }

    /// Opens the log and takes stock: what it holds is synced, and its headers say what producers sent.
    fn find(&self, open: &OpenPartition) -> Result<Found, LogError> {
        let config =
            LogConfig { segment_bytes: self.segment_bytes, ..LogConfig::new(open.topic_id.0.into_bytes()) };
        let (log, recovered) = Log::open(RealDisk, &open.folder, config)?;
        if recovered.truncated_bytes > 0 {
            warn!(partition = %open.id, bytes = recovered.truncated_bytes,
                "cut an unfinished write off the end of the log");
        }
        if let Some(corruption) = &recovered.corruption {
            error!(partition = %open.id, ?corruption, "the log is damaged");
        }
        let mut producers = Producers::default();
        for header in log.reader().headers(recovered.log_start) {
            let header = header?;
            producers.remember(&header, Offset(header.base_offset), header.max_timestamp);
        }
        let opened =
            Opened { log_start: Offset(recovered.log_start), log_end: Offset(recovered.log_end), producers };
        let in_sync = InSync::new(self.me, open.in_sync.iter().copied(), open.min_in_sync);
        Ok(Found { log, replica: Replica::leader(self.me, open.leader_epoch, in_sync, opened) })
    }

    /// A disk that was full may have room again.
    fn reopen(&mut self) {
        let now_ms = clock::now_ms();
        for slot in 0..self.hosted.len() {
            if self.hosted[slot].reopen_at_ms.is_none_or(|at| at > now_ms) {
                continue;
            }
            let found = self.find(&self.hosted[slot].open);
            let hosted = &mut self.hosted[slot];
            match found {
                Ok(Found { log, replica }) => {
                    warn!(partition = %hosted.open.id, log_end = %replica.log_end(), "the log was opened again");
                    hosted.readers.send_replace(log.reader());
                    hosted.view.send_replace(view_of(&replica));
                    (hosted.log, hosted.replica) = (log, replica);
                    hosted.reopen_at_ms = None;
                }
                Err(error) => {
                    error!(partition = %hosted.open.id, %error, "the log cannot be opened again yet");
                    hosted.reopen_at_ms = Some(now_ms + REOPEN_MS);
                }
            }
        }
    }

    fn sync(&mut self) {
        for hosted in self.hosted.iter_mut().filter(|hosted| hosted.unsynced) {
            hosted.sync();
        }
    }

    fn tick(&mut self) {
        let now_ms = clock::now_ms();
        for hosted in &mut self.hosted {
            if hosted.replica.deadline_ms().is_some_and(|at| at <= now_ms) {
                hosted.handle(Input::Tick, None);
            }
        }
    }

    fn close(self) {
        for hosted in self.hosted {
            if let Err(error) = hosted.log.close() {
                error!(partition = %hosted.open.id, %error, "could not close the log");
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

impl Hosted {
    fn append(
        &mut self,
        header: &BatchHeader,
        batch: &Bytes,
        acks: Acks,
        deadline_ms: i64,
        answer: oneshot::Sender<AppendResult>,
    ) {
        let token = self.next_token;
        self.next_token += 1;
        self.answers.insert(token, answer);
        self.handle(Input::Append { token, batch: *header, acks, deadline_ms }, Some(batch));
    }

    fn sync(&mut self) {
        self.unsynced = false;
        match self.log.sync() {
            Ok(end) => self.handle(Input::Synced { end: Offset(end) }, None),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &LogError) {
        if error.is_disk_full() {
            error!(partition = %self.open.id, %error, "the disk is full: nothing more is acknowledged until there is room");
            self.reopen_at_ms = Some(clock::now_ms() + REOPEN_MS);
        } else {
            // What a disk that failed a sync still holds is unknown to everybody: no opening again by itself.
            error!(partition = %self.open.id, %error, "the log failed; it takes no more until the broker restarts");
        }
        self.handle(Input::LogFailed, None);
    }

    fn handle(&mut self, input: Input, batch: Option<&Bytes>) {
        let mut actions = Vec::new();
        self.replica.handle(input, clock::now_ms(), &mut actions);
        let mut failure = None;
        for action in actions {
            match action {
                Action::Write { base_offset, leader_epoch, .. } => {
                    let mut stamped = batch.expect("a write follows an append").to_vec();
                    record_batch::set_base_offset_and_epoch(&mut stamped, base_offset.0, leader_epoch.0);
                    match self.log.append(&stamped) {
                        Ok(()) => self.unsynced = true,
                        Err(error) => failure = Some(error),
                    }
                }
                Action::Answer { token, result } => {
                    let result = if failure.is_some() { Err(AppendError::LogFailed) } else { result };
                    if let Some(answer) = self.answers.remove(&token) {
                        // A client that went away needs no answer.
                        let _ = answer.send(result);
                    }
                }
                Action::HighWatermark { offset } => {
                    self.view.send_modify(|view| view.high_watermark = offset);
                }
            }
        }
        if let Some(error) = failure {
            self.failed(&error);
        }
    }
}
