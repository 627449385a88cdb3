//! Finds a log again after whatever happened to it. The `.log` files are the truth.

use std::{io, path::Path, sync::Arc};

use crate::{
    LogConfig,
    clean_shutdown::{self, Mark},
    compaction,
    compaction::Checkpoint,
    disk::{Disk, DiskFile},
    epochs::Epochs,
    error::{LogError, doing},
    log_start, metadata,
    scan::{Chain, Found, Halt, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{self, Active, MAX_SEGMENT_OFFSETS, Sealed, accept, base_of_index, base_of_log, log_name},
    small_file::UNFINISHED,
    snapshot,
};

pub(crate) mod corruption;
pub(crate) mod lost;
mod quarantine;

pub use corruption::Corruption;

/// What opening a log found. What a leader must know of producers it reads from
/// [`LogReader::headers`](crate::LogReader::headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub log_start: i64,
    pub log_end: i64,
    /// The log was closed and nothing has touched it since, or it is new. Otherwise what was appended and not
    /// synced may be missing.
    pub clean_shutdown: bool,
    /// Cut off the end: a write that a crash tore. Nothing that was synced is among them.
    pub truncated_bytes: u64,
    /// More than a torn end: whole batches behind bytes that are none, or less than was there for certain.
    pub corruption: Option<Corruption>,
}

pub(crate) struct Restored<F> {
    pub sealed: Vec<Arc<Sealed<F>>>,
    pub active: Active<F>,
    pub epochs: Epochs,
    /// Where DeleteRecords has moved it; the first segment may begin later.
    pub log_start: i64,
    pub log_end: i64,
    pub cleaner: Checkpoint,
    pub clean_shutdown: bool,
    /// The mark of a clean shutdown is there, and right.
    pub marked: bool,
    pub truncated_bytes: u64,
    pub corruption: Option<Corruption>,
}

/// What stands beside the segments and tells of them.
#[derive(Default)]
struct Evidence {
    /// With it, indexes are trusted.
    mark: Option<Mark>,
    /// See [`lost::proven_end`].
    proven_end: i64,
    /// A crash has interrupted the mending of this.
    half_mended: Option<Corruption>,
}

/// A segment read from its first byte to its end or to the first bad batch.
struct Examined<F> {
    active: Active<F>,
    chain: Chain,
    file_bytes: u64,
    /// Why the walk stopped before the end of the file.
    bad: Option<String>,
}

/// What is found of a segment behind which another one begins.
enum Earlier<F> {
    Whole(Sealed<F>),
    /// It does not reach to where the next one begins.
    Short(Examined<F>),
}

