//! The volume that a folder is on.

use std::path::Path;

/// Its size, and what of it may still be written, in bytes; `None` where the system does not say.
pub fn room(folder: &Path) -> Option<(i64, i64)> {
    let volume = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(volume.f_frsize)).unwrap_or(i64::MAX);
    Some((bytes(volume.f_blocks), bytes(volume.f_bavail)))
}
