//! Snapshots of what the batches below an offset made, so that opening reads only from there on: what is known of
//! a partition's producers, or the cluster's metadata.
//!
//! ```text
//! 00000000000000004711.snapshot     what all batches below offset 4711 made
//!
//!  0 magic    "LHPS"
//!  4 version  u32   1
//!  8 crc      u32   CRC32C of the rest
//! 12 the state, in bytes that only their owner understands
//! ```
//! The newest two are kept: if one is damaged the other one serves, and without any the log is read from its
//! start. One above the log's end tells of batches that are lost, or were cut off and followed by others: it is
//! removed.

use std::path::Path;

use crate::{
    disk::Disk,
    error::{LogError, doing},
    small_file,
};

const SUFFIX: &str = ".snapshot";
const MAGIC: &[u8; 4] = b"LHPS";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 12;
/// Millions of producers.
pub(crate) const MAX_SNAPSHOT_BYTES: usize = 256 << 20;
pub(crate) const MAX_FILE_BYTES: u64 = (MAX_SNAPSHOT_BYTES + HEADER_BYTES) as u64;
const KEPT: usize = 2;

pub(crate) fn write<D: Disk>(disk: &D, dir: &Path, offset: i64, state: &[u8]) -> Result<(), LogError> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + state.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(state).to_be_bytes());
    bytes.extend_from_slice(state);
    small_file::replace(disk, dir, &name(offset), &bytes)?;
    let offsets = offsets(disk, dir)?;
    for old in offsets.iter().rev().skip(KEPT) {
        remove(disk, dir, *old)?;
    }
    Ok(())
}

/// The newest one that can be read, and the offset it reaches to.
pub(crate) fn latest<D: Disk>(disk: &D, dir: &Path) -> Result<Option<(i64, Vec<u8>)>, LogError> {
    for offset in offsets(disk, dir)?.into_iter().rev() {
        let bytes = small_file::read_bytes(disk, dir, &name(offset), MAX_FILE_BYTES)?;
        if let Some(state) = bytes.and_then(state_of) {
            return Ok(Some((offset, state)));
        }
    }
    Ok(None)
}

/// Removes those that reach beyond `end`, durably.
pub(crate) fn remove_above<D: Disk>(disk: &D, dir: &Path, end: i64) -> Result<(), LogError> {
    let offsets = offsets(disk, dir)?;
    let above = &offsets[offsets.partition_point(|offset| *offset <= end)..];
    for &offset in above {
        remove(disk, dir, offset)?;
    }
    if !above.is_empty() {
        disk.sync_dir(dir).map_err(doing("syncing", dir))?;
    }
    Ok(())
}

fn remove<D: Disk>(disk: &D, dir: &Path, offset: i64) -> Result<(), LogError> {
    let path = dir.join(name(offset));
    disk.remove(&path).map_err(doing("removing", &path))
}

/// In rising order.
fn offsets<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<i64>, LogError> {
    let names = disk.list(dir).map_err(doing("listing", dir))?;
    let mut offsets: Vec<i64> = names.iter().filter_map(|name| offset_of(name)).collect();
    offsets.sort_unstable();
    Ok(offsets)
}

fn name(offset: i64) -> String {
    format!("{offset:020}{SUFFIX}")
}

pub(crate) fn offset_of(file: &str) -> Option<i64> {
    let offset = file.strip_suffix(SUFFIX)?.parse().ok()?;
    (offset >= 0 && name(offset) == file).then_some(offset)
}

pub(crate) fn state_of(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    let [.., c0, c1, c2, c3] = *header;
    let known = header.starts_with(MAGIC) && header[4..8] == VERSION.to_be_bytes();
    let state = bytes.split_off(HEADER_BYTES);
    (known && crc32c::crc32c(&state) == u32::from_be_bytes([c0, c1, c2, c3])).then_some(state)
}