pub(crate) fn restore<D: Disk>(
    disk: &D,
    dir: &Path,
    config: &LogConfig,
) -> Result<Restored<D::File>, LogError> {
    disk.create_dir_all(dir).map_err(doing("creating", dir))?;
    let names = disk.list(dir).map_err(doing("listing", dir))?;
    let has_segments = names.iter().any(|name| base_of_log(name).is_some());
    let is_new = metadata::check_or_create(disk, dir, config.topic_id, has_segments)?;
    let mark = Mark::load(disk, dir)?;
    compaction::finish(disk, dir)?;
    let names = disk.list(dir).map_err(doing("listing", dir))?;
    let mut bases: Vec<i64> = names.iter().filter_map(|name| base_of_log(name)).collect();
    bases.sort_unstable();
    let half_mended = Corruption::load(disk, dir)?;
    let proven_end = lost::proven_end(disk, dir, &names, mark.as_ref(), !bases.is_empty())?;
    remove_leftovers(disk, dir, &names, &bases)?;
    let compacted = mark.as_ref().and_then(Mark::compacted);
    if let Some(cleaner) = compacted.filter(|_| !names.iter().any(|name| name == Checkpoint::FILE)) {
        cleaner.save(disk, dir)?; // while the mark knows of it
    }

    let evidence = Evidence { mark, proven_end, half_mended };
    let mut restored = match bases.is_empty() {
        true => begin(disk, dir, is_new, &evidence)?,
        false => restore_segments(disk, dir, config, &evidence, &bases)?,
    };
    if let Some(mark) = evidence.mark.as_ref().filter(|_| !bases.is_empty())
        && let Some(gone) = lost::since_closed(mark, &restored)?
    {
        let found = gone.and(restored.corruption.take());
        // Before the mark goes, which proves it.
        found.clone().and(evidence.half_mended.clone()).save(disk, dir)?;
        restored.corruption = Some(found);
        (restored.clean_shutdown, restored.marked) = (false, false);
    }
    if let Some(corruption) = restored.corruption.clone()
        && corruption.until > restored.log_end
    {
        lost::go_on_at(disk, dir, restored, corruption.until)?;
        let names = disk.list(dir).map_err(doing("listing", dir))?;
        let mut bases: Vec<i64> = names.iter().filter_map(|name| base_of_log(name)).collect();
        bases.sort_unstable();
        restored = restore_segments(disk, dir, config, &Evidence::default(), &bases)?;
        restored.corruption = Some(corruption);
    }
    if let Some(half_mended) = evidence.half_mended {
        let mut corruption = half_mended.and(restored.corruption.take());
        let aside = quarantine::files_from(disk, dir, corruption.base())?;
        (corruption.set_aside, corruption.set_aside_bytes) = aside;
        restored.corruption = Some(corruption);
        (restored.clean_shutdown, restored.marked) = (false, false);
    }
    if !restored.marked {
        clean_shutdown::remove(disk, dir)?;
    }
    snapshot::remove_above(disk, dir, restored.log_end)?;
    if let Some(log_start) = log_start::load(disk, dir)? {
        if log_start > restored.log_end {
            // All that is left was deleted before; its offsets must not be given out again.
            clean_shutdown::remove(disk, dir)?;
            restored.marked = false;
            let bases = restored.sealed.iter().map(|segment| segment.base).chain([restored.active.base]);
            restored.active = start_over(disk, dir, bases, log_start)?;
            restored.sealed.clear();
            restored.epochs = Epochs::default();
            restored.log_end = log_start;
        }
        restored.log_start = log_start;
        restored.epochs.cut_before(log_start);
    }
    let within = restored.cleaner.cut(restored.log_end);
    if within != restored.cleaner {
        within.save(disk, dir)?;
        restored.cleaner = within;
    }
    if restored.corruption.is_some() {
        // Last: until here whoever comes after a crash is told.
        corruption::is_mended(disk, dir)?;
    }
    Ok(restored)
}

fn restore_segments<D: Disk>(
    disk: &D,
    dir: &Path,
    config: &LogConfig,
    evidence: &Evidence,
    bases: &[i64],
) -> Result<Restored<D::File>, LogError> {
    let Some((&last, earlier)) = bases.split_last() else { return begin(disk, dir, false, evidence) };
    let first = earlier.first().copied().unwrap_or(last);
    let checkpoint = Epochs::load(disk, dir)?.map(|mut epochs| {
        epochs.cut_before(first); // retention may have moved the log's start since
        epochs
    });
    let mut restoring = Restoring {
        disk,
        dir,
        config,
        evidence,
        checkpoint_known: checkpoint.is_some(),
        epochs: checkpoint.unwrap_or_default(),
        cleaner: Checkpoint::load(disk, dir, evidence.mark.as_ref().and_then(Mark::compacted), last)?,
    };
    let mut sealed = Vec::with_capacity(earlier.len());
    for (at, &base) in earlier.iter().enumerate() {
        let later = &earlier[at + 1..];
        let next = later.first().copied().unwrap_or(last);
        match restoring.sealed(base, next)? {
            Earlier::Whole(segment) => sealed.push(Arc::new(segment)),
            Earlier::Short(examined) => {
                let later: Vec<i64> = later.iter().copied().chain([last]).collect();
                return restoring.cut(sealed, examined, &later);
            }
        }
    }
    if restoring.checkpoint_known {
        if let Some(end) = evidence.mark.as_ref().map(|mark| mark.log_end)
            && let Some(active) = restoring.load(last, end)?
        {
            return Ok(Restored {
                sealed,
                active,
                epochs: restoring.epochs,
                log_start: first,
                log_end: end,
                cleaner: restoring.cleaner,
                clean_shutdown: true,
                marked: true,
                truncated_bytes: 0,
                corruption: None,
            });
        }
        restoring.epochs.cut_from(last);
    }
    let examined = restoring.examine(last)?;
    restoring.cut(sealed, examined, &[])
}

