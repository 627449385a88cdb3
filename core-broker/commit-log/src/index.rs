//! Sparse indexes of a sealed segment, searched on disk: memory does not grow with the log.

use std::{io, path::Path};

use crate::{
    disk::{Disk, DiskFile},
    error::{LogError, doing},
};

/// A row of an index. Keys and values rise strictly from row to row.
pub(crate) trait Entry: Copy {
    const BYTES: usize;
    type Key: Ord + Copy;

    fn key(&self) -> Self::Key;
    fn value(&self) -> u32;
    fn put(&self, out: &mut Vec<u8>);
    /// `row` has [`BYTES`](Entry::BYTES) bytes.
    fn get(row: &[u8]) -> Self;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// Of the last record in the batch.
    pub relative_offset: u32,
    pub position: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub timestamp: i64,
    pub relative_offset: u32,
}

/// A written index. It only points into the log: who follows it checks what stands there.
pub(crate) struct IndexFile<F, E> {
    file: F,
    entries: u64,
    entry: std::marker::PhantomData<fn() -> E>,
}

/// The last entry whose key is not above `key`.
pub(crate) fn floor<E: Entry>(entries: &[E], key: E::Key) -> Option<E> {
    last_that(entries, |entry| entry.key() <= key)
}

/// The last entry that is `wanted`, as all before it are.
pub(crate) fn last_that<E: Entry>(entries: &[E], wanted: impl Fn(&E) -> bool) -> Option<E> {
    let after = entries.partition_point(wanted);
    after.checked_sub(1).map(|at| entries[at])
}

impl<F: DiskFile, E: Entry> IndexFile<F, E> {
    /// Written and synced; its name is durable after a sync of the folder.
    pub fn write<D: Disk<File = F>>(disk: &D, path: &Path, entries: &[E]) -> Result<Self, LogError> {
        let mut bytes = Vec::with_capacity(entries.len() * E::BYTES);
        entries.iter().for_each(|entry| entry.put(&mut bytes));
        let write = || -> io::Result<F> {
            let file = disk.create(path)?;
            file.write_at(&bytes, 0)?;
            file.sync_data()?;
            Ok(file)
        };
        let file = write().map_err(doing("writing", path))?;
        Ok(IndexFile { file, entries: entries.len() as u64, entry: std::marker::PhantomData })
    }

    /// `None` if there is no such file or its length cannot be that of an index.
    pub fn open<D: Disk<File = F>>(disk: &D, path: &Path) -> Result<Option<Self>, LogError> {
        let open = || -> io::Result<(F, u64)> {
            let file = disk.open(path)?;
            let len = file.len()?;
            Ok((file, len))
        };
        match open() {
            Ok((file, len)) if len % E::BYTES as u64 == 0 => {
                let entries = len / E::BYTES as u64;
                Ok(Some(IndexFile { file, entries, entry: std::marker::PhantomData }))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(doing("opening", path)(error)),
        }
    }

    pub fn floor(&self, key: E::Key) -> io::Result<Option<E>> {
        self.last_that(|entry| entry.key() <= key)
    }

    /// The last entry that is `wanted`, as all before it are.
    pub fn last_that(&self, wanted: impl Fn(&E) -> bool) -> io::Result<Option<E>> {
        let (mut low, mut high) = (0, self.entries);
        let mut best = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(entry) = self.entry(middle)? else { return Ok(None) };
            if wanted(&entry) {
                (low, best) = (middle + 1, Some(entry));
            } else {
                high = middle;
            }
        }
        Ok(best)
    }

    pub fn last(&self) -> io::Result<Option<E>> {
        self.entries.checked_sub(1).map_or(Ok(None), |last| self.entry(last))
    }

    /// All entries, or `None` if they do not rise, or are more than a segment of `max_entries` batches has.
    pub fn load(&self, max_entries: u64) -> io::Result<Option<Vec<E>>> {
        if self.entries > max_entries {
            return Ok(None);
        }
        let mut bytes = vec![0; self.entries as usize * E::BYTES];
        let filled = self.file.read_full_at(&mut bytes, 0)?;
        let entries: Vec<E> = bytes[..filled].chunks_exact(E::BYTES).map(E::get).collect();
        let rise = entries.is_sorted_by(|a, b| a.key() < b.key() && a.value() < b.value());
        Ok((rise && entries.len() as u64 == self.entries).then_some(entries))
    }

    fn entry(&self, at: u64) -> io::Result<Option<E>> {
        let mut row = [0; 16];
        let row = &mut row[..E::BYTES];
        let filled = self.file.read_full_at(row, at * E::BYTES as u64)?;
        Ok((filled == E::BYTES).then(|| E::get(row)))
    }
}

impl Entry for OffsetEntry {
    const BYTES: usize = 8;
    type Key = u32;

    fn key(&self) -> u32 {
        self.relative_offset
    }

    fn value(&self) -> u32 {
        self.position
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }

    fn get(row: &[u8]) -> OffsetEntry {
        OffsetEntry {
            relative_offset: u32::from_be_bytes(part(row, 0)),
            position: u32::from_be_bytes(part(row, 4)),
        }
    }
}

impl Entry for TimeEntry {
    const BYTES: usize = 12;
    type Key = i64;

    fn key(&self) -> i64 {
        self.timestamp
    }

    fn value(&self) -> u32 {
        self.relative_offset
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
    }

    fn get(row: &[u8]) -> TimeEntry {
        TimeEntry {
            timestamp: i64::from_be_bytes(part(row, 0)),
            relative_offset: u32::from_be_bytes(part(row, 8)),
        }
    }
}

fn part<const N: usize>(row: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&row[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemDisk;

    fn entry(relative_offset: u32, position: u32) -> OffsetEntry {
        OffsetEntry { relative_offset, position }
    }

    #[test]
    fn a_lookup_finds_the_last_entry_not_above_the_key() {
        let disk = MemDisk::new();
        let path = Path::new("p/i");
        disk.create_dir_all(Path::new("p")).unwrap();
        let entries = [entry(3, 0), entry(9, 4100), entry(20, 9000)];
        let file = IndexFile::write(&disk, path, &entries).unwrap();
        for (key, at) in [(0, None), (2, None), (3, Some(0)), (8, Some(0)), (9, Some(1)), (99, Some(2))] {
            let expected = at.map(|at: usize| entries[at]);
            assert_eq!(file.floor(key).unwrap(), expected, "key {key}");
            assert_eq!(floor(&entries, key), expected, "key {key}");
        }
        assert_eq!(disk.bytes(path).unwrap()[8..16], [0, 0, 0, 9, 0, 0, 0x10, 0x04]);
    }

    #[test]
    fn an_index_that_does_not_rise_is_not_loaded() {
        let disk = MemDisk::new();
        let path = Path::new("p/i");
        disk.create_dir_all(Path::new("p")).unwrap();
        for (entries, whole) in [
            (vec![], true),
            (vec![entry(1, 0), entry(2, 5)], true),
            (vec![entry(2, 0), entry(2, 5)], false),
            (vec![entry(1, 5), entry(2, 0)], false),
        ] {
            let file = IndexFile::write(&disk, path, &entries).unwrap();
            assert_eq!(file.load(10).unwrap(), whole.then_some(entries));
        }
        disk.overwrite(path, vec![0; 7]);
        assert!(IndexFile::<_, OffsetEntry>::open(&disk, path).unwrap().is_none());
        disk.overwrite(path, vec![0; 8 * 11]);
        assert!(IndexFile::<_, OffsetEntry>::open(&disk, path).unwrap().unwrap().load(10).unwrap().is_none());
    }
}
