//! What was in a log and is not there any more: what stands beside the segments proves that they reached further.

use std::{io, path::Path};

use super::{Corruption, Restored, begin_segment};
use crate::{
    clean_shutdown::{self, Closed, Mark},
    compaction::Checkpoint,
    disk::{Disk, DiskFile},
    epochs::Epochs,
    error::{LogError, ReadError, doing},
    log_start,
    scan::{Halt, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{self, base_of_index, log_name},
    snapshot,
};

/// The offset that the log had reached at least. Whatever a crash leaves, its segments hold all before it: the
/// mark and the snapshots are written after a sync, and removed, durably, before anything is cut; the word of a
/// loss is written before it is mended.
pub(crate) fn proven_end<D: Disk>(
    disk: &D,
    dir: &Path,
    names: &[String],
    mark: Option<&Mark>,
    has_segments: bool,
) -> Result<i64, LogError> {
    let marked = mark.map(|mark| mark.log_end);
    let snapshots = names.iter().filter_map(|name| snapshot::offset_of(name)).max();
    let half_mended = Corruption::load(disk, dir)?.map(|lost| lost.until);
    let proven = marked.max(snapshots).max(half_mended).unwrap_or(0);
    // A log that removes all of its segments leaves word beforehand where it goes on.
    if has_segments || log_start::load(disk, dir)?.is_some() {
        return Ok(proven.max(0));
    }
    let indexed = names.iter().filter_map(|name| base_of_index(name)).max();
    let epochs = Epochs::load(disk, dir)?.unwrap_or_default();
    let led = epochs.latest_start().and_then(|start| start.checked_add(1));
    Ok(proven.max(indexed.unwrap_or(0)).max(led.unwrap_or(0)))
}

/// What the log has lost since it was closed, below the place where it was cut if it was: segments that are gone or
/// shorter than they were, where no hole tells of it. What is behind them is served.
pub(super) fn since_closed<F: DiskFile>(
    mark: &Mark,
    restored: &Restored<F>,
) -> Result<Option<Corruption>, LogError> {
    let Restored { sealed, active, corruption, .. } = restored;
    let cut_from = corruption.as_ref().map_or(i64::MAX, Corruption::base);
    let mut lost: Option<Corruption> = None;
    for closed in mark.segments.iter().filter(|closed| closed.base < cut_from && !closed.is_empty()) {
        let place = sealed.binary_search_by_key(&closed.base, |segment| segment.base);
        let found = match place.ok().and_then(|at| sealed.get(at)) {
            Some(segment) => Some((segment.bytes, &segment.file)),
            None => (active.base == closed.base).then_some((active.bytes, &active.file)),
        };
        let bytes = found.map_or(0, |(bytes, _)| bytes);
        if bytes >= closed.bytes {
            continue;
        }
        let offset = match found {
            Some((bytes, file)) => end_of(&**file, bytes, closed.base)
                .map_err(|source| ReadError::Io { file: log_name(closed.base), source })?,
            None => closed.base,
        };
        let one = Corruption {
            file: log_name(closed.base),
            position: bytes,
            offset,
            until: closed.end,
            reason: shorter(bytes, closed),
            set_aside: Vec::new(),
            set_aside_bytes: 0,
        };
        lost = Some(one.and(lost));
    }
    Ok(lost)
}

/// Of a segment that has fewer bytes than when the log was closed.
pub(crate) fn shorter(bytes: u64, closed: &Closed) -> String {
    let Closed { base, end, bytes: before } = closed;
    let is = if bytes == 0 { "it is gone".to_owned() } else { format!("it has {bytes} bytes") };
    format!("{is}, and had {before} bytes, offsets {base} to {end}, when the log was closed")
}

/// Where the batches of a segment end.
fn end_of<F: DiskFile>(file: &F, bytes: u64, base: i64) -> io::Result<i64> {
    let mut scan = Scan::new(file, 0, bytes, WHOLE_SEGMENT_WINDOW);
    let mut end = base;
    loop {
        match scan.next() {
            Ok(Some(found)) => end = found.header.next_offset(),
            Ok(None) | Err(Halt::Bad { .. }) => return Ok(end),
            Err(Halt::Io(error)) => return Err(error),
        }
    }
}

/// Ends the log where it is known to be good and begins its next segment at `end`: an offset that was given out
/// is not given out again. A crash on the way leaves what proves the end.
pub(super) fn go_on_at<D: Disk>(
    disk: &D,
    dir: &Path,
    restored: Restored<D::File>,
    end: i64,
) -> Result<(), LogError> {
    let Restored { active, epochs, cleaner, .. } = restored;
    if active.bytes == 0 {
        let path = dir.join(log_name(active.base));
        segment::remove(disk, dir, active.base).map_err(doing("removing", &path))?;
    } else {
        active.index_rows().write(disk, dir)?;
    }
    epochs.save(disk, dir)?;
    begin_segment(disk, dir, end)?;
    // From here on the offsets between are missing as they are after a compaction.
    Checkpoint { gaps_before: end, ..cleaner }.save(disk, dir)?;
    clean_shutdown::remove(disk, dir)
}
