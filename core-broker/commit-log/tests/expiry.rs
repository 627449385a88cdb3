//! How the old end of a log goes, and stays gone.

use commit_log::{Disk, Log, LogError, MemDisk, ReadError, RealDisk, Retention};

use crate::support::*;

/// Batches of two: offsets 0-1, 2-3, ... 10-11; segments from 0, 6 and 10.
fn filled<D: Disk>(disk: &D) -> Log<D> {
    let (mut log, _) = open(disk);
    for n in 0..6 {
        log.append(&batch(2 * n, n as i32, 1000 * n, 2, 100)).unwrap();
        if n == 2 || n == 4 {
            log.roll().unwrap();
        }
    }
    log.sync().unwrap();
    assert_eq!(bases(&log), [0, 6, 10]);
    log
}

fn bases<D: Disk>(log: &Log<D>) -> Vec<i64> {
    log.segments().iter().map(|segment| segment.base_offset).collect()
}

fn is_out_of_range(log: &Log<MemDisk>, offset: i64) -> bool {
    let read = log.reader().read(offset, log.log_end(), 100, true);
    matches!(read, Err(ReadError::OffsetOutOfRange { .. }))
}

#[test]
fn the_log_start_moves_inside_a_segment_and_never_back() {
    let table = [
        // asked, log start, segments left
        (0, 0, &[0, 6, 10][..]),
        (1, 1, &[0, 6, 10]),
        (5, 5, &[0, 6, 10]),
        (6, 6, &[6, 10]),
        (9, 9, &[6, 10]),
        (11, 11, &[10]),
        (12, 12, &[10]),
    ];
    for (asked, log_start, left) in table {
        let disk = MemDisk::new();
        let mut log = filled(&disk);
        assert_eq!(log.advance_log_start(asked).unwrap(), log_start);
        assert_eq!(log.advance_log_start(asked - 1).unwrap(), log_start, "not back");
        let check = |log: &Log<MemDisk>| {
            assert_eq!(
                (log.log_start(), log.reader().log_start(), log.log_end()),
                (log_start, log_start, 12)
            );
            assert_eq!(bases(log), left, "{asked}");
            assert!(is_out_of_range(log, log_start - 1));
            let from = log_start / 2 * 2; // a read gives the whole batch that holds the offset
            let all: Vec<u8> = (from / 2..6).flat_map(|n| batch(2 * n, n as i32, 1000 * n, 2, 100)).collect();
            assert_eq!(read_all(&log.reader(), log_start, 100), all, "{asked}");
            let earliest = log.reader().offset_for_timestamp(0).unwrap().map(|header| header.base_offset);
            assert_eq!(earliest, Some(from).filter(|from| *from < 12), "{asked}");
            let walked = log.reader().headers(log_start).count();
            assert_eq!(walked as i64, (12 - from) / 2);
        };
        check(&log);
        let (crashed, recovered) = open(&disk.crash(0));
        assert_eq!((recovered.log_start, recovered.log_end), (log_start, 12));
        check(&crashed);
        log.close().unwrap();
        let (mut log, recovered) = open(&disk);
        assert_eq!((recovered.log_start, recovered.clean_shutdown), (log_start, true));
        check(&log);
        for asked in [13, i64::MAX] {
            assert!(matches!(log.advance_log_start(asked), Err(LogError::StartOutOfRange { .. })));
        }
    }
}

#[test]
fn what_was_not_synced_is_when_the_log_start_moves() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.append(&batch(12, 9, 0, 1, 10)).unwrap();
    assert_eq!(log.advance_log_start(12).unwrap(), 12);
    assert_eq!(open(&disk.crash(0)).1.log_end, 13, "or the log would end before it starts");
}

