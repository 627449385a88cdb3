//! One replica of one partition: which batch gets which offset, what is a duplicate, what consumers
//! may see, and when a producer is told that its records are safe.
//!
//! The shell owns the log. It feeds `Append` for every batch that a producer sends (validated: the
//! checksum holds) and `Synced` when the log's bytes are on the disk, and carries out the actions in
//! their order. A `Write` is never undone: a shell whose write fails reports `LogFailed`, and from then
//! on the replica refuses everything until it is opened again, because what the disk holds is unknown.
//!
//! A replica's log end counts toward the high watermark when it is *synced*, its own included. So what
//! consumers see and what `acks=all` promises is on the disks of the in-sync replicas.

mod isr;
mod producers;
#[cfg(test)]
mod tests;
mod waiting;

use kafka_wire::record_batch::BatchHeader;

pub use isr::InSync;
pub use producers::{
    Duplicate, MAX_PRODUCERS, PRODUCER_EXPIRY_MS, Producers, REMEMBERED_BATCHES, SequenceError,
};

use crate::ids::{BrokerId, LeaderEpoch, Offset};
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

/// Chosen by the shell; comes back in the answer.
pub type Token = u64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// One validated batch. `deadline_ms` bounds the wait of `Acks::All` and the batch itself is kept
    /// by the shell under its token.
    Append { token: Token, batch: BatchHeader, acks: Acks, deadline_ms: i64 },
    /// Everything below `end` is on this broker's disk.
    Synced { end: Offset },
    /// A write or a sync failed.
    LogFailed,
    /// Time has passed.
    Tick,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Stamp the batch of this token with the offset and epoch and append it to the log.
    Write { token: Token, base_offset: Offset, leader_epoch: LeaderEpoch },
    /// Answer the producer.
    Answer { token: Token, result: Result<Appended, AppendError> },
    /// Consumers may read up to here.
    HighWatermark { offset: Offset },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    pub log_start: Offset,
    /// Stored before, under these sequences, with other bytes: see [`Duplicate`].
    pub other_bytes: bool,
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
    pub fn leader(me: BrokerId, leader_epoch: LeaderEpoch, in_sync: InSync, opened: Opened) -> Self {
        let mut replica = Self {
            leader_epoch,
            in_sync,
            log_start: opened.log_start,
            log_end: opened.log_end,
            high_watermark: opened.log_start,
            producers: opened.producers,
            waiting: Waiting::default(),
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

    /// When the next `Tick` is due, if at all.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.waiting.next_deadline_ms()
    }

    pub fn handle(&mut self, input: Input, now_ms: i64, actions: &mut Vec<Action>) {
        match input {
            Input::Append { token, batch, acks, deadline_ms } => {
                if let Err(error) = self.append(token, &batch, acks, deadline_ms, now_ms, actions) {
                    actions.push(Action::Answer { token, result: Err(error) });
                }
            }
            Input::Synced { end } => self.synced(end, actions),
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
        if stored_before.is_none() {
            actions.push(Action::Write { token, base_offset, leader_epoch: self.leader_epoch });
            self.producers.remember(batch, base_offset, now_ms);
            self.log_end = end;
        }
        // A duplicate may still wait for the sync of its first sending.
        let other_bytes = stored_before.is_some_and(|duplicate| !duplicate.same_bytes);
        let appended = Appended { base_offset, log_start: self.log_start, other_bytes };
        if acks == Acks::All && self.high_watermark < end {
            self.waiting.push(end, token, appended, deadline_ms);
        } else {
            actions.push(Action::Answer { token, result: Ok(appended) });
        }
        Ok(())
    }

    fn synced(&mut self, end: Offset, actions: &mut Vec<Action>) {
        assert!(end <= self.log_end, "synced {end}, but only {} was written", self.log_end);
        let me = self.in_sync.me();
        self.in_sync.synced(me, end);
        let candidate = self.in_sync.high_watermark();
        if candidate <= self.high_watermark {
            return;
        }
        self.high_watermark = candidate;
        actions.push(Action::HighWatermark { offset: candidate });
        self.waiting.release(candidate, actions);
    }
}
