//! Compaction as the owner of the log takes part in it: says what is due, and puts in place what the cleaner
//! made of it.

use commit_log::{
    Compaction, CompactionConfig, CompactionOrder, Disk, LogError, RewrittenSegment, cleanable_ratio,
    compaction_due,
};
use kafka_wire::record_batch;

use super::{Answers, Hosted};

/// Of keys, at some 60 bytes each while a compaction runs: 60 MB. With more keys it takes more than one.
const MAX_KEYS: usize = 1_000_000;

/// No batch that was taken is larger when it is decompressed.
const MAX_DECOMPRESSED_BYTES: usize = 128 << 20;

impl<D: Disk, W> Hosted<D, W> {
    /// The share of the log that is not compacted yet, if it is time to compact it.
    pub fn dirty_ratio(&self, now_ms: i64) -> Option<f64> {
        let end = self.compaction_end(now_ms)?;
        Some(cleanable_ratio(&self.log.segments(), self.log.cleaned_to(), end))
    }

    /// Below this offset each key stands once.
    pub fn cleaned_to(&self) -> i64 {
        self.log.cleaned_to()
    }

    /// To be rewritten on another thread. `None` if it is not due.
    pub fn begin_compaction(
        &mut self,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<Option<Compaction<D>>, LogError> {
        let Some(end) = self.compaction_end(now_ms) else { return Ok(None) };
        if self.snapshot_at() < end {
            // What the batches say of their producers must outlive them.
            let kept = self.keep_snapshot();
            self.stopped_by(kept, now_ms, answers)?;
        }
        Ok(Some(self.log.begin_compaction(CompactionOrder {
            end,
            now_ms,
            delete_retention_ms: self.open.settings.delete_retention_ms,
            max_keys: MAX_KEYS,
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
            producers: self.replica.producers().last_offsets(),
            aborted: Vec::new(),
            compress: record_batch::compress,
        })))
    }

    /// `false`: the segments it was made of are gone meanwhile.
    pub fn install(
        &mut self,
        rewritten: RewrittenSegment<D>,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<bool, LogError> {
        let installed = self.log.install(rewritten);
        self.stopped_by(installed, now_ms, answers)
    }

    /// Returns the offset below which each key stands once; `None` if the log was opened again meanwhile.
    pub fn finish_compaction(
        &mut self,
        compaction: Compaction<D>,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<Option<i64>, LogError> {
        let finished = self.log.finish_compaction(compaction);
        self.stopped_by(finished, now_ms, answers)
    }

    fn compaction_end(&self, now_ms: i64) -> Option<i64> {
        let settings = &self.open.settings;
        if !settings.cleanup_policy.compact || self.log.is_stopped() {
            return None;
        }
        let config = CompactionConfig {
            min_cleanable_ratio: settings.min_cleanable_dirty_ratio,
            min_lag_ms: settings.min_compaction_lag_ms,
            max_lag_ms: settings.max_compaction_lag_ms,
        };
        let high_watermark = self.replica.high_watermark().0;
        compaction_due(&self.log.segments(), self.log.cleaned_to(), &config, high_watermark, now_ms)
    }

    fn stopped_by<T>(
        &mut self,
        result: Result<T, LogError>,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<T, LogError> {
        match result {
            Err(error) if self.log.is_stopped() => {
                let reason = LogError::Stopped { dir: self.open.folder.clone(), reason: error.to_string() };
                self.fail(error, now_ms, answers);
                Err(reason)
            }
            result => result,
        }
    }
}
