//! One replica of one partition: which batch gets which offset, what is a duplicate, what consumers
//! may see, and when a producer is told that its records are safe.
//!
//! The shell owns the log. It feeds `Append` for every batch that a producer sends (validated: the
//! checksum holds) and `Synced` when the log's bytes are on the disk, and carries out the actions in
//! their order. A `Write` is never undone: a shell whose write fails reports `LogFailed`, and from then
//! on the replica refuses everything until it is opened again, because what the disk holds is unknown.
//!
//! A replica's log end counts toward the high watermark when it is *synced*, its own included. So what
//! consumers see and what `acks=all` promises is on the disks of the in-sync replicas. A topic may relax
//! this by [`FlushRule`]: then what is written counts, and a power cut may take it.

mod flush;
mod isr;
mod producers;
mod snapshot;
#[cfg(test)]
mod tests;
mod waiting;

use kafka_wire::record_batch::BatchHeader;

pub use flush::FlushRule;
pub use isr::InSync;
pub use producers::{
    Duplicate, MAX_PRODUCERS, PRODUCER_EXPIRY_MS, ProducerState, Producers, REMEMBERED_BATCHES, SequenceError,
};
pub use snapshot::SnapshotError;

use crate::ids::{BrokerId, LeaderEpoch, Offset};
use flush::Flush;
use waiting::Waiting;

/// What a producer asked to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Not even an answer.
    None,
    /// The leader has written it (not synced).
    Leader,
    /// Synced on every in-sync replica, of which there are at least `min.insync.replicas`.
    All,
}

/// What a topic's settings say to its replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `min.insync.replicas`
    pub min_in_sync: usize,
    pub flush: FlushRule,
    /// `message.timestamp.type=LogAppendTime`
    pub log_append_time: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { min_in_sync: 1, flush: FlushRule::EVERY_TURN, log_append_time: false }
    }
}

/// Chosen by the shell; comes back in the answer.
pub type Token = u64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// One validated batch. `deadline_ms` bounds the wait of `Acks::All` and the batch itself is kept
    /// by the shell under its token.
    Append { token: Token, batch: BatchHeader, acks: Acks, deadline_ms: i64 },
    /// The end of a turn in which no sync was due: all below `end` is in the log, and the operating system
    /// will write it when it likes.
    Written { end: Offset },
    /// Everything below `end` is on this broker's disk.
    Synced { end: Offset },
    /// Retention or DeleteRecords have moved the log's start.
    LogStart { offset: Offset },
    /// The topic's settings have changed.
    Configure { rules: Rules },
    /// The topic is deleted.
    Deleted,
    /// A write or a sync failed.
    LogFailed,
    /// Time has passed.
    Tick,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Stamp the batch of this token with the offset and epoch, with the time if one is given, and append it
    /// to the log.
    Write { token: Token, base_offset: Offset, leader_epoch: LeaderEpoch, log_append_time_ms: Option<i64> },
    /// Answer the producer.
    Answer { token: Token, result: Result<Appended, AppendError> },
    /// Consumers may read up to here.
    HighWatermark { offset: Offset },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    pub log_start: Offset,
    /// Of the leader's clock, where the topic is to have it.
    pub log_append_time_ms: Option<i64>,
    /// Stored before, under these sequences.
    pub is_duplicate: bool,
    /// Stored before, under these sequences, with other bytes: see [`Duplicate`].
    pub other_bytes: bool,
}

/// DeleteRecords asks for an offset that is not below the high watermark, or not one at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("records can be deleted up to the high watermark {high_watermark}, not to {asked}")]
pub struct NotBelowHighWatermark {
    pub asked: i64,
    pub high_watermark: Offset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error("fewer in-sync replicas than min.insync.replicas")]
    NotEnoughReplicas,
    #[error("written, but not synced on enough replicas in the time given")]
    TimedOut,
    #[error("control batches are written by brokers, not by producers")]
    ControlBatch,
    #[error("transactions are not supported")]
    Transactional,
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error("the log failed; it must be opened again before it takes more")]
    LogFailed,
    #[error("the topic was deleted")]
    TopicDeleted,
}

#[derive(Debug)]
pub struct Replica {
    leader_epoch: LeaderEpoch,
    in_sync: InSync,
    log_start: Offset,
    /// The offset of the next batch.
    log_end: Offset,
    high_watermark: Offset,
    producers: Producers,
    waiting: Waiting,
    flush: Flush,
    log_append_time: bool,
    failed: bool,
}

/// What the log held when it was opened, all of it synced.
#[derive(Debug, Default)]
pub struct Opened {
    pub log_start: Offset,
    pub log_end: Offset,
    pub producers: Producers,
}

