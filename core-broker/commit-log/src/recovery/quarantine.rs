//! Keeps what a damaged segment still holds: bytes are cut from a log only when no batch is among them.

use std::{io, path::Path};

use kafka_wire::record_batch::{BatchHeader, HEADER_BYTES};

use crate::{
    disk::{Disk, DiskFile},
    error::{LogError, doing},
    scan::{Found, Halt, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{Active, MAX_SEGMENT_OFFSETS, base_of_log, log_name},
    small_file::UNFINISHED,
};

const SET_ASIDE: &str = ".quarantine-";
const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;

/// Where the log had come with the last whole batch between `from` and `end`, of those with an offset from
/// `log_end` on. `None` if there is none.
pub(super) fn end_of_last_batch<F: DiskFile>(
    file: &F,
    from: u64,
    end: u64,
    log_end: i64,
) -> io::Result<Option<i64>> {
    // Bytes made to look like headers could ask for the whole rest each; whoever spends this much has
    // something there that is worth keeping.
    let mut search = Search { file, end, log_end, checksum_budget: 4 * (end - from), reached: None };
    let mut next = Some(from);
    while let Some(at) = next {
        let behind = search.walk(at)?;
        next = search.next_batch(behind)?;
    }
    Ok(search.reached)
}

struct Search<'a, F> {
    file: &'a F,
    end: u64,
    log_end: i64,
    checksum_budget: u64,
    reached: Option<i64>,
}

impl<F: DiskFile> Search<'_, F> {
    /// From header to header, as far as there are any; returns where the last whole batch ends. A damaged one
    /// in between is stepped over: what a batch carries may look like batches.
    fn walk(&mut self, from: u64) -> io::Result<u64> {
        let mut scan = Scan::new(self.file, from, self.end, WHOLE_SEGMENT_WINDOW);
        let mut behind = from;
        loop {
            let found = match scan.next() {
                Ok(Some(found)) => found,
                Ok(None) | Err(Halt::Bad { .. }) => return Ok(behind),
                Err(Halt::Io(error)) => return Err(error),
            };
            if could_follow(&found, self.log_end) && holds(&mut scan, &found)? {
                self.reached = self.reached.max(Some(found.header.next_offset()));
                behind = scan.position();
            } else if !self.afford(found.header.size as u64) {
                return Ok(behind);
            }
        }
    }

    /// Looks at every byte from `from` on for one where a whole batch begins.
    fn next_batch(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut window = vec![0; WHOLE_SEGMENT_WINDOW];
        let mut at = from;
        while at + HEADER_BYTES as u64 <= self.end {
            let wanted = window.len().min(usize::try_from(self.end - at).unwrap_or(usize::MAX));
            let filled = self.file.read_full_at(&mut window[..wanted], at)?;
            let Some(last_start) = filled.checked_sub(HEADER_BYTES) else { break };
            for start in 0..=last_start {
                if window[start + MAGIC_AT] != MAGIC {
                    continue;
                }
                let Ok(header) = BatchHeader::peek(&window[start..filled]) else { continue };
                let found = Found { position: at + start as u64, header };
                let (size, rest) = (header.size as u64, self.end - found.position);
                if size > rest || !could_follow(&found, self.log_end) {
                    continue;
                }
                // A whole window is read for a small one, too.
                if !self.afford(size.max(rest.min(WHOLE_SEGMENT_WINDOW as u64))) {
                    return Ok(None);
                }
                let mut scan = Scan::new(self.file, found.position, self.end, WHOLE_SEGMENT_WINDOW);
                if holds(&mut scan, &found)? {
                    return Ok(Some(found.position));
                }
            }
            at += last_start as u64 + 1;
        }
        Ok(None)
    }

    fn afford(&mut self, bytes: u64) -> bool {
        match self.checksum_budget.checked_sub(bytes) {
            Some(left) => {
                self.checksum_budget = left;
                true
            }
            None => {
                self.reached = self.reached.max(Some(self.log_end));
                false
            }
        }
    }
}

