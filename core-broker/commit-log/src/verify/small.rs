//! Whether checkpoints and snapshots can still be read: opening a log does without those that cannot.

use std::{io, path::Path};

use super::{CheckedFile, Finding};
use crate::{
    clean_shutdown::{self, Mark},
    compaction::Checkpoint,
    disk::{Disk, DiskFile},
    epochs::Epochs,
    log_start,
    recovery::corruption,
    small_file, snapshot,
};

/// No file is read further than this to see whether it is one of ours.
const MAX_BYTES: u64 = 16 << 20;

pub(super) fn is_one(name: &str) -> bool {
    let checked = [Epochs::FILE, Checkpoint::FILE, log_start::FILE, corruption::FILE, clean_shutdown::FILE];
    checked.contains(&name) || snapshot::offset_of(name).is_some()
}

pub(super) fn check<D: Disk>(disk: &D, dir: &Path, name: &str) -> io::Result<CheckedFile> {
    let file = disk.open(&dir.join(name))?;
    let bytes = file.len()?;
    let is_snapshot = snapshot::offset_of(name).is_some();
    let most = if is_snapshot { snapshot::MAX_FILE_BYTES } else { MAX_BYTES };
    let mut content = vec![0; usize::try_from(bytes.min(most)).unwrap_or_default()];
    let filled = file.read_full_at(&mut content, 0)?;
    content.truncate(filled);
    let text = || std::str::from_utf8(&content).ok();
    let whole = match name {
        _ if is_snapshot => snapshot::state_of(content).is_some(),
        clean_shutdown::FILE => text().and_then(Mark::from_text).is_some(), // older ones have no checksum
        _ => text().and_then(small_file::lines_of).is_some(),
    };
    let damaged = || Finding {
        file: name.to_owned(),
        position: 0,
        offset: snapshot::offset_of(name).unwrap_or_default(),
        reason: "the checksum does not hold; the log is opened as if it were not there".to_owned(),
    };
    let findings = if whole { Vec::new() } else { vec![damaged()] };
    Ok(CheckedFile { file: name.to_owned(), bytes, batches: 0, findings })
}
