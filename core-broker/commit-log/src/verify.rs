//! Looks at everything a folder holds and tells what is wrong. Writes nothing.
//!
//! Opening checks no more than a crash can have hurt; this finds what time has: flipped bytes in a segment that
//! nobody has read for a month.

mod indexes;
mod small;

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    clean_shutdown::{self, Closed, Mark},
    compaction::{self, Checkpoint},
    disk::{Disk, DiskFile},
    error::{LogError, doing},
    recovery::{Corruption, lost},
    scan::{Chain, Found, Halt, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{accept, base_of_log, log_name},
};
use indexes::Indexes;

/// More are not told of one segment: it is beyond repair, and memory is not.
const MAX_FINDINGS: usize = 100;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub file: String,
    pub position: u64,
    /// The first offset concerned, as far as it can be told.
    pub offset: i64,
    pub reason: String,
}

/// What was seen of one segment, or of a small file beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedFile {
    pub file: String,
    pub bytes: u64,
    pub batches: u64,
    /// At most 100.
    pub findings: Vec<Finding>,
}

/// Checks a log's files one after the other, each when it is asked for.
pub struct Verify<D: Disk> {
    disk: D,
    dir: PathBuf,
    /// What the list of files tells.
    told: std::vec::IntoIter<CheckedFile>,
    small_files: std::vec::IntoIter<String>,
    segments: std::vec::IntoIter<Segment>,
    gaps_before: i64,
    /// What stands beside the segments proves that the last one reached to here.
    proven_end: i64,
}

struct Segment {
    file: String,
    base: i64,
    /// Where the next one begins; `None` for the last.
    end: Option<i64>,
    indexed: bool,
    /// As the mark of a clean shutdown tells of it.
    closed: Option<Closed>,
}

/// Checks each batch's checksum and place, and that the indexes point to batches. For a folder that nobody has
/// open; beside an open log, for the segments [`before`](Verify::before) the active one, and not beside a
/// compaction.
pub fn verify<D: Disk>(disk: D, dir: &Path) -> Result<Verify<D>, LogError> {
    let names = disk.list(dir).map_err(doing("listing", dir))?;
    // A compaction that a crash has interrupted: its segment stands for those it was made of.
    let successors: Vec<(i64, i64)> = names.iter().filter_map(|name| compaction::succeeds(name)).collect();
    let replaced = |base: i64| successors.iter().any(|(from, to)| (*from..*to).contains(&base));
    let plain = names.iter().filter_map(|name| Some((base_of_log(name)?, name.clone(), true)));
    let waiting = names.iter().filter_map(|name| Some((compaction::succeeds(name)?.0, name.clone(), false)));
    let mut files: Vec<_> = plain.filter(|(base, ..)| !replaced(*base)).chain(waiting).collect();
    files.sort();

    // Read after the names: while it is there, they were what it tells of.
    let mark = Mark::load(&disk, dir)?;
    let compacted = mark.as_ref().and_then(Mark::compacted);
    let gaps_before = match files.last() {
        Some((last, ..)) => Checkpoint::load(&disk, dir, compacted, *last)?.gaps_before,
        None => 0,
    };
    let proven_end = lost::proven_end(&disk, dir, &names, mark.as_ref(), !files.is_empty())?;
    let mut told = Vec::new();
    if let Some(Corruption { file, position, offset, reason, .. }) = Corruption::load(&disk, dir)? {
        let reason = format!("{reason}; it was being mended, and will be at the next opening");
        told.push(one_finding(file, position, offset, reason));
    }
    if files.is_empty() && proven_end > 0 {
        let reason = format!("all segments are gone; the log had reached offset {proven_end}");
        told.push(one_finding(log_name(0), 0, 0, reason));
    }
    if compacted.is_some() && !names.iter().any(|name| name == Checkpoint::FILE) {
        let reason = "it is missing; the mark of the clean shutdown tells of it".to_owned();
        told.push(one_finding(Checkpoint::FILE.to_owned(), 0, 0, reason));
    }
    let listed = mark.iter().flat_map(|mark| &mark.segments).filter(|closed| !closed.is_empty());
    for closed in listed.filter(|_| !files.is_empty()) {
        if files.binary_search_by_key(&closed.base, |(base, ..)| *base).is_err() {
            told.push(one_finding(log_name(closed.base), 0, closed.base, lost::shorter(0, closed)));
        }
    }
    let told = told.into_iter();
    // The last segment's indexes are in memory until the log is closed.
    let closed = names.iter().any(|name| name == clean_shutdown::FILE);
    let ends: Vec<Option<i64>> = files.iter().skip(1).map(|(base, ..)| Some(*base)).chain([None]).collect();
    let segments = files.into_iter().zip(ends).map(|((base, file, in_place), end)| {
        let indexed = in_place && (end.is_some() || closed);
        let closed = mark.as_ref().filter(|_| in_place).and_then(|mark| mark.segment(base));
        Segment { file, base, end, indexed, closed }
    });
    let segments = segments.collect::<Vec<_>>().into_iter();
    let small_files: Vec<String> = names.into_iter().filter(|name| small::is_one(name)).collect();
    let small_files = small_files.into_iter();
    Ok(Verify { disk, dir: dir.to_owned(), told, small_files, segments, gaps_before, proven_end })
}

