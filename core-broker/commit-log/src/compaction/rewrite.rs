//! The long part of a compaction: reads segments and writes their successors. Changes nothing of the log.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use kafka_wire::record_batch::{BatchError, BatchHeader, Compression, Record, decode_records};

use super::{keys::Keys, rebuild, writer::Writer};
use crate::{
    disk::Disk,
    error::{LogError, ReadError, doing},
    folder::Folder,
    scan::{Chain, Found, Halt, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{Active, MAX_SEGMENT_OFFSETS, Sealed, accept, log_name},
    small_file::UNFINISHED,
};

/// Compresses a section of records, for batches that must be made anew with the codec they had.
pub type Compress = fn(Compression, Bytes) -> Result<Bytes, BatchError>;

/// Told how many bytes were read, after each batch; may wait, so that others get at the disk.
pub type Pace = Box<dyn Fn(u64) + Send>;

/// What one compaction is told by those who know.
#[derive(Debug, Clone)]
pub struct CompactionOrder {
    /// As [`compaction_due`](crate::compaction_due) says; no segment that reaches beyond it is touched.
    pub end: i64,
    pub now_ms: i64,
    /// `delete.retention.ms`: how long a tombstone stays after it was compacted first.
    pub delete_retention_ms: i64,
    /// The memory for keys, at some 60 bytes each. If there are more, the compaction ends early and the next
    /// one goes on from there.
    pub max_keys: usize,
    /// No batch may be larger when its records are decompressed.
    pub max_decompressed_bytes: usize,
    /// The producers that are still known, and the last offset of the last batch of each: that batch stays,
    /// empty if need be, so that the sequence it ends with is found after a restart.
    pub producers: BTreeMap<i64, i64>,
    /// Transactions that did not happen: their records go.
    pub aborted: Vec<Aborted>,
    pub compress: Compress,
}

/// What a producer wrote between two offsets is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted {
    pub producer_id: i64,
    pub first_offset: i64,
    pub last_offset: i64,
}

/// A compaction on its way. One at a time for a folder.
pub struct Compaction<D: Disk> {
    task: Task<D>,
    pass: Option<Pass>,
    /// How many segments are done.
    done: usize,
    /// Those that were rewritten, and so should be in the log no longer when the compaction is finished.
    replaced: Vec<Arc<Sealed<D::File>>>,
    exhausted: bool,
}

/// What the log gives a compaction to work on.
pub(crate) struct Task<D: Disk> {
    pub disk: D,
    pub dir: PathBuf,
    pub folder: Arc<Folder>,
    pub segments: Vec<Arc<Sealed<D::File>>>,
    /// Below this each key stands once.
    pub cleaned_to: i64,
    pub gaps_before: i64,
    /// Of the log when this was made.
    pub cuts: u64,
    pub segment_bytes: u64,
    pub index_interval_bytes: u32,
    pub order: CompactionOrder,
    pub pace: Pace,
}

struct Pass {
    keys: Keys,
    /// Below this the keys of the records are known.
    end: i64,
}

/// A segment that can take the place of others.
pub struct RewrittenSegment<D: Disk> {
    pub(crate) folder: Arc<Folder>,
    pub(crate) sources: Vec<Arc<Sealed<D::File>>>,
    pub(crate) segment: Active<D::File>,
    pub(crate) unfinished: PathBuf,
    pub(crate) end: i64,
    pub(crate) gaps_before: i64,
    pub(crate) cuts: u64,
}

enum Fate {
    Stays,
    Goes,
    Becomes(Bytes),
}

impl<D: Disk> Compaction<D> {
    pub(crate) fn new(task: Task<D>) -> Compaction<D> {
        Compaction { task, pass: None, done: 0, replaced: Vec::new(), exhausted: false }
    }

    pub fn set_pace(&mut self, pace: Pace) {
        self.task.pace = pace;
    }

    pub(crate) fn task(&self) -> &Task<D> {
        &self.task
    }

    /// Each key stands once below this when all that was rewritten is installed; `None` before all is, and for
    /// ever if the log has left its folder: then not all may have been read.
    pub(crate) fn reaches(&self) -> Option<i64> {
        let complete = self.exhausted && !self.task.folder.is_left();
        self.pass.as_ref().filter(|_| complete).map(|pass| pass.end)
    }

    pub(crate) fn replaced(&self) -> &[Arc<Sealed<D::File>>] {
        &self.replaced
    }

