//! The batch with the largest timestamp, for a consumer that wants to know how fresh a topic is.

use commit_log::{Log, MemDisk};

use crate::support::*;

/// One batch of one record per timestamp; segments of three.
fn filled(disk: &MemDisk, timestamps: &[i64]) -> Log<MemDisk> {
    let (mut log, _) = open(disk);
    for (offset, timestamp) in timestamps.iter().enumerate() {
        log.append(&batch(offset as i64, 0, *timestamp, 1, 20)).unwrap();
        if offset % 3 == 2 {
            log.roll().unwrap();
        }
    }
    log.sync().unwrap();
    log
}

#[test]
fn the_first_of_the_latest_batches_is_found() {
    let table = [
        // timestamps, log start, end -> offset
        (&[][..], 0, 9, None),
        (&[-1, -1], 0, 9, None),
        (&[5, 9, 7], 0, 9, Some(1)),
        (&[5, 9, 9, 9, 9], 0, 9, Some(1)),
        (&[5, 9, 7, 8, 12, 3, 1], 0, 7, Some(4)),
        (&[5, 9, 7, 8, 12, 3, 1], 0, 5, Some(4)),
        (&[5, 9, 7, 8, 12, 3, 1], 0, 4, Some(1)), // 12 is beyond the end
        (&[5, 9, 7, 8, 12, 3, 1], 0, 1, Some(0)),
        (&[5, 9, 7, 8, 12, 3, 1], 0, 0, None),
        (&[20, 9, 7, 8, 12, 3, 1], 1, 4, Some(1)), // 20 is deleted
        (&[20, 9, 7, 8, 12, 3, 1], 5, 7, Some(5)),
        (&[20, 9, 7, 8, 12, 3, 1], 7, 7, None),
        (&[1, 1, 1, 1, 1, 1, 30], 0, 6, Some(0)),
        (&[1, 1, 1, 1, 1, 1, 30], 0, 7, Some(6)),
    ];
    for (timestamps, log_start, end, expected) in table {
        let disk = MemDisk::new();
        let mut log = filled(&disk, timestamps);
        log.advance_log_start(log_start).unwrap();
        let check = |log: &Log<MemDisk>| {
            let found = log.reader().max_timestamp(end).unwrap();
            let told = found.map(|header| (header.base_offset, header.max_timestamp));
            let expected = expected.map(|at: usize| (at as i64, timestamps[at]));
            assert_eq!(told, expected, "{timestamps:?} from {log_start} to {end}");
        };
        check(&log);
        check(&open(&disk.crash(0)).0);
        log.close().unwrap();
        check(&open(&disk).0);
    }
}
