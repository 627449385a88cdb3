//! `partition.metadata`: the format's version and whose folder this is.
//!
//! ```text
//! version: 1
//! topic_id: 0123456789abcdef0123456789abcdef
//! ```

use std::path::Path;

use crate::{disk::Disk, error::LogError, small_file};

const FILE: &str = "partition.metadata";
const VERSION: u32 = 1;
const MAX_BYTES: u64 = 1024;

/// Refuses a folder of another format or topic; writes the file into a folder without segments, and returns
/// whether it did.
pub(crate) fn check_or_create<D: Disk>(
    disk: &D,
    dir: &Path,
    topic_id: [u8; 16],
    has_segments: bool,
) -> Result<bool, LogError> {
    let path = dir.join(FILE);
    let bad = |reason: &str| LogError::BadMetadata { path: path.clone(), reason: reason.to_owned() };
    let expected = hex(topic_id);
    let Some(text) = small_file::read(disk, dir, FILE, MAX_BYTES)? else {
        if has_segments {
            return Err(bad("it is missing, and there are segments whose format it should tell"));
        }
        let text = format!("version: {VERSION}\ntopic_id: {expected}\n");
        small_file::replace(disk, dir, FILE, text.as_bytes())?;
        return Ok(true);
    };
    let mut lines = text.lines();
    let mut field = |name| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
    let version = field("version").and_then(|v| v.parse().ok()).ok_or_else(|| bad("no version"))?;
    if version != VERSION {
        return Err(LogError::UnknownVersion { path, found: version, supported: VERSION });
    }
    let found = field("topic_id").ok_or_else(|| bad("no topic id"))?.to_owned();
    if found != expected {
        return Err(LogError::OtherTopic { path, expected, found });
    }
    Ok(false)
}

/// Whose folder this is; `None` if it does not say so.
pub fn topic_of<D: Disk>(disk: &D, dir: &Path) -> Option<[u8; 16]> {
    let text = small_file::read(disk, dir, FILE, MAX_BYTES).ok()??;
    let digits = text.lines().nth(1)?.strip_prefix("topic_id: ")?;
    let mut id = [0; 16];
    if digits.len() != 2 * id.len() || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(id)
}

fn hex(id: [u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
