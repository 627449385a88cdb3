//! What a log needs beside appends: segments begun by age, old ones deleted, snapshots of the producers.

use std::hash::{DefaultHasher, Hash, Hasher};

use broker_logic::{
    cluster::TimestampType,
    ids::Offset,
    replica::{Input, NotBelowHighWatermark},
};
use commit_log::{Disk, LogError, RemovedSegment, Retention, is_roll_due};
use kafka_wire::record_batch::BatchHeader;

use super::{Answers, Hosted};

#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    #[error(transparent)]
    OutOfRange(#[from] NotBelowHighWatermark),
    #[error(transparent)]
    Log(LogError),
    #[error("the log failed; it must be opened again before it takes more")]
    LogFailed,
}

/// What is remembered for the upkeep.
pub(super) struct Kept {
    /// What all batches below say of their producers is in a file.
    snapshot_at: i64,
    /// The first offset of the active segment, and since when there is that segment, or this process.
    active_base: i64,
    active_since_ms: i64,
}

impl Kept {
    pub fn new(snapshot_at: i64, active_base: i64, now_ms: i64) -> Self {
        Self { snapshot_at, active_base, active_since_ms: now_ms }
    }
}

impl<D: Disk, W> Hosted<D, W> {
    /// One step of retention: to be called again as long as a segment was removed.
    pub fn upkeep(&mut self, now_ms: i64, answers: &mut Answers<W>) -> Option<RemovedSegment<D>> {
        self.tick(now_ms, answers);
        let done = if self.log.is_stopped_by_full_disk() {
            self.make_room(now_ms, answers)
        } else if self.log.is_stopped() {
            Ok(None)
        } else {
            self.roll_if_due(now_ms, answers).and_then(|()| self.expire_oldest(now_ms, answers))
        };
        match done {
            Ok(removed) => removed,
            Err(error) => {
                self.complain(error, now_ms, answers);
                None
            }
        }
    }

    fn roll_if_due(&mut self, now_ms: i64, answers: &mut Answers<W>) -> Result<(), LogError> {
        let active = self.log.active_segment();
        // By both clocks: records that come late are old from the first day.
        let aged = now_ms.saturating_sub(self.kept.active_since_ms) > self.segment_ms();
        if aged && is_roll_due(&active, self.segment_ms(), now_ms) {
            self.log.roll()?;
            self.keep_snapshot_of_rolled(now_ms, answers);
        }
        Ok(())
    }

