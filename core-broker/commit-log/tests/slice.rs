//! Slices: what is sent from the file without a stop in memory.
#![allow(clippy::disallowed_methods)] // measures against the folder that the log made

use std::path::Path;

use crate::support::*;
use commit_log::{Disk, Log, MemDisk, MemFile, RealDisk, Slice};

/// Batches of 1 to 4 records, in several segments.
fn filled<D: Disk>(disk: D, dir: &Path) -> Log<D> {
    let (mut log, _) = Log::open(disk, dir, small()).unwrap();
    let mut next = 0;
    for n in 0..30 {
        let records = 1 + n % 4;
        log.append(&batch(next, 1, 1000 + n, records, 40)).unwrap();
        next += records;
    }
    log.sync().unwrap();
    assert!(log.segments().len() > 3);
    log
}

fn bytes_of(slice: &Slice<MemFile>) -> Vec<u8> {
    let mut bytes = vec![0; slice.len()];
    assert_eq!(slice.read(&mut bytes).unwrap(), slice.len());
    bytes
}

/// Of every stretch: the same first batch as a read's, whole batches, nothing from `end` on, no more than
/// asked for unless it is one batch, and no less than a read gives by more than an index interval.
#[test]
fn a_slice_is_whole_batches_as_a_read_gives_them() {
    let disk = MemDisk::new();
    let log = filled(disk.clone(), dir());
    let reader = log.reader();
    let ends: Vec<i64> = headers(&read_all(&reader, 0, 1000)).iter().map(|it| it.next_offset()).collect();
    for offset in 0..log.log_end() {
        for end in &ends {
            for max_bytes in [0, 150, 300, 777, 10_000] {
                for at_least_one in [true, false] {
                    let asked = (offset, *end, max_bytes, at_least_one);
                    let read = reader.read(offset, *end, max_bytes, at_least_one).unwrap();
                    let slice = reader.slice(offset, *end, max_bytes, at_least_one).unwrap();
                    let slice = slice.map(|slice| bytes_of(&slice)).unwrap_or_default();
                    assert_eq!(slice.is_empty(), read.is_empty(), "{asked:?}");
                    let batches = headers(&slice);
                    assert!(read.starts_with(&slice), "{asked:?}");
                    assert!(batches.iter().all(|header| header.next_offset() <= *end), "{asked:?}");
                    assert!(slice.len() <= max_bytes || batches.len() == 1, "{asked:?}");
                    let largest = batches.iter().map(|header| header.size).max().unwrap_or_default();
                    let least = read.len().saturating_sub(small().index_interval_bytes as usize + largest);
                    assert!(slice.len() >= least, "{asked:?}: {} of {}", slice.len(), read.len());
                }
            }
        }
    }
}

#[test]
fn a_slice_is_read_to_its_end_though_its_segment_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = filled(RealDisk, &folder.path().join("p-0"));
    let read = log.reader().read(0, log.log_end(), 10_000, true).unwrap();
    let mut slice = log.reader().slice(0, log.log_end(), 10_000, true).unwrap().unwrap();
    log.advance_log_start(log.log_end()).unwrap();
    let (mut sent, mut buffer) = (Vec::new(), [0; 100]);
    assert_eq!(slice.read(&mut []).unwrap(), 0, "no room is no error");
    while !slice.is_empty() {
        let read = match slice.read_cached(&mut buffer).unwrap() {
            Some(read) => read,
            None => slice.read(&mut buffer).unwrap(),
        };
        sent.extend_from_slice(&buffer[..read]);
        slice.advance(read);
    }
    assert_eq!(sent, read);
    assert_eq!(slice.read(&mut buffer).unwrap(), 0);
}