#[test]
fn a_log_start_that_cannot_be_written_stops_nothing() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    disk.fail_write(1, 28);
    assert!(log.advance_log_start(7).unwrap_err().is_disk_full());
    assert_eq!((log.log_start(), bases(&log)), (0, vec![0, 6, 10]));
    log.append(&batch(12, 9, 0, 1, 10)).unwrap();
    assert_eq!(log.advance_log_start(7).unwrap(), 7);
}

#[test]
fn epochs_before_the_log_start_are_forgotten() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.advance_log_start(7).unwrap();
    for log in [log, open(&disk.crash(0)).0] {
        let end = |epoch| log.reader().epoch_end(epoch).map(|end| (end.epoch, end.end_offset));
        assert_eq!((end(2), end(3), end(5)), (Some((2, 7)), Some((3, 8)), Some((5, 12))));
        assert_eq!((log.reader().epoch_at(6), log.reader().epoch_at(7)), (None, Some(3)));
    }
}

#[test]
fn a_log_that_lost_all_behind_its_start_begins_there() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.write_snapshot(6, b"state").unwrap();
    log.advance_log_start(11).unwrap();
    drop(log);
    disk.overwrite(&dir().join("00000000000000000010.log"), vec![7; 100]);
    for second in 1.. {
        let cut = disk.crash(0);
        cut.cut_power_at(second);
        let done = Log::open(cut.clone(), dir(), small()).is_ok();
        for seed in 0..6 {
            let disk = cut.crash(seed);
            let (mut log, recovered) = open(&disk);
            assert_eq!((recovered.log_start, recovered.log_end), (11, 11), "cut at {second}, seed {seed}");
            log.append(&batch(11, 9, 0, 1, 10)).unwrap();
            log.sync().unwrap();
            let (log, recovered) = open(&disk.crash(0));
            assert_eq!((recovered.log_start, recovered.log_end, recovered.corruption), (11, 12, None));
            assert_eq!(headers(&read_all(&log.reader(), 11, 100)).len(), 1);
        }
        if done {
            break;
        }
    }
}

#[test]
fn a_damaged_start_is_the_first_segments() {
    let disk = MemDisk::new();
    filled(&disk).advance_log_start(9).unwrap();
    for damage in [vec![], b"9".to_vec(), b"1 00000000\n9\n".to_vec(), vec![0xff; 3000]] {
        let disk = disk.crash(0);
        disk.overwrite(&dir().join("log-start-offset"), damage);
        assert_eq!(open(&disk).1.log_start, 6);
    }
}

#[test]
fn a_cut_at_the_log_start_never_leaves_an_end_before_it() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.advance_log_start(7).unwrap();
    assert!(matches!(log.truncate_to(6), Err(LogError::CutOutOfRange { log_start: 7, .. })));
    assert_eq!(log.truncate_to(7).unwrap(), 7, "the batch 6-7 goes, and what is left of it was deleted");
    for log in [log, open(&disk.crash(0)).0] {
        assert_eq!((log.log_start(), log.log_end(), bases(&log)), (7, 7, vec![7]));
    }
}

#[test]
fn a_log_restarts_at_an_offset_whenever_the_power_goes() {
    for at in 1.. {
        let disk = MemDisk::new();
        let mut log = filled(&disk);
        assert!(log.restart_at(-1).is_err());
        log.write_snapshot(8, b"state").unwrap();
        log.close().unwrap();
        let before = disk.operations();
        let (mut log, _) = open(&disk);
        disk.cut_power_at(before + at);
        let restarted = log.restart_at(50).is_ok();
        for seed in 0..8 {
            let (log, recovered) = open(&disk.crash(seed));
            assert_eq!(recovered.corruption, None, "cut at {at}, seed {seed}");
            let found = (recovered.log_start, recovered.log_end);
            assert!(found == (50, 50) || (!restarted && found == (0, 12)), "{found:?}, cut at {at}");
            assert!(found == (0, 12) || log.latest_snapshot().unwrap().is_none());
            assert_eq!(log.reader().epoch_end(0).is_none(), found == (50, 50));
        }
        if restarted {
            disk.restart_process();
            log.append(&batch(50, 0, 0, 1, 10)).unwrap();
            assert_eq!(log.sync().unwrap(), 51);
            break;
        }
    }
}