    fn expire_oldest(
        &mut self,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<Option<RemovedSegment<D>>, LogError> {
        let retention = self.retention();
        if retention == Retention::default() {
            return Ok(None);
        }
        if self.kept.snapshot_at < self.active_base() {
            // What the batches say of their producers must outlive them; but on a full disk room comes first.
            match self.keep_snapshot() {
                Err(error) if error.is_disk_full() && !self.log.is_stopped() => self.complaint = Some(error),
                kept => kept?,
            }
        }
        let high_watermark = self.replica.high_watermark().0;
        let removed = self.log.expire_oldest(&retention, high_watermark, now_ms)?;
        if removed.is_some() {
            // The last one may have been sealed for it.
            self.keep_snapshot_of_rolled(now_ms, answers);
            self.log_start_moved(now_ms, answers);
        }
        Ok(removed)
    }

    /// Of a log that a full disk has stopped: room that nobody else may make. No snapshot can be written, so
    /// what none tells of stays until the log is opened again.
    fn make_room(
        &mut self,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<Option<RemovedSegment<D>>, LogError> {
        let end = self.replica.high_watermark().0.min(self.kept.snapshot_at);
        let removed = self.log.expire_oldest(&self.retention(), end, now_ms)?;
        if removed.is_some() {
            self.log_start_moved(now_ms, answers);
        }
        Ok(removed)
    }

    /// DeleteRecords: nothing before the offset is there any more; returns where the log starts. A log that a
    /// full disk has stopped lets go of what it can, and fails if that is not all.
    pub fn delete_records(
        &mut self,
        asked: i64,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<Offset, DeleteRecordsError> {
        let before = self.replica.delete_before(asked)?;
        let is_full = self.log.is_stopped_by_full_disk();
        let told = if is_full { before.0.min(self.kept.snapshot_at) } else { before.0 };
        let kept = if told > self.kept.snapshot_at { self.keep_snapshot() } else { Ok(()) };
        let deleted = kept.and_then(|()| self.log.advance_log_start(told));
        self.log_start_moved(now_ms, answers);
        match deleted {
            Ok(log_start) if log_start < before.0 => Err(DeleteRecordsError::LogFailed),
            Ok(log_start) => Ok(Offset(log_start)),
            Err(error) if self.log.is_stopped() => {
                self.fail(error, now_ms, answers);
                Err(DeleteRecordsError::LogFailed)
            }
            Err(error) => Err(DeleteRecordsError::Log(error)),
        }
    }

    /// Where the segment begins that is appended to.
    pub fn active_base(&self) -> i64 {
        self.log.active_segment().base_offset
    }

    /// Seals a segment that is too old for the batch that comes.
    pub(super) fn roll_if_aged(&mut self, header: &BatchHeader, now_ms: i64, answers: &mut Answers<W>) {
        let active = self.log.active_segment();
        // By the time in the batches: a week of backlog is not a segment each.
        let time_ms = match self.open.settings.message_timestamp_type {
            TimestampType::CreateTime => header.max_timestamp,
            TimestampType::LogAppendTime => now_ms,
        };
        if is_roll_due(&active, self.segment_ms(), time_ms)
            && let Err(error) = self.log.roll()
        {
            self.fail(error, now_ms, answers);
        }
    }

    /// After a segment was sealed: from here on an opening need not read it for its producers.
    pub(super) fn keep_snapshot_of_rolled(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        let base = self.active_base();
        if base == self.kept.active_base || self.log.is_stopped() {
            return;
        }
        (self.kept.active_base, self.kept.active_since_ms) = (base, now_ms);
        match self.keep_snapshot() {
            Ok(()) => {
                // Writing it has synced the log.
                let end = Offset(self.log.flushed_end());
                self.handle(Input::Synced { end }, &[], now_ms, answers);
            }
            Err(error) => self.complain(error, now_ms, answers),
        }
    }

    /// At the log's end; the replica has seen all that is written.
    pub(super) fn keep_snapshot(&mut self) -> Result<(), LogError> {
        let log_end = self.log.log_end();
        if self.kept.snapshot_at < log_end {
            self.log.write_snapshot(log_end, &self.replica.producers().encode())?;
            self.kept.snapshot_at = log_end;
        }
        Ok(())
    }

    /// Below this offset the producers' state is safe without its batches.
    pub(super) fn snapshot_at(&self) -> i64 {
        self.kept.snapshot_at
    }

    fn log_start_moved(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        let offset = Offset(self.log.log_start());
        self.handle(Input::LogStart { offset }, &[], now_ms, answers);
    }

    /// Of a compacted topic records must not wait in the active segment for longer than they may wait to be
    /// compacted.
    fn segment_ms(&self) -> i64 {
        let settings = &self.open.settings;
        let compacted = settings.cleanup_policy.compact;
        let most = if compacted { settings.max_compaction_lag_ms } else { i64::MAX };
        let segment_ms = settings.segment_ms.min(most);
        // So that partitions that were begun together do not end a segment together.
        match settings.segment_jitter_ms.min(segment_ms) {
            0 => segment_ms,
            jitter_ms => {
                let mut hasher = DefaultHasher::new();
                (&self.open.id, self.kept.active_base).hash(&mut hasher);
                segment_ms - (hasher.finish() % jitter_ms as u64) as i64
            }
        }
    }

    /// A topic that is only compacted keeps the last record of each key for ever.
    fn retention(&self) -> Retention {
        let settings = &self.open.settings;
        if !settings.cleanup_policy.delete {
            return Retention::default();
        }
        Retention { max_age_ms: settings.retention_ms, max_bytes: settings.retention_bytes }
    }
}