/// A log without a segment gets an empty one.
fn begin<D: Disk>(
    disk: &D,
    dir: &Path,
    is_new: bool,
    evidence: &Evidence,
) -> Result<Restored<D::File>, LogError> {
    let end = evidence.proven_end;
    let gone = (end > 0).then(|| Corruption {
        file: log_name(0),
        position: 0,
        offset: 0,
        until: end,
        reason: format!("all segments are gone; the log had reached offset {end}"),
        set_aside: Vec::new(),
        set_aside_bytes: 0,
    });
    let corruption = gone.map(|gone| gone.and(evidence.half_mended.clone()));
    if let Some(corruption) = &corruption {
        corruption.save(disk, dir)?;
    }
    Ok(Restored {
        sealed: Vec::new(),
        active: begin_segment(disk, dir, end)?,
        epochs: Epochs::default(),
        log_start: end,
        log_end: end,
        cleaner: Checkpoint::default(),
        clean_shutdown: is_new,
        marked: false,
        truncated_bytes: 0,
        corruption,
    })
}

/// An empty active segment whose name is durable.
pub(crate) fn begin_segment<D: Disk>(disk: &D, dir: &Path, base: i64) -> Result<Active<D::File>, LogError> {
    let path = dir.join(log_name(base));
    let file = disk.create(&path).map_err(doing("creating", &path))?;
    disk.sync_dir(dir).map_err(doing("syncing", dir))?;
    Ok(Active::new(base, file))
}

/// Removes all segments and begins one at `base`, which is already checkpointed as the log's start: a crash
/// between leaves a log that ends below its start, and opening it leads here again.
pub(crate) fn start_over<D: Disk>(
    disk: &D,
    dir: &Path,
    segments: impl DoubleEndedIterator<Item = i64>,
    base: i64,
) -> Result<Active<D::File>, LogError> {
    for old in segments.rev() {
        segment::remove(disk, dir, old).map_err(doing("removing", &dir.join(log_name(old))))?;
    }
    begin_segment(disk, dir, base)
}

/// What a crash left half done: files about to be renamed, indexes of removed segments.
fn remove_leftovers<D: Disk>(disk: &D, dir: &Path, names: &[String], bases: &[i64]) -> Result<(), LogError> {
    for name in names {
        let orphan = base_of_index(name).is_some_and(|base| bases.binary_search(&base).is_err());
        if name.ends_with(UNFINISHED) || orphan {
            let path = dir.join(name);
            match disk.remove(&path) {
                // Writing the metadata anew may have taken an unfinished file's name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(doing("removing", &path))?,
            }
        }
    }
    Ok(())
}

struct Restoring<'a, D> {
    disk: &'a D,
    dir: &'a Path,
    config: &'a LogConfig,
    evidence: &'a Evidence,
    checkpoint_known: bool,
    epochs: Epochs,
    cleaner: Checkpoint,
}