    /// Writes the next segment that is to be installed; `None` when there is no more, or the log has left its folder.
    /// Long, and safe to do beside the log's writer and readers.
    pub fn rewrite_next(&mut self) -> Result<Option<RewrittenSegment<D>>, LogError> {
        let rewritten = self.rewrite_due();
        // Whatever came of it: nobody wants it.
        if self.task.folder.is_left() { Ok(None) } else { rewritten }
    }

    fn rewrite_due(&mut self) -> Result<Option<RewrittenSegment<D>>, LogError> {
        let Compaction { task, pass, done, replaced, exhausted } = self;
        if pass.is_none() {
            *pass = Some(task.collect_keys()?);
        }
        let Some(pass) = pass else { return Ok(None) };
        loop {
            let group = task.next_group(*done, pass.end);
            if group.is_empty() {
                *exhausted = true;
                return Ok(None);
            }
            *done += group.len();
            if let Some(rewritten) = task.rewrite(group, pass)? {
                replaced.extend_from_slice(group);
                return Ok(Some(rewritten));
            }
        }
    }
}

impl<D: Disk> RewrittenSegment<D> {
    /// It is not wanted.
    pub(crate) fn discard(self, disk: &D) {
        discard(disk, &self.folder, &self.unfinished);
    }
}

/// Room on a full disk is worth more than the error of a file that nobody needs. Whoever opens a folder that
/// was left removes it there.
fn discard<D: Disk>(disk: &D, folder: &Folder, unfinished: &Path) {
    let _ = folder.with(|| disk.remove(unfinished));
}

impl<D: Disk> Task<D> {
    /// Reads what is not compacted yet, as far as there is room for its keys.
    fn collect_keys(&self) -> Result<Pass, LogError> {
        let mut keys = Keys::new(self.order.max_keys);
        let mut end = self.cleaned_to;
        for segment in self.segments.iter().filter(|segment| segment.end > self.cleaned_to) {
            let mut full_at = None;
            self.each_batch(segment, |header, batch| {
                if header.last_offset() < self.cleaned_to || self.is_void(header) {
                    return Ok(true);
                }
                let records = decode_records(batch.clone(), self.order.max_decompressed_bytes)?;
                if !keys.has_room_for(records.len()) {
                    full_at = Some(header.base_offset);
                    return Ok(false);
                }
                for record in &records {
                    if let Some(key) = &record.key {
                        keys.note(key, record.offset);
                    }
                }
                Ok(true)
            })?;
            if let Some(end) = full_at {
                return Ok(Pass { keys, end });
            }
            end = segment.end;
        }
        Ok(Pass { keys, end })
    }

    /// Segments that together are no larger than one may be.
    fn next_group(&self, done: usize, end: i64) -> &[Arc<Sealed<D::File>>] {
        let rest = self.segments.get(done..).unwrap_or_default();
        let rest = &rest[..rest.partition_point(|segment| segment.base < end)];
        let Some(first) = rest.first() else { return rest };
        let mut bytes = 0;
        let fits = |segment: &Arc<Sealed<D::File>>| {
            bytes += segment.bytes;
            bytes <= self.segment_bytes && segment.end - first.base <= MAX_SEGMENT_OFFSETS
        };
        let count = rest.iter().map(fits).take_while(|fits| *fits).count();
        &rest[..count.max(1)]
    }

