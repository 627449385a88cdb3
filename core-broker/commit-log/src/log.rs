//! The writer's side of one partition's log. One owner appends; any number of readers read beside it.

mod compacting;
mod expiry;
mod snapshots;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kafka_wire::record_batch::batches;

pub use expiry::RemovedSegment;

use crate::{
    LogConfig, LogReader, MAX_SEGMENT_BYTES, Recovered,
    clean_shutdown::{self, Closed, Mark},
    compaction::Checkpoint,
    disk::{Disk, DiskFile},
    epochs::Epochs,
    error::{LogError, ReadError, doing},
    folder::Folder,
    log_start,
    recovery::{self, Restored},
    scan::{Chain, Halt},
    segment::{self, Active, MAX_SEGMENT_OFFSETS, Sealed, log_name},
    snapshot,
};

pub struct Log<D: Disk> {
    shared: Arc<Shared<D>>,
    config: LogConfig,
    /// All before this offset is on disk, and so are the first `flushed_bytes` of the active segment.
    flushed_end: i64,
    flushed_bytes: u64,
    epochs_saved: Option<Epochs>,
    /// The mark of a clean shutdown is still on the disk: nothing was written since.
    marked: bool,
    /// Set once, cleared by opening the log again.
    stopped: Option<Stopped>,
}

/// Writes are refused.
struct Stopped {
    reason: String,
    /// Nothing but room is missing: all that is known of the files holds, and whole segments can go.
    by_full_disk: bool,
}

/// What the writer tells the readers. Only the writer changes it, and holds the lock over no disk access but
/// a cut.
pub(crate) struct Shared<D: Disk> {
    pub disk: D,
    pub dir: PathBuf,
    pub folder: Arc<Folder>,
    state: RwLock<State<D::File>>,
}

pub(crate) struct State<F> {
    /// In order of offsets, without a gap.
    pub sealed: Vec<Arc<Sealed<F>>>,
    pub active: Active<F>,
    pub epochs: Epochs,
    /// Where DeleteRecords has moved it; the first segment may begin later.
    log_start: i64,
    pub log_end: i64,
    pub cleaner: Checkpoint,
    /// How often the log was cut back. A read that sees it change may have read what was written anew.
    pub cuts: u64,
}

/// One segment, for retention and for telling sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    pub base_offset: i64,
    pub end_offset: i64,
    pub bytes: u64,
    /// Of the first batch, the largest, in ms: how old the segment is. `None` if the segment is empty.
    pub first_timestamp: Option<i64>,
    /// In ms; `None` if the segment is empty.
    pub max_timestamp: Option<i64>,
}

impl<D: Disk> Log<D> {
    /// Opens the log in `dir` or makes one. What a crash tore off is cut, and told in [`Recovered`].
    pub fn open(disk: D, dir: &Path, config: LogConfig) -> Result<(Log<D>, Recovered), LogError> {
        let config = LogConfig { segment_bytes: config.segment_bytes.clamp(1, MAX_SEGMENT_BYTES), ..config };
        let Restored {
            sealed,
            active,
            epochs,
            log_start,
            log_end,
            cleaner,
            clean_shutdown,
            marked,
            truncated_bytes,
            corruption,
        } = recovery::restore(&disk, dir, &config)?;
        let flushed_bytes = active.bytes;
        let state = State { sealed, active, epochs, log_start, log_end, cleaner, cuts: 0 };
        let log_start = state.log_start();
        let recovered = Recovered { log_start, log_end, clean_shutdown, truncated_bytes, corruption };
        let state = RwLock::new(state);
        let shared = Arc::new(Shared { disk, dir: dir.to_owned(), folder: Arc::new(Folder::new()), state });
        let log = Log {
            shared,
            config,
            flushed_end: log_end,
            flushed_bytes,
            epochs_saved: None,
            marked,
            stopped: None,
        };
        Ok((log, recovered))
    }

