//! A segment: one file of batches, and what is known of it. One is active, the others are sealed.

use std::{path::Path, sync::Arc};

use kafka_wire::record_batch::{BatchHeader, HEADER_BYTES};

use crate::{
    disk::{Disk, DiskFile},
    error::{LogError, doing},
    index::{IndexFile, OffsetEntry, TimeEntry},
    scan::{Chain, Found, Halt, LOOKUP_WINDOW, Scan},
};

/// A relative offset is an i32 in Kafka's tools.
pub(crate) const MAX_SEGMENT_OFFSETS: i64 = i32::MAX as i64;

const LOG: &str = ".log";
const INDEX: &str = ".index";
const TIME_INDEX: &str = ".timeindex";

pub(crate) struct Sealed<F> {
    pub base: i64,
    pub end: i64,
    pub bytes: u64,
    pub file: Arc<F>,
    pub first_timestamp: Option<i64>,
    pub max_timestamp: Option<i64>,
    pub offsets: IndexFile<F, OffsetEntry>,
    pub times: IndexFile<F, TimeEntry>,
}

pub(crate) struct Active<F> {
    pub base: i64,
    pub bytes: u64,
    pub file: Arc<F>,
    /// The largest timestamp of the first batch: by it a segment's age is told.
    pub first_timestamp: Option<i64>,
    pub max_timestamp: Option<TimeEntry>,
    pub offsets: Vec<OffsetEntry>,
    pub times: Vec<TimeEntry>,
    unindexed_bytes: u64,
}

/// `00000000000000004711`: what the three files of a segment begin with.
pub(crate) fn log_name(base: i64) -> String {
    format!("{base:020}{LOG}")
}

pub(crate) fn index_name(base: i64) -> String {
    format!("{base:020}{INDEX}")
}

pub(crate) fn time_index_name(base: i64) -> String {
    format!("{base:020}{TIME_INDEX}")
}

/// Whether a file of this name holds a segment's batches: twenty digits, `.log`.
pub fn is_log_file(name: &str) -> bool {
    base_of_log(name).is_some()
}

/// The first offset of the segment whose `.log` has this name.
pub(crate) fn base_of_log(name: &str) -> Option<i64> {
    base_of(name, LOG)
}

/// The first offset of the segment whose index, of either kind, has this name.
pub(crate) fn base_of_index(name: &str) -> Option<i64> {
    base_of(name, INDEX).or_else(|| base_of(name, TIME_INDEX))
}

fn base_of(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    let twenty = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| twenty)
}

