//! Small files that are replaced whole: written beside, synced, renamed, folder synced.
//!
//! Checkpoints are lines of numbers under a first line `1 5d3bb0f2`: the version and the CRC32C of the rest.

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
    let written = write();
    if written.is_err() {
        let _ = disk.remove(&beside); // on a full disk the room is needed
    }
    written.map_err(doing("writing", &path))
}

/// Durable when it returns; a file that is not there is removed.
pub(crate) fn remove<D: Disk>(disk: &D, dir: &Path, name: &str) -> Result<(), LogError> {
    let path = dir.join(name);
    match disk.remove(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => {
            removed.map_err(doing("removing", &path))?;
            disk.sync_dir(dir).map_err(doing("syncing", dir))
        }
    }
}

/// The file as text, `None` if there is none. What is longer than `max_bytes` or not text cannot be ours:
/// it reads as empty.
pub(crate) fn read<D: Disk>(
    disk: &D,
    dir: &Path,
    name: &str,
    max_bytes: u64,
) -> Result<Option<String>, LogError> {
    let bytes = read_bytes(disk, dir, name, max_bytes)?;
    Ok(bytes.map(|bytes| String::from_utf8(bytes).unwrap_or_default()))
}

/// The file, `None` if there is none. What is longer than `max_bytes` reads as empty.
pub(crate) fn read_bytes<D: Disk>(
    disk: &D,
    dir: &Path,
    name: &str,
    max_bytes: u64,
) -> Result<Option<Vec<u8>>, LogError> {
    let path = dir.join(name);
    let read = || -> io::Result<Vec<u8>> {
        let file = disk.open(&path)?;
        let len = file.len()?;
        if len > max_bytes {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; len as usize];
        let filled = file.read_full_at(&mut bytes, 0)?;
        bytes.truncate(filled);
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(doing("reading", &path)(error)),
    }
}

/// Lines with a version and a checksum above them.
pub(crate) fn checked(lines: &str) -> String {
    format!("1 {:08x}\n{lines}", crc32c::crc32c(lines.as_bytes()))
}

/// The lines under the first, if the checksum holds.
pub(crate) fn lines_of(checked: &str) -> Option<&str> {
    let (first, lines) = checked.split_once('\n')?;
    (first == format!("1 {:08x}", crc32c::crc32c(lines.as_bytes()))).then_some(lines)
}