    /// Appends one or more whole batches whose offsets follow on the log's end. They are readable at once and
    /// durable after [`sync`](Log::sync). Checksums are the caller's to check.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        self.refuse_if_stopped()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let next_offset = self.check(bytes)?;
        self.begin_write()?;
        let roll = {
            let state = self.shared.read();
            let Active { base, bytes: filled, .. } = state.active;
            let fits = filled + bytes.len() as u64 <= self.config.segment_bytes
                && next_offset - base <= MAX_SEGMENT_OFFSETS;
            !fits && filled > 0
        };
        if roll {
            self.roll()?;
        }
        let (file, position) = {
            let state = self.shared.read();
            (Arc::clone(&state.active.file), state.active.bytes)
        };
        if let Err(error) = file.write_at(bytes, position) {
            let failed = self.io("writing", error);
            // A torn batch must not stay behind: a later append would not be found after it.
            self.stop(&failed, None);
            return Err(failed);
        }
        let mut state = self.shared.write();
        let State { active, epochs, log_end, .. } = &mut *state;
        for (header, _) in batches(bytes).flatten() {
            epochs.note(header.partition_leader_epoch, header.base_offset);
            active.note(&header, self.config.index_interval_bytes);
        }
        *log_end = next_offset;
        Ok(())
    }

    /// Makes all that was appended durable; returns the offset before which everything is on disk.
    pub fn sync(&mut self) -> Result<i64, LogError> {
        self.refuse_if_stopped()?;
        let (file, bytes, log_end) = {
            let state = self.shared.read();
            (Arc::clone(&state.active.file), state.active.bytes, state.log_end)
        };
        if self.flushed_end == log_end {
            return Ok(log_end);
        }
        if let Err(error) = file.sync_data() {
            let failed = self.io("syncing", error);
            // The kernel may have dropped the pages and still show the bytes. Whoever opens the log next must
            // not take them for durable.
            self.stop(&failed, Some((self.flushed_end, self.flushed_bytes)));
            return Err(failed);
        }
        (self.flushed_end, self.flushed_bytes) = (log_end, bytes);
        Ok(log_end)
    }

    /// The first offset in the log.
    pub fn log_start(&self) -> i64 {
        self.shared.read().log_start()
    }

    /// The offset the next record gets.
    pub fn log_end(&self) -> i64 {
        self.shared.read().log_end
    }

    /// Refuses a log with an epoch that no leader can have had yet: it would refuse every append of this one.
    /// An epoch is outside its batch's checksum.
    pub fn check_led_until(&self, leader_epoch: i32) -> Result<(), LogError> {
        let state = self.shared.read();
        let (Some(epoch), Some(offset)) = (state.epochs.latest(), state.epochs.latest_start()) else {
            return Ok(());
        };
        if epoch <= leader_epoch {
            return Ok(());
        }
        let bases = state.sealed.iter().map(|segment| segment.base).chain([state.active.base]);
        let file = log_name(bases.take_while(|base| *base <= offset).last().unwrap_or(state.active.base));
        let dir = self.shared.dir.clone();
        Err(LogError::EpochAhead { dir, file, offset, epoch, leader_epoch })
    }

    /// All before this offset is on disk.
    pub fn flushed_end(&self) -> i64 {
        self.flushed_end
    }

    pub fn reader(&self) -> LogReader<D> {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// From the oldest to the active one, which is always there.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let state = self.shared.read();
        let active = state.active_info();
        let sealed = state.sealed.iter().map(|segment| SegmentInfo {
            base_offset: segment.base,
            end_offset: segment.end,
            bytes: segment.bytes,
            first_timestamp: segment.first_timestamp,
            max_timestamp: segment.max_timestamp,
        });
        sealed.chain([active]).collect()
    }

    /// The one that is appended to.
    pub fn active_segment(&self) -> SegmentInfo {
        self.shared.read().active_info()
    }

    /// The topic's settings were changed; takes effect with the next append.
    pub fn set_sizes(&mut self, segment_bytes: u64, index_interval_bytes: u32) {
        self.config.segment_bytes = segment_bytes.clamp(1, MAX_SEGMENT_BYTES);
        self.config.index_interval_bytes = index_interval_bytes;
    }

    /// Refuses all writes: something failed.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Refuses writes, and takes removals: they are what makes room. Not so when the files are half changed.
    pub fn is_stopped_by_full_disk(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| stopped.by_full_disk)
    }

    /// Seals the active segment, unless it is empty, and begins the next one.
    pub fn roll(&mut self) -> Result<(), LogError> {
        self.refuse_if_stopped()?;
        if self.shared.read().active.bytes == 0 {
            return Ok(());
        }
        self.begin_write()?;
        // In this order: when the next segment is found after a crash, all of this one is on disk.
        self.sync()?;
        let rolled = self.seal_and_begin();
        self.stop_if_failed(rolled)
    }

    /// Syncs, writes the indexes and leaves the mark that makes the next opening fast.
    pub fn close(mut self) -> Result<(), LogError> {
        self.sync()?;
        if self.marked {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let Shared { disk, dir, .. } = &*shared;
        let rows = shared.read().active.index_rows();
        rows.write(disk, dir)?;
        self.save_epochs()?;
        let cleaner = Some(shared.read().cleaner);
        let closed = |segment: SegmentInfo| {
            let SegmentInfo { base_offset: base, end_offset: end, bytes, .. } = segment;
            Closed { base, end, bytes }
        };
        let segments = self.segments().into_iter().map(closed).collect();
        Mark { log_end: self.flushed_end, cleaner, segments }.save(disk, dir)
    }

    /// The folder goes to another log, or is renamed and makes room for one of its name. A compaction on its way
    /// comes to its end, and makes no file there when this has returned.
    pub fn leave_folder(&self) {
        self.shared.folder.leave();
    }

    /// Drops the batch that holds `offset` and all after it; returns the new log end. For a follower that has
    /// parted from its leader. Durable when it returns.
    pub fn truncate_to(&mut self, offset: i64) -> Result<i64, LogError> {
        self.refuse_if_stopped()?;
        let (log_start, log_end) = (self.log_start(), self.log_end());
        if !(log_start..=log_end).contains(&offset) {
            return Err(LogError::CutOutOfRange { offset, log_start, log_end });
        }
        if offset == log_end {
            return Ok(log_end);
        }
        self.begin_write()?;
        let (offset, position) = self.reader().batch_at(offset)?;
        if offset < log_start {
            self.restart_at(log_start)?;
            return Ok(log_start);
        }
        // A snapshot must not outlive the batches it tells of: others will stand there.
        let removed = snapshot::remove_above(&self.shared.disk, &self.shared.dir, offset);
        self.stop_if_failed(removed)?;
        let cut = self.reopen_segment_with(offset).and_then(|()| self.cut_active(offset, position));
        self.stop_if_failed(cut)?;
        // The cut synced the file: what is left of it is on disk.
        (self.flushed_end, self.flushed_bytes) = (offset, position);
        let forgotten = self.forget_compaction_from(offset);
        self.stop_if_failed(forgotten)?;
        Ok(offset)
    }

    /// Drops everything and goes on at `offset`: for a follower whose leader has nothing older. Durable when
    /// it returns; the log never starts before `offset` again.
    pub fn restart_at(&mut self, offset: i64) -> Result<(), LogError> {
        self.refuse_if_stopped()?;
        let log_start = self.log_start();
        if offset < log_start {
            return Err(LogError::CutOutOfRange { offset, log_start, log_end: self.log_end() });
        }
        self.begin_write()?;
        let restarted = self.start_over(offset);
        self.stop_if_failed(restarted)
    }

    /// Whole batches, each following on the one before and the first on the log's end; returns the offset
    /// after them.
    fn check(&self, bytes: &[u8]) -> Result<i64, LogError> {
        let mut chain = {
            let state = self.shared.read();
            let epoch = state.epochs.latest().unwrap_or(i32::MIN);
            Chain { epoch, ..Chain::from(state.log_end, i64::MIN) }
        };
        let first = chain.next_offset;
        for batch in batches(bytes) {
            chain.accept(&batch?.0)?;
        }
        let offsets = chain.next_offset - first;
        if bytes.len() as u64 > MAX_SEGMENT_BYTES || offsets > MAX_SEGMENT_OFFSETS {
            return Err(LogError::TooLarge { bytes: bytes.len(), offsets });
        }
        Ok(chain.next_offset)
    }

    fn seal_and_begin(&mut self) -> Result<(), LogError> {
        let shared = Arc::clone(&self.shared);
        let Shared { disk, dir, .. } = &*shared;
        let rows = shared.read().active.index_rows();
        let (offsets, times) = rows.write(disk, dir)?;
        self.save_epochs()?;
        let next = recovery::begin_segment(disk, dir, self.flushed_end)?;
        let mut state = shared.write();
        let sealed = std::mem::replace(&mut state.active, next).seal(self.flushed_end, offsets, times);
        state.sealed.push(Arc::new(sealed));
        self.flushed_bytes = 0;
        Ok(())
    }

    fn save_epochs(&mut self) -> Result<(), LogError> {
        let epochs = self.shared.read().epochs.clone();
        if self.epochs_saved.as_ref() != Some(&epochs) {
            epochs.save(&self.shared.disk, &self.shared.dir)?;
            self.epochs_saved = Some(epochs);
        }
        Ok(())
    }

    /// Makes the segment that holds `offset` the active one and removes those after it.
    fn reopen_segment_with(&mut self, offset: i64) -> Result<(), LogError> {
        let shared = Arc::clone(&self.shared);
        let Shared { disk, dir, .. } = &*shared;
        loop {
            let (last, removed) = {
                let state = shared.read();
                if state.active.base <= offset {
                    return Ok(());
                }
                let Some(last) = state.sealed.last() else { return Ok(()) };
                (Arc::clone(last), state.active.base)
            };
            let interval = self.config.index_interval_bytes;
            let gaps_before = shared.read().cleaner.gaps_before;
            let reopened = Active::load(disk, dir, last.base, last.end, interval, gaps_before)?;
            let reopened = reopened.ok_or_else(|| ReadError::Corrupt {
                file: log_name(last.base),
                position: last.bytes,
                reason: "its indexes do not lead to its end".to_owned(),
            })?;
            // From the last back: a crash between leaves a log without a hole.
            segment::remove(disk, dir, removed).map_err(doing("removing", &dir.join(log_name(removed))))?;
            (self.flushed_end, self.flushed_bytes) = (last.end, last.bytes); // it was sealed
            let mut state = shared.write();
            state.sealed.pop();
            state.active = reopened;
            state.log_end = last.end;
            state.epochs.cut_from(last.end);
        }
    }

    /// Ends the active segment at byte `position`, where `offset` begins.
    fn cut_active(&self, offset: i64, position: u64) -> Result<(), LogError> {
        let mut state = self.shared.write();
        let path = self.shared.dir.join(log_name(state.active.base));
        state.cuts += 1;
        state.active.file.truncate(position).map_err(doing("cutting", &path))?;
        state.log_end = offset;
        state.epochs.cut_from(offset);
        let gaps_before = state.cleaner.gaps_before;
        let cut = state.active.cut(offset, position, self.config.index_interval_bytes, gaps_before);
        cut.map_err(|halt| match halt {
            Halt::Io(error) => doing("reading", &path)(error),
            Halt::Bad { position, reason } => {
                LogError::Read(ReadError::Corrupt { file: path.display().to_string(), position, reason })
            }
        })
    }

    fn start_over(&mut self, offset: i64) -> Result<(), LogError> {
        let shared = Arc::clone(&self.shared);
        let Shared { disk, dir, .. } = &*shared;
        // They tell of batches of which none will be left. Without them a log opens as well.
        snapshot::remove_above(disk, dir, i64::MIN)?;
        // Before the rest: by this, opening finishes what a crash leaves half done.
        log_start::save(disk, dir, offset)?;
        let segments: Vec<i64> = {
            let state = shared.read();
            state.sealed.iter().map(|segment| segment.base).chain([state.active.base]).collect()
        };
        let active = recovery::start_over(disk, dir, segments.into_iter(), offset)?;
        {
            let mut state = shared.write();
            state.sealed.clear();
            state.active = active;
            state.epochs = Epochs::default();
            (state.log_start, state.log_end) = (offset, offset);
            state.cuts += 1;
        }
        (self.flushed_end, self.flushed_bytes) = (offset, 0);
        self.forget_compaction_from(offset)
    }

    /// Before anything that changes the log's files.
    fn begin_write(&mut self) -> Result<(), LogError> {
        self.refuse_if_stopped()?;
        self.remove_mark()
    }

    /// Before whole segments go.
    fn begin_removal(&mut self) -> Result<(), LogError> {
        if !self.is_stopped_by_full_disk() {
            self.refuse_if_stopped()?;
        }
        self.remove_mark()
    }

    fn remove_mark(&mut self) -> Result<(), LogError> {
        if self.marked {
            let removed = clean_shutdown::remove(&self.shared.disk, &self.shared.dir);
            self.stop_if_failed(removed)?;
            self.marked = false;
        }
        Ok(())
    }

    fn refuse_if_stopped(&self) -> Result<(), LogError> {
        match &self.stopped {
            Some(Stopped { reason, .. }) => {
                Err(LogError::Stopped { dir: self.shared.dir.clone(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    fn stop_if_failed<T>(&mut self, result: Result<T, LogError>) -> Result<T, LogError> {
        if let Err(failed) = &result {
            self.refuse_writes(failed.to_string(), failed.is_disk_full());
        }
        result
    }

    /// Takes no more writes, and cuts the active file back to `good`, or to what is known of it.
    fn stop(&mut self, failed: &LogError, good: Option<(i64, u64)>) {
        let (offset, position) = good.unwrap_or_else(|| {
            let state = self.shared.read();
            (state.log_end, state.active.bytes)
        });
        let (mut reason, mut by_full_disk) = (failed.to_string(), failed.is_disk_full());
        if let Err(error) = self.cut_active(offset, position) {
            reason = format!("{reason}; then {error}");
            by_full_disk = false;
        }
        self.refuse_writes(reason, by_full_disk);
    }

    /// The first reason is the one that is told. One that is more than a full disk leaves nothing to be done.
    fn refuse_writes(&mut self, reason: String, by_full_disk: bool) {
        let stopped = self.stopped.get_or_insert(Stopped { reason, by_full_disk });
        stopped.by_full_disk &= by_full_disk;
    }

    fn io(&self, action: &'static str, source: std::io::Error) -> LogError {
        let base = self.shared.read().active.base;
        doing(action, &self.shared.dir.join(log_name(base)))(source)
    }
}

impl<D: Disk> Shared<D> {
    pub fn read(&self) -> RwLockReadGuard<'_, State<D::File>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, State<D::File>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> State<F> {
    fn active_info(&self) -> SegmentInfo {
        SegmentInfo {
            base_offset: self.active.base,
            end_offset: self.log_end,
            bytes: self.active.bytes,
            first_timestamp: self.active.first_timestamp,
            max_timestamp: self.active.max_timestamp.map(|max| max.timestamp),
        }
    }

    pub fn log_start(&self) -> i64 {
        let first = self.sealed.first().map_or(self.active.base, |first| first.base);
        first.max(self.log_start)
    }
}