impl<D: Disk> Restoring<'_, D> {
    /// A segment that was on disk before the next was begun.
    fn sealed(&mut self, base: i64, next: i64) -> Result<Earlier<D::File>, LogError> {
        let Restoring { disk, dir, .. } = *self;
        if self.checkpoint_known {
            if self.evidence.mark.is_some() {
                if let Some(sealed) = Sealed::open(disk, dir, base, next, self.cleaner.gaps_before)? {
                    return Ok(Earlier::Whole(sealed));
                }
            } else if let Some(active) = self.load(base, next)?
                && let Some((offsets, times)) = segment::open_indexes(disk, dir, base)?
            {
                return Ok(Earlier::Whole(active.seal(next, offsets, times)));
            }
        }
        let examined = self.examine(base)?;
        if examined.bad.is_some() || !examined.chain.reaches(next) {
            return Ok(Earlier::Short(examined));
        }
        let (offsets, times) = examined.active.index_rows().write(disk, dir)?;
        disk.sync_dir(dir).map_err(doing("syncing", dir))?;
        Ok(Earlier::Whole(examined.active.seal(next, offsets, times)))
    }

    fn load(&self, base: i64, end: i64) -> Result<Option<Active<D::File>>, LogError> {
        let interval = self.config.index_interval_bytes;
        Active::load(self.disk, self.dir, base, end, interval, self.cleaner.gaps_before)
    }

    /// Checks every batch of a segment and makes its indexes anew.
    fn examine(&mut self, base: i64) -> Result<Examined<D::File>, LogError> {
        let path = self.dir.join(log_name(base));
        let file = self.disk.open(&path).map_err(doing("opening", &path))?;
        let file_bytes = file.len().map_err(doing("reading", &path))?;
        let mut active = Active::new(base, file);
        let file = Arc::clone(&active.file);
        let mut scan = Scan::new(&*file, 0, file_bytes, WHOLE_SEGMENT_WINDOW);
        let epoch = self.epochs.at(base - 1).unwrap_or(i32::MIN);
        let mut chain = Chain { epoch, ..Chain::from(base, self.cleaner.gaps_before) };
        let bad = loop {
            let good = chain;
            match check_next(&mut scan, base, &mut chain) {
                Ok(None) => break None,
                Ok(Some(found)) => {
                    self.epochs.note(found.header.partition_leader_epoch, found.header.base_offset);
                    active.note(&found.header, self.config.index_interval_bytes);
                }
                Err(Halt::Io(error)) => return Err(doing("reading", &path)(error)),
                Err(Halt::Bad { reason, .. }) => {
                    chain = good;
                    break Some(reason);
                }
            }
        };
        Ok(Examined { active, chain, file_bytes, bad })
    }

    /// Where the last whole batch ends that stands behind the bad one.
    fn end_behind(&self, examined: &Examined<D::File>) -> Result<Option<i64>, LogError> {
        let Examined { active, chain, file_bytes, .. } = examined;
        if *file_bytes <= active.bytes {
            return Ok(None);
        }
        let behind =
            quarantine::end_of_last_batch(&*active.file, active.bytes, *file_bytes, chain.next_offset);
        behind.map_err(doing("reading", &self.dir.join(log_name(active.base))))
    }

    /// The log ends with the last good batch of `examined`, which becomes the active segment.
    fn cut(
        mut self,
        sealed: Vec<Arc<Sealed<D::File>>>,
        examined: Examined<D::File>,
        later: &[i64],
    ) -> Result<Restored<D::File>, LogError> {
        let Restoring { disk, dir, .. } = self;
        let end = examined.chain.next_offset;
        let mut until = self.evidence.proven_end.max(end);
        if let Some(&last) = later.last() {
            let examined = self.examine(last)?;
            let behind = self.end_behind(&examined)?;
            until = until.max(examined.chain.next_offset).max(behind.unwrap_or(end));
        }
        let behind = self.end_behind(&examined)?;
        until = until.max(behind.unwrap_or(end));
        if until == end {
            clean_shutdown::remove(disk, dir)?; // it vouched for what is about to be cut
        }
        let Examined { active, file_bytes, bad, .. } = examined;
        let path = dir.join(log_name(active.base));
        let file = Arc::clone(&active.file);
        let bad_bytes = file_bytes.saturating_sub(active.bytes);
        let mut corruption = None;
        if behind.is_some() || until > end {
            let reason =
                bad.unwrap_or_else(|| format!("it ends here, and the log had reached offset {until}"));
            let found = Corruption {
                file: log_name(active.base),
                position: active.bytes,
                offset: end,
                until,
                reason,
                set_aside: Vec::new(),
                set_aside_bytes: 0,
            };
            let mut found = found.and(self.evidence.half_mended.clone());
            // Before anything that proves `until` leaves its place.
            found.save(disk, dir)?;
            (found.set_aside, found.set_aside_bytes) =
                quarantine::set_aside(disk, dir, &active, file_bytes, later)?;
            corruption = Some(found);
        }
        if bad_bytes > 0 {
            file.truncate(active.bytes).map_err(doing("cutting", &path))?;
        }
        // A process that was killed leaves bytes that no sync has covered; from here on they are in the log.
        file.sync_data().map_err(doing("syncing", &path))?;
        disk.sync_dir(dir).map_err(doing("syncing", dir))?;
        self.epochs.cut_from(end);
        let truncated_bytes = if corruption.is_none() { bad_bytes } else { 0 };
        let log_start = sealed.first().map_or(active.base, |first| first.base);
        Ok(Restored {
            sealed,
            active,
            epochs: self.epochs,
            log_start,
            log_end: end,
            cleaner: self.cleaner,
            clean_shutdown: false,
            marked: false,
            truncated_bytes,
            corruption,
        })
    }
}

/// The next batch, if it is whole, intact and the one that must come.
fn check_next<F: DiskFile>(scan: &mut Scan<F>, base: i64, chain: &mut Chain) -> Result<Option<Found>, Halt> {
    let Some(found) = scan.next()? else { return Ok(None) };
    if !scan.checksum_holds(&found)? {
        return Err(Halt::Bad { position: found.position, reason: "the checksum does not hold".to_owned() });
    }
    accept(base, chain, &found)?;
    Ok(Some(found))
}

/// A batch that can stand somewhere behind `log_end` in the same segment.
fn could_follow(found: &Found, log_end: i64) -> bool {
    let ahead = found.header.base_offset.checked_sub(log_end);
    found.header.last_offset_delta >= 0 && ahead.is_some_and(|n| (0..=MAX_SEGMENT_OFFSETS).contains(&n))
}
