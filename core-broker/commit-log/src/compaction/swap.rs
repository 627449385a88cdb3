//! Puts a rewritten segment in the place of those it was made of, in steps that opening can finish.

use std::{io, path::Path};

use crate::{
    disk::Disk,
    error::{LogError, doing},
    segment::{base_of_index, base_of_log, log_name},
};

/// Begins the name of a segment that is whole and on disk and takes the place of all from its base to its end.
const SUCCESSOR: &str = ".compacted-";

pub(crate) fn successor_name(base: i64, end: i64) -> String {
    format!("{}{SUCCESSOR}{end:020}", log_name(base))
}

/// The offsets of the segments whose place the file with this name takes.
pub(crate) fn succeeds(name: &str) -> Option<(i64, i64)> {
    let (log, end) = name.split_once(SUCCESSOR)?;
    let (base, end) = (base_of_log(log)?, end.parse().ok()?);
    (successor_name(base, end) == name).then_some((base, end))
}

/// What a crash left half done: every successor that has its name takes its place.
pub(crate) fn finish<D: Disk>(disk: &D, dir: &Path) -> Result<(), LogError> {
    for name in disk.list(dir).map_err(doing("listing", dir))? {
        if let Some((base, end)) = succeeds(&name) {
            swap_in(disk, dir, base, end)?;
        }
    }
    Ok(())
}

/// The successor, whose name is durable, replaces the segments from `base` to `end`. Indexes are to be made.
pub(crate) fn swap_in<D: Disk>(disk: &D, dir: &Path, base: i64, end: i64) -> Result<(), LogError> {
    let successor = dir.join(successor_name(base, end));
    let swap = || -> io::Result<()> {
        for name in disk.list(dir)? {
            let merged = base_of_log(&name).is_some_and(|other| base < other && other < end);
            // An index of the old bytes would point into the new ones.
            let stale = base_of_index(&name).is_some_and(|other| base <= other && other < end);
            if merged || stale {
                disk.remove(&dir.join(name))?;
            }
        }
        // Before the rename: the successor is never there together with those it holds the records of.
        disk.sync_dir(dir)?;
        disk.rename(&successor, &dir.join(log_name(base)))?;
        disk.sync_dir(dir)
    };
    swap().map_err(doing("putting in place", &successor))
}
