//! `log-start-offset`: the first offset that may be read, when it lies inside a segment (DeleteRecords).
//!
//! ```text
//! 1 5d3bb0f2   version, CRC32C of the line below
//! 4711
//! ```
//! Written before anybody is told, so that what was deleted stays deleted. Without the file, or with one that
//! cannot be read, the log starts where its first segment does.

use std::path::Path;

use crate::{disk::Disk, error::LogError, small_file};

pub(crate) const FILE: &str = "log-start-offset";
const MAX_BYTES: u64 = 256;

pub(crate) fn save<D: Disk>(disk: &D, dir: &Path, offset: i64) -> Result<(), LogError> {
    small_file::replace(disk, dir, FILE, small_file::checked(&format!("{offset}\n")).as_bytes())
}

pub(crate) fn load<D: Disk>(disk: &D, dir: &Path) -> Result<Option<i64>, LogError> {
    let text = small_file::read(disk, dir, FILE, MAX_BYTES)?;
    let offset = |text: &str| small_file::lines_of(text)?.strip_suffix('\n')?.parse().ok();
    Ok(text.as_deref().and_then(offset).filter(|offset| *offset >= 0))
}