/// Removes a sealed segment: first its log, so that what a crash leaves are indexes without a log, which
/// opening removes.
pub(crate) fn remove<D: Disk>(disk: &D, dir: &Path, base: i64) -> std::io::Result<()> {
    disk.remove(&dir.join(log_name(base)))?;
    disk.sync_dir(dir)?;
    for name in [index_name(base), time_index_name(base)] {
        match disk.remove(&dir.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl<F: DiskFile> Active<F> {
    pub fn new(base: i64, file: F) -> Active<F> {
        Active {
            base,
            bytes: 0,
            file: Arc::new(file),
            first_timestamp: None,
            max_timestamp: None,
            offsets: Vec::new(),
            times: Vec::new(),
            unindexed_bytes: 0,
        }
    }

    /// Takes the next batch into account; the chain has accepted it and the segment has room for it.
    pub fn note(&mut self, header: &BatchHeader, index_interval_bytes: u32) {
        let relative_offset = (header.last_offset() - self.base) as u32;
        if self.bytes == 0 {
            self.first_timestamp = Some(header.max_timestamp);
        }
        if self.max_timestamp.is_none_or(|max| max.timestamp < header.max_timestamp) {
            self.max_timestamp = Some(TimeEntry { timestamp: header.max_timestamp, relative_offset });
        }
        if self.unindexed_bytes > u64::from(index_interval_bytes) {
            self.offsets.push(OffsetEntry { relative_offset, position: self.bytes as u32 });
            self.note_time();
            self.unindexed_bytes = 0;
        }
        self.unindexed_bytes += header.size as u64;
        self.bytes += header.size as u64;
    }

    fn note_time(&mut self) {
        if let Some(max) = self.max_timestamp
            && self.times.last().is_none_or(|last| last.timestamp < max.timestamp)
        {
            self.times.push(max);
        }
    }

    /// Forgets all from `offset` on, which begins at byte `position`.
    pub fn cut(
        &mut self,
        offset: i64,
        position: u64,
        index_interval_bytes: u32,
        gaps_before: i64,
    ) -> Result<(), Halt> {
        self.offsets.truncate(self.offsets.partition_point(|entry| u64::from(entry.position) < position));
        let kept = |entry: &TimeEntry| self.base + i64::from(entry.relative_offset) < offset;
        self.times.truncate(self.times.partition_point(kept));
        if position == 0 {
            self.first_timestamp = None;
        }
        let end = self.walk_tail(position, index_interval_bytes, gaps_before)?;
        if !end.reaches(offset) {
            let reason = format!("offset {} is here, {offset} was expected", end.next_offset);
            return Err(Halt::Bad { position, reason });
        }
        Ok(())
    }

    /// Takes into account what stands between the last index entry and `end`; returns what comes after it.
    fn walk_tail(&mut self, end: u64, index_interval_bytes: u32, gaps_before: i64) -> Result<Chain, Halt> {
        let from = self.offsets.pop();
        self.bytes = from.map_or(0, |entry| u64::from(entry.position));
        self.max_timestamp = self.times.last().copied();
        // An entry stood here because enough had gone before.
        self.unindexed_bytes = if from.is_some() { u64::from(index_interval_bytes) + 1 } else { 0 };
        let file = Arc::clone(&self.file);
        let mut scan = Scan::new(&*file, self.bytes, end, LOOKUP_WINDOW);
        let mut chain = Chain::from(self.base, gaps_before);
        if let Some(from) = from {
            let position = u64::from(from.position);
            let first = scan.next()?.filter(|first| points_to(self.base, &from, first));
            let first = first
                .ok_or_else(|| Halt::Bad { position, reason: "no batch where the index says".into() })?;
            chain = Chain::from(first.header.base_offset, gaps_before);
            accept(self.base, &mut chain, &first)?;
            self.note(&first.header, index_interval_bytes);
        }
        while let Some(found) = scan.next()? {
            accept(self.base, &mut chain, &found)?;
            self.note(&found.header, index_interval_bytes);
        }
        Ok(chain)
    }

    /// What the index files of this segment hold.
    pub fn index_rows(&self) -> IndexRows {
        let mut times = self.times.clone();
        // The last entry tells the largest timestamp of the segment.
        times.extend(
            self.max_timestamp.filter(|max| times.last().is_none_or(|last| last.timestamp < max.timestamp)),
        );
        IndexRows { base: self.base, offsets: self.offsets.clone(), times }
    }

    pub fn seal(
        self,
        end: i64,
        offsets: IndexFile<F, OffsetEntry>,
        times: IndexFile<F, TimeEntry>,
    ) -> Sealed<F> {
        let Active { base, bytes, file, first_timestamp, .. } = self;
        let max_timestamp = self.max_timestamp.map(|max| max.timestamp);
        Sealed { base, end, bytes, file, first_timestamp, max_timestamp, offsets, times }
    }

    /// The segment as its written indexes tell it. `None` if they do not lead to offset `end` at the end of
    /// the file.
    pub fn load<D: Disk<File = F>>(
        disk: &D,
        dir: &Path,
        base: i64,
        end: i64,
        index_interval_bytes: u32,
        gaps_before: i64,
    ) -> Result<Option<Active<F>>, LogError> {
        let path = dir.join(log_name(base));
        let file = disk.open(&path).map_err(doing("opening", &path))?;
        let bytes = file.len().map_err(doing("reading", &path))?;
        let Some((offset_file, time_file)) = open_indexes(disk, dir, base)? else { return Ok(None) };
        let most = bytes / HEADER_BYTES as u64;
        let offsets = offset_file.load(most).map_err(doing("reading the index of", &path))?;
        let times = time_file.load(most).map_err(doing("reading the time index of", &path))?;
        let (Some(offsets), Some(times)) = (offsets, times) else { return Ok(None) };
        let first_timestamp = first_timestamp(&file, bytes).map_err(doing("reading", &path))?;
        let mut active = Active { offsets, times, first_timestamp, ..Active::new(base, file) };
        match active.walk_tail(bytes, index_interval_bytes, gaps_before) {
            Ok(found) if found.reaches(end) => Ok(Some(active)),
            Ok(_) | Err(Halt::Bad { .. }) => Ok(None),
            Err(Halt::Io(error)) => Err(doing("reading", &path)(error)),
        }
    }
}

impl<F: DiskFile> Sealed<F> {
    /// As a clean shutdown left it. `None` if an index is missing, or does not lead to offset `end` at the end of
    /// the file.
    pub fn open<D: Disk<File = F>>(
        disk: &D,
        dir: &Path,
        base: i64,
        end: i64,
        gaps_before: i64,
    ) -> Result<Option<Sealed<F>>, LogError> {
        let path = dir.join(log_name(base));
        let file = disk.open(&path).map_err(doing("opening", &path))?;
        let bytes = file.len().map_err(doing("reading", &path))?;
        let Some((offsets, times)) = open_indexes(disk, dir, base)? else { return Ok(None) };
        let last = times.last().map_err(doing("reading the time index of", &path))?;
        let max_timestamp = last.map(|entry| entry.timestamp);
        let first_timestamp = first_timestamp(&file, bytes).map_err(doing("reading", &path))?;
        let file = Arc::new(file);
        let sealed = Sealed { base, end, bytes, file, first_timestamp, max_timestamp, offsets, times };
        match sealed.reaches_its_end(gaps_before) {
            Ok(reaches) => Ok(reaches.then_some(sealed)),
            Err(Halt::Bad { .. }) => Ok(None),
            Err(Halt::Io(error)) => Err(doing("reading", &path)(error)),
        }
    }

    /// By the headers behind the last index entry: the rest is not read.
    fn reaches_its_end(&self, gaps_before: i64) -> Result<bool, Halt> {
        let from = self.offsets.last().map_err(Halt::Io)?.map_or(0, |entry| u64::from(entry.position));
        let mut scan = Scan::new(&*self.file, from, self.bytes, LOOKUP_WINDOW);
        let mut chain = Chain::from(self.base, gaps_before);
        while let Some(found) = scan.next()? {
            if found.position == from && from > 0 {
                chain = Chain::from(found.header.base_offset, gaps_before);
            }
            accept(self.base, &mut chain, &found)?;
        }
        Ok(chain.reaches(self.end))
    }
}

/// What stands in the first header, right or wrong.
fn first_timestamp<F: DiskFile>(file: &F, bytes: u64) -> std::io::Result<Option<i64>> {
    match Scan::new(file, 0, bytes, HEADER_BYTES).next() {
        Ok(first) => Ok(first.map(|first| first.header.max_timestamp)),
        Err(Halt::Bad { .. }) => Ok(None),
        Err(Halt::Io(error)) => Err(error),
    }
}

pub(crate) struct IndexRows {
    base: i64,
    offsets: Vec<OffsetEntry>,
    times: Vec<TimeEntry>,
}

impl IndexRows {
    /// Writes the indexes beside the log and makes them durable, except for their names.
    pub fn write<D: Disk>(&self, disk: &D, dir: &Path) -> Result<Indexes<D::File>, LogError> {
        let offsets = IndexFile::write(disk, &dir.join(index_name(self.base)), &self.offsets)?;
        let times = IndexFile::write(disk, &dir.join(time_index_name(self.base)), &self.times)?;
        Ok((offsets, times))
    }
}

type Indexes<F> = (IndexFile<F, OffsetEntry>, IndexFile<F, TimeEntry>);

pub(crate) fn open_indexes<D: Disk>(
    disk: &D,
    dir: &Path,
    base: i64,
) -> Result<Option<Indexes<D::File>>, LogError> {
    let offsets = IndexFile::open(disk, &dir.join(index_name(base)))?;
    let times = IndexFile::open(disk, &dir.join(time_index_name(base)))?;
    Ok(offsets.zip(times))
}

/// The batch follows on the chain, and its offsets fit the segment's indexes.
pub(crate) fn accept(base: i64, chain: &mut Chain, found: &Found) -> Result<(), Halt> {
    let bad = |reason: String| Halt::Bad { position: found.position, reason };
    chain.accept(&found.header).map_err(|error| bad(error.to_string()))?;
    if chain.next_offset.saturating_sub(base) > MAX_SEGMENT_OFFSETS {
        return Err(bad(format!("offset {} is too far from the segment's first", chain.next_offset)));
    }
    Ok(())
}

/// An index may be stale or damaged; the log is the truth.
pub(crate) fn points_to(base: i64, entry: &OffsetEntry, found: &Found) -> bool {
    found.position == u64::from(entry.position)
        && found.header.last_offset().checked_sub(base) == Some(i64::from(entry.relative_offset))
}
