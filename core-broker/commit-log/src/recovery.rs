//! Finds a log again after whatever happened to it. The `.log` files are the truth.

use std::{io, path::Path, sync::Arc};

use crate::{
    LogConfig,
    clean_shutdown::{self, Mark},
    compaction,
    compaction::Checkpoint,
    disk::Disk,
    epochs::Epochs,
    error::{LogError, doing},
    log_start, metadata,
    segment::{self, Active, Sealed, base_of_index, base_of_log, log_name},
    small_file::UNFINISHED,
    snapshot,
};

pub(crate) mod corruption;
pub(crate) mod lost;
mod quarantine;
mod segments;

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
    let bases = bases_of(&names);
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
        false => segments::restore(disk, dir, config, &evidence, &bases)?,
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
        restored = segments::restore(disk, dir, config, &Evidence::default(), &bases_of(&names))?;
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
    settle(disk, dir, &mut restored)?;
    if restored.corruption.is_some() {
        // Last: until here whoever comes after a crash is told.
        corruption::is_mended(disk, dir)?;
    }
    Ok(restored)
}

/// What tells of the log beside its segments follows where it ends, and it where DeleteRecords said that it begins.
fn settle<D: Disk>(disk: &D, dir: &Path, restored: &mut Restored<D::File>) -> Result<(), LogError> {
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
    Ok(())
}

/// In order.
fn bases_of(names: &[String]) -> Vec<i64> {
    let mut bases: Vec<i64> = names.iter().filter_map(|name| base_of_log(name)).collect();
    bases.sort_unstable();
    bases
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