#[test]
fn what_retention_does_not_keep_is_deleted_also_the_active_segment() {
    let age = |ms| Retention { max_age_ms: Some(ms), max_bytes: None };
    let bytes = |bytes| Retention { max_age_ms: None, max_bytes: Some(bytes) };
    let table = [
        // retention, high watermark, now -> log start
        (age(1000), 12, 3001, 0),
        (age(1000), 12, 3002, 6), // the youngest of the first segment has 2001
        (age(1000), 12, 6001, 10),
        (age(1000), 12, 6002, 12),
        (age(1000), 10, 9999, 10),
        (age(1000), 5, 9999, 0),
        (bytes(800), 12, 0, 6),
        (bytes(0), 12, 0, 12),
        (Retention::default(), 12, i64::MAX, 0),
    ];
    for (retention, high_watermark, now_ms, log_start) in table {
        let disk = MemDisk::new();
        let mut log = filled(&disk);
        while log.expire_oldest(&retention, high_watermark, now_ms).unwrap().is_some() {}
        assert_eq!(log.log_start(), log_start, "{retention:?} {now_ms}");
        log.append(&batch(12, 9, 9000, 1, 10)).unwrap();
        log.sync().unwrap();
        let (log, recovered) = open(&disk.crash(0));
        assert_eq!((recovered.log_start, recovered.log_end), (log_start, 13));
        assert!(is_out_of_range(&log, log_start - 1));
    }
}

#[test]
fn a_segment_goes_at_a_time_and_whoever_reads_it_finishes() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    let all = Retention { max_age_ms: None, max_bytes: Some(0) };
    let mut headers = log.reader().headers(0);
    assert_eq!(headers.next().unwrap().unwrap().base_offset, 0);
    for log_start in [6, 10, 12] {
        let removed = log.expire_oldest(&all, 12, 0).unwrap().unwrap();
        assert!(removed.bytes() > 0);
        assert_eq!(log.log_start(), log_start);
    }
    assert!(log.expire_oldest(&all, 12, 0).unwrap().is_none());
    let rest: Vec<i64> = headers.by_ref().take(2).map(|header| header.unwrap().base_offset).collect();
    assert_eq!(rest, [2, 4], "of the segment that was being read");
}

#[test]
fn ages_are_known_in_every_life() {
    let told = |log: &Log<MemDisk>| -> Vec<_> {
        log.segments().iter().map(|segment| (segment.first_timestamp, segment.max_timestamp)).collect()
    };
    let expected = [(Some(1), Some(2001)), (Some(3001), Some(4001)), (Some(5001), Some(5001))];
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    assert_eq!(told(&log), expected);
    assert_eq!(told(&open(&disk.crash(0)).0), expected);
    log.truncate_to(10).unwrap();
    assert_eq!(told(&log), [expected[0], expected[1], (None, None)]);
    log.truncate_to(8).unwrap();
    assert_eq!(told(&log), [expected[0], (Some(3001), Some(3001))]);
    log.close().unwrap();
    assert_eq!(told(&open(&disk).0), [expected[0], (Some(3001), Some(3001))]);
}

#[test]
fn real_files_go_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p");
    let (mut log, _) = Log::open(RealDisk, &path, small()).unwrap();
    for n in 0..8 {
        log.append(&batch(n, 0, n, 1, 250)).unwrap();
    }
    log.advance_log_start(4).unwrap();
    drop(log);
    let (log, recovered) = Log::open(RealDisk, &path, small()).unwrap();
    assert_eq!((recovered.log_start, bases(&log)), (4, vec![3, 6]));
    let names = RealDisk.list(&path).unwrap();
    assert!(!names.iter().any(|name| name.starts_with("00000000000000000000.")), "{names:?}");
}