fn one_finding(file: String, position: u64, offset: i64, reason: String) -> CheckedFile {
    let findings = vec![Finding { file: file.clone(), position, offset, reason }];
    CheckedFile { file, bytes: 0, batches: 0, findings }
}

impl<D: Disk> Verify<D> {
    /// Of the segments, only those that end at `offset` or before it.
    pub fn before(self, offset: i64) -> Verify<D> {
        let ended = |segment: &Segment| segment.end.is_some_and(|end| end <= offset);
        let segments: Vec<Segment> = self.segments.filter(ended).collect();
        Verify { segments: segments.into_iter(), ..self }
    }

    fn check(&self, segment: &Segment) -> io::Result<CheckedFile> {
        let file = self.disk.open(&self.dir.join(&segment.file))?;
        let bytes = file.len()?;
        let seen = CheckedFile { file: segment.file.clone(), bytes, batches: 0, findings: Vec::new() };
        let chain = Chain::from(segment.base, self.gaps_before);
        let mut walk = Walk { seen, segment, chain, proven_end: self.proven_end };
        let mut indexes = None;
        if segment.indexed {
            indexes = Indexes::load(&self.disk, &self.dir, segment.base, bytes, &mut walk.seen.findings)?;
        }
        let whole = walk.batches(&file, bytes, indexes.as_mut())?;
        if let (true, Some(indexes)) = (whole, indexes) {
            walk.seen.findings.extend(indexes.rest());
        }
        walk.seen.findings.truncate(MAX_FINDINGS);
        Ok(walk.seen)
    }
}

impl<D: Disk> Iterator for Verify<D> {
    type Item = CheckedFile;

    fn next(&mut self) -> Option<CheckedFile> {
        if let Some(told) = self.told.next() {
            return Some(told);
        }
        loop {
            let (file, offset, checked) = match self.small_files.next() {
                Some(file) => {
                    let checked = small::check(&self.disk, &self.dir, &file);
                    (file, 0, checked)
                }
                None => {
                    let segment = self.segments.next()?;
                    let checked = self.check(&segment);
                    (segment.file, segment.base, checked)
                }
            };
            match checked {
                Ok(checked) => return Some(checked),
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let reason = format!("cannot be read: {error}");
                    let findings = vec![Finding { file: file.clone(), position: 0, offset, reason }];
                    return Some(CheckedFile { file, bytes: 0, batches: 0, findings });
                }
            }
        }
    }
}

/// Through one segment.
struct Walk<'a> {
    seen: CheckedFile,
    segment: &'a Segment,
    chain: Chain,
    proven_end: i64,
}

impl Walk<'_> {
    /// All batches; `false` if the walk had to end before the segment does.
    fn batches<F: DiskFile>(
        &mut self,
        file: &F,
        bytes: u64,
        mut indexes: Option<&mut Indexes>,
    ) -> io::Result<bool> {
        let mut scan = Scan::new(file, 0, bytes, WHOLE_SEGMENT_WINDOW);
        while self.seen.findings.len() < MAX_FINDINGS {
            let found = match scan.next() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.ends_at(bytes);
                    return Ok(true);
                }
                Err(Halt::Io(error)) => return Err(error),
                Err(Halt::Bad { position, reason }) => {
                    self.tell(position, format!("{reason}; what is behind it is not looked at"));
                    return Ok(false);
                }
            };
            self.seen.batches += 1;
            match scan.checksum_holds(&found) {
                Ok(true) => {}
                Ok(false) => self.tell(found.position, "the checksum does not hold".to_owned()),
                Err(Halt::Io(error)) => return Err(error),
                Err(Halt::Bad { position, reason }) => self.tell(position, reason),
            }
            self.follow(&found);
            if let Some(indexes) = &mut indexes {
                self.seen.findings.extend(indexes.meet(&found));
            }
        }
        Ok(false)
    }

    /// After a batch that does not follow, what follows on it is as it should be.
    fn follow(&mut self, found: &Found) {
        if let Err(Halt::Bad { position, reason }) = accept(self.segment.base, &mut self.chain, found) {
            self.tell(position, reason);
            self.chain = Chain::from(found.header.next_offset(), self.chain.gaps_before);
        }
    }

    fn ends_at(&mut self, bytes: u64) {
        let ends_at = self.chain.next_offset;
        match self.segment.end {
            Some(end) if !self.chain.reaches(end) => {
                self.tell(bytes, format!("it ends at offset {ends_at}, the next begins at {end}"));
            }
            None if ends_at < self.proven_end => {
                self.tell(
                    bytes,
                    format!("it ends at offset {ends_at}, the log had reached {}", self.proven_end),
                );
            }
            _ => {
                let shorter = self.segment.closed.filter(|closed| bytes < closed.bytes);
                if let Some(closed) = shorter {
                    self.tell(bytes, lost::shorter(bytes, &closed));
                }
            }
        }
    }

    fn tell(&mut self, position: u64, reason: String) {
        let (file, offset) = (self.seen.file.clone(), self.chain.next_offset);
        self.seen.findings.push(Finding { file, position, offset, reason });
    }
}
