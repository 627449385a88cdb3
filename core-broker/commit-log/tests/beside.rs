//! Readers on other threads beside the writer.
#![allow(clippy::disallowed_methods)] // the threads are what is tested

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use commit_log::{Log, LogReader, MemDisk, RealDisk};

use crate::support::*;

fn expected(offset: i64) -> Vec<u8> {
    batch(offset, 0, offset, 1, 100)
}

#[test]
fn a_reader_sees_whole_batches_in_order_while_they_are_appended() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(RealDisk, &folder.path().join("p"), small()).unwrap();
    const LAST: i64 = 600;
    thread::scope(|scope| {
        for max_bytes in [1, 350, 5000] {
            let reader = log.reader();
            scope.spawn(move || {
                let mut next = 0;
                while next < LAST {
                    let piece = reader.read(next, reader.log_end(), max_bytes, true).unwrap();
                    for header in headers(&piece) {
                        assert_eq!(header.base_offset, next);
                        next += 1;
                    }
                    if piece.is_empty() {
                        thread::yield_now();
                    }
                }
                let found = reader.offset_for_timestamp(LAST / 2).unwrap().unwrap();
                assert_eq!(found.base_offset, LAST / 2);
            });
        }
        for offset in 0..LAST {
            log.append(&expected(offset)).unwrap();
        }
    });
}

#[test]
fn a_reader_never_sees_both_sides_of_a_cut() {
    let (mut log, _) = open(&MemDisk::new());
    let done = AtomicBool::new(false);
    let read_on = |reader: LogReader<MemDisk>| {
        while !done.load(SeqCst) {
            // What is out of range after a cut is an error; what is answered is whole and in order.
            if let Ok(piece) = reader.read(10, i64::MAX, 2000, true) {
                for (n, header) in headers(&piece).iter().enumerate() {
                    assert_eq!(header.base_offset, 10 + n as i64);
                }
            }
        }
    };
    thread::scope(|scope| {
        let reader = log.reader();
        scope.spawn(|| read_on(reader));
        for round in 0..300 {
            for offset in log.log_end()..16 {
                // Other lengths each time, so that batches begin elsewhere than before the cut.
                let bytes =
                    batch(offset, round, 0, 1, 50 + (round as usize * 37 + offset as usize * 11) % 200);
                log.append(&bytes).unwrap();
            }
            log.truncate_to(i64::from(round) % 7 + 8).unwrap();
        }
        done.store(true, SeqCst);
    });
}
