//! A partition in the writer's hands, and what others see of it.

use std::sync::Arc;

use broker_logic::{cluster::TopicSettings, ids::TopicPartition, replica::Acks};
use commit_log::{Corruption, LogError, LogReader, RealDisk, Recovered};
use kafka_wire::record_batch::BatchHeader;
use tokio::sync::{mpsc, watch};
use tracing::{error, warn};

use super::{Command, HostedLog, Waiter};
use crate::{
    clock,
    hosted::Answers,
    metrics::Traffic,
    partition::{Partition, View},
    upkeep::UpkeepCounts,
    volume,
};

/// Whether a disk that was full has room again is looked at this often.
const REOPEN_MS: i64 = 1_000;

/// A log is opened again with this much room: the largest batch, for several partitions. With less it would fail
/// at its next batch, and be ready and not ready by turns.
const REOPEN_ROOM_BYTES: i64 = 4 << 20;

pub struct Slot {
    pub hosted: HostedLog,
    readers: watch::Sender<LogReader<RealDisk>>,
    view: watch::Sender<View>,
    settings: watch::Sender<TopicSettings>,
    traffic: Arc<Traffic>,
    upkeep: Arc<UpkeepCounts>,
    /// The disk was full.
    reopening: Option<Reopening>,
}

/// What is due once a disk has room.
struct Reopening {
    at_ms: i64,
    /// Said once: it is tried every second.
    has_complained: bool,
}

impl Slot {
    /// And the handle that the rest of the broker has.
    pub fn new(
        hosted: HostedLog,
        slot: usize,
        writer: mpsc::Sender<Command>,
        traffic: Arc<Traffic>,
        upkeep: Arc<UpkeepCounts>,
    ) -> (Slot, Partition) {
        let (id, topic_id) = (hosted.id().clone(), hosted.topic_id());
        let (readers, log) = watch::channel(hosted.reader());
        let (view, view_seen) = watch::channel(view_of(&hosted));
        let (settings, settings_seen) = watch::channel(*hosted.settings());
        let partition = Partition {
            id,
            topic_id,
            log,
            view: view_seen,
            settings: settings_seen,
            traffic: traffic.clone(),
            slot,
            writer,
        };
        (Slot { hosted, readers, view, settings, traffic, upkeep, reopening: None }, partition)
    }

    /// When [`tick`](Slot::tick) has something to do.
    pub fn deadline_ms(&self) -> Option<i64> {
        let reopening = self.reopening.as_ref().map(|reopening| reopening.at_ms);
        [self.hosted.replica().deadline_ms(), reopening].into_iter().flatten().min()
    }

    /// Does something to the partition, then tells who waits and who watches.
    pub fn act<T>(&mut self, act: impl FnOnce(&mut HostedLog, i64, &mut Answers<Waiter>) -> T) -> T {
        let mut answers = Vec::new();
        let done = act(&mut self.hosted, clock::now_ms(), &mut answers);
        let shown = view_of(&self.hosted);
        self.view.send_if_modified(|view| std::mem::replace(view, shown) != shown);
        tell(answers);
        if let Some(error) = self.hosted.take_failure() {
            self.failed(&error);
        }
        if let Some(error) = self.hosted.take_complaint() {
            warn!(partition = %self.hosted.id(), %error, "the upkeep of the log failed; it is tried again");
        }
        done
    }

    pub fn append(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        acks: Acks,
        deadline_ms: i64,
        answer: Waiter,
    ) {
        let log_end = self.hosted.replica().log_end();
        self.act(|hosted, now_ms, answers| {
            hosted.append(header, batch, acks, deadline_ms, answer, now_ms, answers);
        });
        let replica = self.hosted.replica();
        if replica.log_end() > log_end && !replica.is_failed() {
            self.traffic.received(header.size, header.record_count);
        }
    }

    pub fn configure(&mut self, settings: TopicSettings) {
        self.act(|hosted, now_ms, answers| hosted.configure(settings, now_ms, answers));
        self.settings.send_replace(settings);
    }

    pub fn tick(&mut self, now_ms: i64) {
        if self.hosted.replica().deadline_ms().is_some_and(|at| at <= now_ms) {
            self.act(|hosted, now_ms, answers| hosted.tick(now_ms, answers));
        }
        let due = self.reopening.take_if(|reopening| reopening.at_ms <= now_ms);
        if let Some(Reopening { has_complained, .. }) = due {
            self.open_again(has_complained);
        }
    }

    /// Whoever watches sees the channels close.
    pub fn delete(self) {
        let mut answers = Vec::new();
        self.hosted.delete(clock::now_ms(), &mut answers);
        tell(answers);
    }

    /// What is in the log is on the disk, or it is told why not.
    pub fn close(self) {
        let id = self.hosted.id().clone();
        if let Err(error) = self.hosted.close() {
            error!(partition = %id, %error, "could not close the log");
        }
    }

    fn failed(&mut self, error: &LogError) {
        let partition = self.hosted.id();
        if error.is_disk_full() {
            error!(
                %partition, %error, room_bytes = REOPEN_ROOM_BYTES,
                "the disk is full: nothing more is acknowledged until there is room"
            );
            self.reopen_later(false);
        } else {
            // What a disk that failed a sync still holds is unknown to everybody: no opening again by itself.
            error!(%partition, %error, "the log failed; it takes no more until the broker restarts");
            self.reopening = None;
        }
    }

    fn reopen_later(&mut self, has_complained: bool) {
        self.reopening = Some(Reopening { at_ms: clock::now_ms() + REOPEN_MS, has_complained });
    }

    /// A disk that was full may have room again.
    fn open_again(&mut self, has_complained: bool) {
        // A system that does not say how much is free is tried.
        if volume::room(self.hosted.folder()).is_some_and(|(_, free)| free < REOPEN_ROOM_BYTES) {
            return self.reopen_later(has_complained);
        }
        let (id, upkeep) = (self.hosted.id().clone(), &self.upkeep);
        let tell = |recovered: &Recovered| log_recovery(&id, recovered, upkeep);
        match self.hosted.open_again(RealDisk, clock::now_ms(), tell) {
            Ok(recovered) => {
                warn!(partition = %self.hosted.id(), log_end = recovered.log_end, "the log was opened again");
                self.readers.send_replace(self.hosted.reader());
                self.view.send_replace(view_of(&self.hosted));
            }
            Err(error) => {
                if !has_complained {
                    error!(partition = %self.hosted.id(), %error, "the log cannot be opened again yet");
                }
                self.reopen_later(true);
            }
        }
    }
}

/// What opening a log brought to light: in the broker's log, and counted.
pub fn log_recovery(partition: &TopicPartition, recovered: &Recovered, upkeep: &UpkeepCounts) {
    if recovered.truncated_bytes > 0 {
        warn!(%partition, bytes = recovered.truncated_bytes, "cut an unfinished write off the end of the log");
    }
    if let Some(corruption) = &recovered.corruption {
        upkeep.damaged(1);
        let Corruption { file, position, offset, until, reason, set_aside, .. } = corruption;
        error!(
            %partition, file, position, offset, until, reason, ?set_aside,
            "the log is damaged: what it held from offset on is not served, and it goes on at until"
        );
    }
}

fn tell(answers: Answers<Waiter>) {
    for (waiter, result) in answers {
        // A client that went away needs no answer.
        let _ = waiter.send(result);
    }
}

fn view_of(hosted: &HostedLog) -> View {
    let replica = hosted.replica();
    View {
        leader_epoch: replica.leader_epoch(),
        log_start: replica.log_start(),
        high_watermark: replica.high_watermark(),
        failed: replica.is_failed(),
    }
}