    /// `None` if it would be what is there already.
    fn rewrite(
        &self,
        group: &[Arc<Sealed<D::File>>],
        pass: &Pass,
    ) -> Result<Option<RewrittenSegment<D>>, LogError> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(None) };
        let unfinished = self.dir.join(format!("{}{UNFINISHED}", log_name(first.base)));
        let Some(file) = self.folder.with(|| self.disk.create(&unfinished)) else { return Ok(None) };
        let file = file.map_err(doing("creating", &unfinished))?;
        let mut writer = Writer::new(Active::new(first.base, file), unfinished, self.index_interval_bytes);
        let written = self.write_kept(group, pass, &mut writer);
        let same = group.len() == 1 && !writer.differs;
        if same || written.is_err() {
            discard(&self.disk, &self.folder, &writer.path);
        }
        written?;
        Ok((!same).then(|| RewrittenSegment {
            folder: Arc::clone(&self.folder),
            sources: group.to_vec(),
            segment: writer.segment,
            unfinished: writer.path,
            end: last.end,
            gaps_before: self.gaps_before.max(pass.end),
            cuts: self.cuts,
        }))
    }

    fn write_kept(
        &self,
        group: &[Arc<Sealed<D::File>>],
        pass: &Pass,
        writer: &mut Writer<D::File>,
    ) -> Result<(), LogError> {
        for segment in group {
            self.each_batch(segment, |header, batch| {
                match self.fate(header, batch, pass)? {
                    Fate::Stays => writer.push(batch),
                    Fate::Becomes(batch) => {
                        writer.differs = true;
                        writer.push(&batch);
                    }
                    Fate::Goes => writer.differs = true,
                }
                Ok(writer.failed.is_none())
            })?;
        }
        writer.finish()
    }

    fn fate(&self, header: &BatchHeader, batch: &Bytes, pass: &Pass) -> Result<Fate, BatchError> {
        // Markers of transactions hold no records of the topic.
        if header.next_offset() > pass.end || header.is_control() {
            return Ok(Fate::Stays);
        }
        let records = decode_records(batch.clone(), self.order.max_decompressed_bytes)?;
        let before = records.len();
        let old_horizon = rebuild::delete_horizon(header);
        let tombstones_stay = old_horizon.is_none_or(|horizon| self.order.now_ms < horizon);
        let void = self.is_void(header);
        let stays = |record: &Record| {
            // Without a key there is nothing to compact by: Kafka drops such a record too.
            let Some(key) = &record.key else { return false };
            !void && !pass.keys.supersede(key, record.offset) && (record.value.is_some() || tombstones_stay)
        };
        let kept: Vec<Record> = records.into_iter().filter(stays).collect();
        if kept.is_empty() {
            let last_known = self.order.producers.get(&header.producer_id) == Some(&header.last_offset());
            return match header.has_producer() && last_known {
                true if before == 0 => Ok(Fate::Stays),
                true => rebuild::emptied(batch, header).map(Fate::Becomes),
                false => Ok(Fate::Goes),
            };
        }
        let marked_anew = old_horizon.is_none() && kept.iter().any(|record| record.value.is_none());
        if kept.len() == before && !marked_anew {
            return Ok(Fate::Stays);
        }
        let new_horizon = self.order.now_ms.saturating_add(self.order.delete_retention_ms);
        let horizon = if marked_anew { Some(new_horizon) } else { old_horizon };
        rebuild::with_records(batch, header, &kept, horizon, self.order.compress).map(Fate::Becomes)
    }

    fn is_void(&self, header: &BatchHeader) -> bool {
        let within = |aborted: &Aborted| {
            aborted.producer_id == header.producer_id
                && (aborted.first_offset..=aborted.last_offset).contains(&header.base_offset)
        };
        header.is_control() || (header.is_transactional() && self.order.aborted.iter().any(within))
    }

    /// Hands each batch of a segment to `visit`, until it says that this is enough, or the log leaves its folder.
    fn each_batch(
        &self,
        segment: &Sealed<D::File>,
        mut visit: impl FnMut(&BatchHeader, &Bytes) -> Result<bool, BatchError>,
    ) -> Result<(), LogError> {
        let file = || log_name(segment.base);
        let halted = |halt| match halt {
            Halt::Bad { position, reason } => ReadError::Corrupt { file: file(), position, reason },
            Halt::Io(source) => ReadError::Io { file: file(), source },
        };
        let mut chain = Chain::from(segment.base, self.gaps_before);
        let mut scan = Scan::new(&*segment.file, 0, segment.bytes, WHOLE_SEGMENT_WINDOW);
        while let Some(found) = scan.next().map_err(halted)? {
            accept(segment.base, &mut chain, &found).map_err(halted)?;
            let Found { position, header } = found;
            let batch = Bytes::copy_from_slice(scan.batch(&found).map_err(halted)?);
            (self.pace)(batch.len() as u64);
            if self.folder.is_left() {
                return Ok(());
            }
            let go_on = visit(&header, &batch);
            if !go_on.map_err(|source| LogError::Compaction { file: file(), position, source })? {
                return Ok(());
            }
        }
        if !chain.reaches(segment.end) {
            let reason = format!("the segment ends at offset {}, not at {}", chain.next_offset, segment.end);
            return Err(halted(Halt::Bad { position: segment.bytes, reason }).into());
        }
        Ok(())
    }
}