/// A batch that can stand somewhere behind `log_end` in the same segment.
fn could_follow(found: &Found, log_end: i64) -> bool {
    let ahead = found.header.base_offset.checked_sub(log_end);
    found.header.last_offset_delta >= 0 && ahead.is_some_and(|n| (0..=MAX_SEGMENT_OFFSETS).contains(&n))
}

fn holds<F: DiskFile>(scan: &mut Scan<F>, found: &Found) -> io::Result<bool> {
    match scan.checksum_holds(found) {
        Ok(holds) => Ok(holds),
        Err(Halt::Bad { .. }) => Ok(false),
        Err(Halt::Io(error)) => Err(error),
    }
}

/// Copies the end of the damaged segment and renames the later ones; returns the names and how many bytes.
/// The damaged end is still in place afterwards, and as long as it is, a crash only means doing this again:
/// cutting it is the last step.
pub(super) fn set_aside<D: Disk>(
    disk: &D,
    dir: &Path,
    damaged: &Active<D::File>,
    file_bytes: u64,
    later: &[i64],
) -> Result<(Vec<String>, u64), LogError> {
    let mut names = disk.list(dir).map_err(doing("listing", dir))?;
    let mut set_aside = Vec::new();
    let mut bytes = file_bytes.saturating_sub(damaged.bytes);
    if bytes > 0 {
        let name = free_name(&mut names, damaged.base, damaged.bytes);
        // Under its name when it is whole: who tries again on a full disk needs the room of the last try.
        let beside = dir.join(format!("{}.quarantine{UNFINISHED}", log_name(damaged.base)));
        let copied = copy(disk, &*damaged.file, damaged.bytes, file_bytes, &beside);
        if copied.is_err() {
            let _ = disk.remove(&beside);
        }
        copied.map_err(doing("writing", &beside))?;
        disk.rename(&beside, &dir.join(&name)).map_err(doing("renaming", &beside))?;
        set_aside.push(name);
    }
    for &base in later {
        let path = dir.join(log_name(base));
        let len = disk.open(&path).and_then(|file| file.len()).map_err(doing("reading", &path))?;
        if len == 0 {
            disk.remove(&path).map_err(doing("removing", &path))?;
            continue;
        }
        let name = free_name(&mut names, base, 0);
        disk.rename(&path, &dir.join(&name)).map_err(doing("renaming", &path))?;
        bytes += len;
        set_aside.push(name);
    }
    disk.sync_dir(dir).map_err(doing("syncing", dir))?;
    Ok((set_aside, bytes))
}

/// What was set aside from the segment at `base` and from those behind it, and how many bytes that is.
pub(super) fn files_from<D: Disk>(disk: &D, dir: &Path, base: i64) -> Result<(Vec<String>, u64), LogError> {
    let mut names = disk.list(dir).map_err(doing("listing", dir))?;
    names.retain(|name| {
        let log = name.split_once(SET_ASIDE).map(|(log, _)| log);
        log.and_then(base_of_log).is_some_and(|other| base <= other)
    });
    let mut bytes = 0;
    for name in &names {
        let path = dir.join(name);
        bytes += disk.open(&path).and_then(|file| file.len()).map_err(doing("reading", &path))?;
    }
    Ok((names, bytes))
}

fn free_name(taken: &mut Vec<String>, base: i64, position: u64) -> String {
    let plain = format!("{}{SET_ASIDE}{position}", log_name(base));
    let numbered = (2..).map(|n: u64| format!("{plain}-{n}"));
    let free = std::iter::once(plain.clone()).chain(numbered).find(|name| !taken.contains(name));
    let name = free.unwrap_or(plain);
    taken.push(name.clone());
    name
}

fn copy<D: Disk>(disk: &D, from: &D::File, start: u64, end: u64, to: &Path) -> io::Result<()> {
    let copy = disk.create(to)?;
    let mut piece = vec![0; WHOLE_SEGMENT_WINDOW];
    let mut at = start;
    while at < end {
        let wanted = piece.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        let filled = from.read_full_at(&mut piece[..wanted], at)?;
        if filled == 0 {
            break;
        }
        copy.write_at(&piece[..filled], at - start)?;
        at += filled as u64;
    }
    copy.sync_data()
}