impl Replica {
    /// The leader of an epoch, over a log just opened.
    pub fn leader(
        me: BrokerId,
        leader_epoch: LeaderEpoch,
        in_sync: impl IntoIterator<Item = BrokerId>,
        rules: Rules,
        opened: Opened,
    ) -> Self {
        let mut replica = Self {
            leader_epoch,
            in_sync: InSync::new(me, in_sync, rules.min_in_sync),
            log_start: opened.log_start,
            log_end: opened.log_end,
            high_watermark: opened.log_start,
            producers: opened.producers,
            waiting: Waiting::default(),
            flush: Flush::new(rules.flush, opened.log_end),
            log_append_time: rules.log_append_time,
            failed: false,
        };
        replica.in_sync.synced(me, replica.log_end);
        replica.high_watermark = replica.in_sync.high_watermark().max(replica.high_watermark);
        replica
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub fn is_failed(&self) -> bool {
        self.failed
    }

    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// When the next `Tick` or sync is due, if at all.
    pub fn deadline_ms(&self) -> Option<i64> {
        [self.waiting.next_deadline_ms(), self.flush.deadline_ms()].into_iter().flatten().min()
    }

    /// Whether the turn is to end with a sync.
    pub fn is_sync_due(&self, now_ms: i64) -> bool {
        !self.failed && self.flush.is_due(self.log_end, now_ms)
    }

    /// The offset that DeleteRecords means: -1 is the high watermark.
    pub fn delete_before(&self, asked: i64) -> Result<Offset, NotBelowHighWatermark> {
        let high_watermark = self.high_watermark;
        match asked {
            -1 => Ok(high_watermark),
            0.. if asked <= high_watermark.0 => Ok(Offset(asked)),
            _ => Err(NotBelowHighWatermark { asked, high_watermark }),
        }
    }

    pub fn handle(&mut self, input: Input, now_ms: i64, actions: &mut Vec<Action>) {
        match input {
            Input::Append { token, batch, acks, deadline_ms } => {
                if let Err(error) = self.append(token, &batch, acks, deadline_ms, now_ms, actions) {
                    actions.push(Action::Answer { token, result: Err(error) });
                }
            }
            Input::Written { end } if self.flush.rule().is_relaxed() => self.counts(end, actions),
            Input::Written { .. } => {}
            Input::Synced { end } => {
                self.flush.synced(end, self.log_end);
                self.counts(end, actions);
            }
            Input::LogStart { offset } => self.log_start = offset.max(self.log_start),
            Input::Configure { rules } => {
                self.in_sync.set_min_in_sync(rules.min_in_sync);
                self.flush.set_rule(rules.flush);
                self.log_append_time = rules.log_append_time;
                self.advance_high_watermark(actions);
            }
            Input::Deleted => {
                self.failed = true;
                self.waiting.fail_all(AppendError::TopicDeleted, actions);
            }
            Input::LogFailed => {
                self.failed = true;
                self.waiting.fail_all(AppendError::LogFailed, actions);
            }
            Input::Tick => {
                self.waiting.expire(now_ms, actions);
                self.producers.expire(now_ms);
            }
        }
    }

    fn append(
        &mut self,
        token: Token,
        batch: &BatchHeader,
        acks: Acks,
        deadline_ms: i64,
        now_ms: i64,
        actions: &mut Vec<Action>,
    ) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::LogFailed);
        }
        if batch.is_control() {
            return Err(AppendError::ControlBatch);
        }
        if batch.is_transactional() {
            return Err(AppendError::Transactional);
        }
        if acks == Acks::All && !self.in_sync.enough() {
            return Err(AppendError::NotEnoughReplicas);
        }
        let stored_before = self.producers.check(batch)?;
        let base_offset = stored_before.map_or(self.log_end, |duplicate| duplicate.base_offset);
        let end = Offset(base_offset.0 + i64::from(batch.record_count));
        let stamp = |timestamp| self.log_append_time.then_some(timestamp);
        let log_append_time_ms = stamp(stored_before.map_or(now_ms, |duplicate| duplicate.timestamp));
        if stored_before.is_none() {
            let leader_epoch = self.leader_epoch;
            actions.push(Action::Write { token, base_offset, leader_epoch, log_append_time_ms });
            let max_timestamp = log_append_time_ms.unwrap_or(batch.max_timestamp);
            self.producers.remember(&BatchHeader { max_timestamp, ..*batch }, base_offset, now_ms);
            self.log_end = end;
            self.flush.written(now_ms);
        }
        // A duplicate may still wait for the sync of its first sending.
        let other_bytes = stored_before.is_some_and(|duplicate| !duplicate.same_bytes);
        let is_duplicate = stored_before.is_some();
        let log_start = self.log_start;
        let appended = Appended { base_offset, log_start, log_append_time_ms, is_duplicate, other_bytes };
        if acks == Acks::All && self.high_watermark < end {
            self.waiting.push(end, token, appended, deadline_ms);
        } else {
            actions.push(Action::Answer { token, result: Ok(appended) });
        }
        Ok(())
    }

    /// All below `end` is as safe here as the topic wants it.
    fn counts(&mut self, end: Offset, actions: &mut Vec<Action>) {
        assert!(end <= self.log_end, "{end} counts, but only {} was written", self.log_end);
        let me = self.in_sync.me();
        self.in_sync.synced(me, end);
        self.advance_high_watermark(actions);
    }

    fn advance_high_watermark(&mut self, actions: &mut Vec<Action>) {
        let candidate = self.in_sync.high_watermark();
        if candidate <= self.high_watermark {
            return;
        }
        self.high_watermark = candidate;
        actions.push(Action::HighWatermark { offset: candidate });
        self.waiting.release(candidate, actions);
    }
}
