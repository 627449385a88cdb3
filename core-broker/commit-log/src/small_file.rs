//! Small files that are replaced whole: written beside, synced, renamed, folder synced.

use std::{io, path::Path};

use crate::{
    disk::{Disk, DiskFile},
    error::{LogError, doing},
};

/// A crash may leave such a file; opening removes it.
pub(crate) const UNFINISHED: &str = ".tmp";

pub(crate) fn replace<D: Disk>(disk: &D, dir: &Path, name: &str, bytes: &[u8]) -> Result<(), LogError> {
    let path = dir.join(name);
    let beside = dir.join(format!("{name}{UNFINISHED}"));
    let write = || -> io::Result<()> {
        let file = disk.create(&beside)?;
        file.write_at(bytes, 0)?;
        file.sync_data()?;
        disk.rename(&beside, &path)?;
        disk.sync_dir(dir)
    };
    write().map_err(doing("writing", &path))
}

/// The file as text, `None` if there is none. What is longer than `max_bytes` or not text cannot be ours:
/// it reads as empty.
pub(crate) fn read<D: Disk>(
    disk: &D,
    dir: &Path,
    name: &str,
    max_bytes: u64,
) -> Result<Option<String>, LogError> {
    let path = dir.join(name);
    let read = || -> io::Result<String> {
        let file = disk.open(&path)?;
        let len = file.len()?;
        if len > max_bytes {
            return Ok(String::new());
        }
        let mut bytes = vec![0; len as usize];
        let filled = file.read_full_at(&mut bytes, 0)?;
        bytes.truncate(filled);
        Ok(String::from_utf8(bytes).unwrap_or_default())
    };
    match read() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(doing("reading", &path)(error)),
    }
}
