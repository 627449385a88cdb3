//! What was in a log and is not there any more: what stands beside the segments proves that they reached further.

use std::path::Path;

use super::{Corruption, Restored, begin_segment};
use crate::{
    clean_shutdown::{self, Mark},
    compaction::Checkpoint,
    disk::Disk,
    epochs::Epochs,
    error::{LogError, doing},
    log_start,
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
