//! Whether a segment's indexes say what its batches say.

use std::{io, path::Path};

use kafka_wire::record_batch::HEADER_BYTES;

use super::Finding;
use crate::{
    disk::Disk,
    error::LogError,
    index::{Entry, IndexFile, OffsetEntry, TimeEntry},
    scan::Found,
    segment::{index_name, points_to, time_index_name},
};

pub(super) struct Indexes {
    base: i64,
    offsets: Rows<OffsetEntry>,
    times: Rows<TimeEntry>,
    max_timestamp: Option<i64>,
}

/// The entries of one index, and how many of them have met their batch.
struct Rows<E> {
    file: String,
    entries: Vec<E>,
    met: usize,
}

impl Indexes {
    /// An index that cannot be loaded is a finding; without both there is nothing to compare.
    pub fn load<D: Disk>(
        disk: &D,
        dir: &Path,
        base: i64,
        log_bytes: u64,
        findings: &mut Vec<Finding>,
    ) -> io::Result<Option<Indexes>> {
        let most = log_bytes / HEADER_BYTES as u64;
        let offsets = Rows::load(disk, dir, index_name(base), base, most, findings)?;
        let times = Rows::load(disk, dir, time_index_name(base), base, most, findings)?;
        let both = offsets.zip(times);
        Ok(both.map(|(offsets, times)| Indexes { base, offsets, times, max_timestamp: None }))
    }

    /// The next batch of the segment.
    pub fn meet(&mut self, found: &Found) -> Option<Finding> {
        self.max_timestamp = self.max_timestamp.max(Some(found.header.max_timestamp));
        let (base, last, max_timestamp) = (self.base, found.header.last_offset(), self.max_timestamp);
        let offset_of = |entry: &TimeEntry| base.saturating_add(i64::from(entry.relative_offset));
        let by_position = self
            .offsets
            .meet(|entry| u64::from(entry.position) <= found.position, |entry| points_to(base, entry, found));
        let by_time = self.times.meet(
            |entry| offset_of(entry) <= last,
            |entry| offset_of(entry) == last && Some(entry.timestamp) == max_timestamp,
        );
        by_position.or(by_time).map(|told| Finding { offset: found.header.base_offset, ..told })
    }

    /// After the last batch.
    pub fn rest(mut self) -> Vec<Finding> {
        let last_time = self.times.entries.last().map(|entry| entry.timestamp);
        let short = (last_time != self.max_timestamp).then(|| Finding {
            file: self.times.file.clone(),
            position: (self.times.entries.len() * TimeEntry::BYTES) as u64,
            offset: self.base,
            reason: "its last entry does not tell the segment's largest timestamp".to_owned(),
        });
        let beyond = [self.offsets.meet(|_| true, |_| false), self.times.meet(|_| true, |_| false)];
        let beyond = beyond.into_iter().flatten().map(|told| Finding { offset: self.base, ..told });
        beyond.chain(short).collect()
    }
}

impl<E: Entry> Rows<E> {
    fn load<D: Disk>(
        disk: &D,
        dir: &Path,
        file: String,
        base: i64,
        most: u64,
        findings: &mut Vec<Finding>,
    ) -> io::Result<Option<Rows<E>>> {
        let mut tell = |reason: &str| {
            findings.push(Finding {
                file: file.clone(),
                position: 0,
                offset: base,
                reason: reason.to_owned(),
            });
            Ok(None)
        };
        let index = match IndexFile::<D::File, E>::open(disk, &dir.join(&file)) {
            Ok(index) => index,
            Err(LogError::Io { source, .. }) => return Err(source),
            Err(other) => return Err(io::Error::other(other)),
        };
        let Some(index) = index else {
            return tell("it is missing, or its length is not that of an index");
        };
        match index.load(most)? {
            Some(entries) => Ok(Some(Rows { file, entries, met: 0 })),
            None => tell("its entries do not rise"),
        }
    }

    /// Takes the entries that are `due`; tells of the first that is not `right`.
    fn meet(&mut self, due: impl Fn(&E) -> bool, right: impl Fn(&E) -> bool) -> Option<Finding> {
        let mut wrong = None;
        while let Some(entry) = self.entries.get(self.met).filter(|entry| due(entry)) {
            if wrong.is_none() && !right(entry) {
                let position = (self.met * E::BYTES) as u64;
                let reason = "the entry does not point to a batch that it is true of".to_owned();
                wrong = Some(Finding { file: self.file.clone(), position, offset: 0, reason });
            }
            self.met += 1;
        }
        wrong
    }
}
