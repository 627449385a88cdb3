//! What a log answers: appends, reads, timestamps, epochs, cuts; closed and opened in between.
#![allow(clippy::disallowed_methods)] // looks into the folder that the log made

use std::path::Path;

use crate::support::*;
use commit_log::{ChainError, Disk, Log, LogConfig, LogError, MemDisk, ReadError, RealDisk, verify};

/// Five batches: offsets 0-1, 2-4, 5, 6-9, 10, in two segments.
fn five_batches() -> [Vec<u8>; 5] {
    [
        batch(0, 1, 1000, 2, 100),
        batch(2, 1, 2000, 3, 100),
        batch(5, 3, 1500, 1, 100),
        batch(6, 3, 3000, 4, 100),
        batch(10, 7, 4000, 1, 100),
    ]
}

fn filled<D: Disk>(disk: &D) -> Log<D> {
    let (mut log, _) = open(disk);
    for batch in five_batches() {
        log.append(&batch).unwrap();
    }
    assert_eq!(log.sync().unwrap(), 11);
    assert_eq!(log.segments().len(), 2, "the table below means two segments");
    log
}

/// Runs a check on a log as appended, as opened after a close, and as opened after a crash.
fn in_every_life(check: impl Fn(&mut Log<MemDisk>)) {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    let (mut after_crash, recovered) = open(&disk.crash(0));
    assert!(!recovered.clean_shutdown);
    check(&mut after_crash);
    check(&mut log);
    let disk = MemDisk::new();
    filled(&disk).close().unwrap();
    let (mut after_close, recovered) = open(&disk);
    assert!(recovered.clean_shutdown);
    check(&mut after_close);
}

#[test]
fn a_read_gives_whole_batches_from_the_one_that_holds_the_offset() {
    let b = five_batches();
    let size = |n: usize| b[n].len();
    let table = [
        // offset, end, max_bytes, at_least_one -> batches
        (0, 11, 10_000, true, 0..3), // the segment ends here
        (1, 11, 10_000, true, 0..3),
        (3, 11, 10_000, true, 1..3),
        (4, 11, size(1), true, 1..2),
        (4, 11, size(1) - 1, true, 1..2),
        (4, 11, size(1) - 1, false, 0..0),
        (2, 11, size(1) + size(2) - 1, false, 1..2),
        (2, 11, size(1) + size(2), false, 1..3),
        (5, 6, 10_000, true, 2..3),
        (5, 5, 10_000, true, 0..0),
        (0, 5, 10_000, true, 0..2),
        (6, 9, 10_000, true, 0..0), // ends inside a batch
        (6, 11, 10_000, true, 3..5),
        (9, 10, 10_000, true, 3..4),
        (10, 11, 0, true, 4..5),
        (11, 11, 10_000, true, 0..0),
        (11, 99, 10_000, true, 0..0),
    ];
    in_every_life(|log| {
        let reader = log.reader();
        for (offset, end, max_bytes, at_least_one, expected) in table.clone() {
            let read = reader.read(offset, end, max_bytes, at_least_one).unwrap();
            let expected = b[expected].concat();
            assert_eq!(read, expected, "read({offset}, {end}, {max_bytes}, {at_least_one})");
        }
        for offset in [-1, 12, i64::MIN, i64::MAX] {
            let refused = reader.read(offset, 11, 100, true).unwrap_err();
            let ReadError::OffsetOutOfRange { start: 0, end: 11, .. } = refused else { panic!("{refused}") };
        }
    });
}

#[test]
fn a_timestamp_leads_to_the_first_batch_that_reaches_it() {
    let table = [
        // timestamp -> base offset, leader epoch
        (i64::MIN, Some((0, 1))),
        (0, Some((0, 1))),
        (1001, Some((0, 1))),
        (1002, Some((2, 1))),
        (1500, Some((2, 1))), // the batch at 5 has it, but an earlier one is later
        (2002, Some((2, 1))),
        (2003, Some((6, 3))),
        (3004, Some((10, 7))),
        (4000, Some((10, 7))),
        (4001, None),
        (i64::MAX, None),
    ];
    in_every_life(|log| {
        for (timestamp, expected) in table {
            let found = log.reader().offset_for_timestamp(timestamp).unwrap();
            let found = found.map(|header| (header.base_offset, header.partition_leader_epoch));
            assert_eq!(found, expected, "timestamp {timestamp}");
        }
    });
}

#[test]
fn epochs_are_known_from_the_batches() {
    in_every_life(|log| {
        let reader = log.reader();
        for (epoch, end) in [
            (0, Some((0, 0))),
            (1, Some((1, 5))),
            (2, Some((1, 5))),
            (3, Some((3, 10))),
            (7, Some((7, 11))),
            (8, None),
        ] {
            let found = reader.epoch_end(epoch).map(|end| (end.epoch, end.end_offset));
            assert_eq!(found, end, "epoch {epoch}");
        }
        for (offset, epoch) in
            [(-1, None), (0, Some(1)), (4, Some(1)), (5, Some(3)), (10, Some(7)), (11, Some(7)), (12, None)]
        {
            assert_eq!(reader.epoch_at(offset), epoch, "offset {offset}");
        }
    });
}

#[test]
fn headers_come_in_order_from_any_offset() {
    in_every_life(|log| {
        for (from, expected) in
            [(0, vec![0, 2, 5, 6, 10]), (4, vec![2, 5, 6, 10]), (10, vec![10]), (11, vec![])]
        {
            let found: Vec<i64> =
                log.reader().headers(from).map(|header| header.unwrap().base_offset).collect();
            assert_eq!(found, expected, "from {from}");
        }
        assert!(log.reader().headers(-5).next().unwrap().is_err());
    });
}

#[test]
fn a_cut_drops_the_batch_that_holds_the_offset_and_the_log_goes_on_from_there() {
    let b = five_batches();
    for (offset, log_end) in [(11, 11), (10, 10), (8, 6), (6, 6), (5, 5), (4, 2), (1, 0), (0, 0)] {
        in_every_life(|log| {
            assert_eq!(log.truncate_to(offset).unwrap(), log_end, "cut at {offset}");
            assert_eq!((log.log_end(), log.flushed_end()), (log_end, log_end));
            let kept: Vec<u8> =
                b.iter().filter(|b| headers(b)[0].next_offset() <= log_end).flatten().copied().collect();
            assert_eq!(read_all(&log.reader(), 0, 10_000), kept, "cut at {offset}");
            let more = batch(log_end, 9, 9000, 1, 50);
            log.append(&more).unwrap();
            assert_eq!(log.sync().unwrap(), log_end + 1);
            assert_eq!(read_all(&log.reader(), log_end, 10_000), more);
            assert_eq!(log.reader().epoch_at(log_end), Some(9));
            assert_eq!(log.reader().offset_for_timestamp(8000).unwrap().unwrap().base_offset, log_end);
        });
    }
    in_every_life(|log| {
        for offset in [-1, 12] {
            assert!(matches!(log.truncate_to(offset), Err(LogError::CutOutOfRange { .. })));
        }
        assert_eq!(log.log_end(), 11);
    });
}

#[test]
fn old_segments_go_and_the_active_one_stays() {
    for (offset, log_start) in [(0, 0), (5, 0), (6, 6), (11, 6), (99, 6)] {
        in_every_life(|log| {
            let before = log.reader();
            assert_eq!(log.delete_segments_before(offset).unwrap(), log_start, "before {offset}");
            assert_eq!(log.log_start(), log_start);
            assert_eq!(before.read(0, 11, 100, true).is_ok(), log_start == 0);
            assert_eq!(
                read_all(&before, log_start, 10_000),
                five_batches()[if log_start == 0 { 0 } else { 3 }..].concat()
            );
        });
    }
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.delete_segments_before(6).unwrap();
    for disk in [disk.crash(0), disk.crash(1)] {
        let (log, recovered) = open(&disk);
        assert_eq!((recovered.log_start, recovered.log_end), (6, 11));
        assert_eq!(log.reader().epoch_end(2).map(|end| (end.epoch, end.end_offset)), Some((2, 6)));
    }
}

#[test]
fn what_does_not_follow_on_the_log_is_refused_and_harms_nothing() {
    let (mut log, _) = open(&MemDisk::new());
    log.append(&batch(0, 5, 0, 2, 10)).unwrap();
    let mut cut_short = batch(2, 5, 0, 1, 10);
    cut_short.pop();
    let gap = [batch(2, 5, 0, 1, 10), batch(4, 5, 0, 1, 10)].concat();
    let refused = [
        (batch(3, 5, 0, 1, 10), "a batch begins at offset 3, 2 comes next"),
        (batch(1, 5, 0, 1, 10), "a batch begins at offset 1, 2 comes next"),
        (batch(2, 4, 0, 1, 10), "a batch has leader epoch 4, the log is at 5"),
        (gap, "a batch begins at offset 4, 3 comes next"),
        (cut_short, "batch cut short"),
        (vec![0; 5], "batch cut short"),
        (vec![0; 100], "message format 0 is not supported"),
    ];
    for (bytes, reason) in refused {
        let error = log.append(&bytes).unwrap_err().to_string();
        assert!(error.starts_with("append refused: ") && error.contains(reason), "{error}");
    }
    assert!(matches!(
        log.append(&batch(9, 5, 0, 1, 10)),
        Err(LogError::Chain(ChainError::NotContiguous { expected: 2, found: 9 }))
    ));
    log.append(&[]).unwrap();
    log.append(&batch(2, 5, 0, 1, 10)).unwrap();
    assert_eq!(log.sync().unwrap(), 3);
}

#[test]
fn several_batches_in_one_append_are_one_write() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    let before = disk.operations();
    log.append(&five_batches()[..3].concat()).unwrap();
    assert_eq!(disk.operations(), before + 1);
    assert_eq!(log.log_end(), 6);
    assert_eq!(log.flushed_end(), 0, "not synced");
    log.sync().unwrap();
    assert_eq!(disk.operations(), before + 2);
    log.sync().unwrap();
    assert_eq!(disk.operations(), before + 2, "nothing to sync");
}

#[test]
fn a_batch_larger_than_a_segment_gets_one_of_its_own() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    for offset in 0..3 {
        log.append(&batch(offset, 0, 0, 1, 5000)).unwrap();
    }
    log.sync().unwrap();
    assert_eq!(log.segments().iter().map(|s| s.base_offset).collect::<Vec<_>>(), [0, 1, 2]);
    let (log, _) = open(&disk.crash(0));
    assert_eq!(headers(&read_all(&log.reader(), 0, 1)).len(), 3);
}

#[test]
fn a_changed_segment_size_holds_from_the_next_append_on() {
    let (mut log, _) = open(&MemDisk::new());
    let mut append = |bytes| {
        log.set_sizes(bytes, small().index_interval_bytes);
        log.append(&batch(log.log_end(), 0, 0, 1, 100)).unwrap();
        log.segments().len()
    };
    let found = [1000, 1000, 400, 400, 1 << 40, 1 << 40, 0, 0].map(&mut append);
    assert_eq!(found, [1, 1, 2, 2, 2, 2, 3, 4]);
}

#[test]
fn an_unknown_version_and_a_foreign_folder_are_refused_with_a_sentence() {
    let disk = MemDisk::new();
    filled(&disk).close().unwrap();
    let path = dir().join("partition.metadata");
    let good = String::from_utf8(disk.bytes(&path).unwrap()).unwrap();
    let table = [
        (good.replace("version: 1", "version: 2"), "has format version 2; this program knows version 1 only"),
        (good.replace("topic_id: 7", "topic_id: 8"), "belongs to topic id 8"),
        (String::new(), "is not readable (no version)"),
        ("version: 1\n".to_owned(), "is not readable (no topic id)"),
        ("x".repeat(100_000), "is not readable (no version)"),
    ];
    for (text, sentence) in table {
        disk.overwrite(&path, text.into_bytes());
        let refused = Log::open(disk.clone(), dir(), small()).err().unwrap().to_string();
        assert!(refused.contains(sentence), "{refused}");
    }
    disk.remove(&path).unwrap();
    let refused = Log::open(disk.clone(), dir(), small()).err().unwrap().to_string();
    assert!(refused.contains("it is missing"), "{refused}");
    disk.overwrite(&path, good.into_bytes());
    assert_eq!(open(&disk).1.log_end, 11);
}

#[test]
fn lost_and_damaged_indexes_are_made_anew() {
    for clean in [true, false] {
        let closed = MemDisk::new();
        let log = filled(&closed);
        if clean {
            log.close().unwrap();
        }
        let derived =
            ["00000000000000000000.index", "00000000000000000000.timeindex", "leader-epoch-checkpoint"];
        for name in derived {
            for damage in [None, Some(vec![]), Some(vec![7]), Some(vec![0xff; 24])] {
                let disk = closed.crash(0);
                match &damage {
                    None => disk.remove(&dir().join(name)).unwrap(),
                    Some(bytes) => disk.overwrite(&dir().join(name), bytes.clone()),
                }
                let (log, recovered) = open(&disk);
                assert_eq!(recovered.log_end, 11, "{name} {damage:?}");
                assert_eq!(recovered.corruption, None, "{name} {damage:?}");
                let reader = log.reader();
                assert_eq!(read_all(&reader, 0, 1), five_batches().concat(), "{name} {damage:?}");
                assert_eq!(reader.epoch_at(3), Some(1), "{name} {damage:?}");
            }
        }
    }
}

#[test]
fn works_on_real_files_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("positions-0");
    let open = || Log::open(RealDisk, &path, small()).unwrap();
    let (mut log, recovered) = open();
    assert!(recovered.clean_shutdown);
    for batch in five_batches() {
        log.append(&batch).unwrap();
    }
    log.sync().unwrap();
    drop(log);
    let tear = |name: &str| {
        let path = path.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(&batch(11, 7, 0, 1, 100)[..99]);
        std::fs::write(&path, bytes).unwrap();
    };
    tear("00000000000000000006.log");
    let (mut log, recovered) = open();
    assert_eq!((recovered.clean_shutdown, recovered.log_end, recovered.truncated_bytes), (false, 11, 99));
    assert_eq!(log.truncate_to(7).unwrap(), 6);
    log.append(&five_batches()[3]).unwrap();
    log.append(&five_batches()[4]).unwrap();
    log.close().unwrap();
    let mut names = RealDisk.list(&path).unwrap();
    names.sort();
    assert_eq!(
        names,
        [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "00000000000000000006.index",
            "00000000000000000006.log",
            "00000000000000000006.timeindex",
            "clean-shutdown",
            "leader-epoch-checkpoint",
            "partition.metadata",
        ]
    );
    let (mut log, recovered) = open();
    assert!(recovered.clean_shutdown);
    assert_eq!(read_all(&log.reader(), 0, 300), five_batches().concat());
    let mark = Path::new(&path).join("clean-shutdown");
    assert!(mark.exists(), "nothing was written");
    log.append(&batch(11, 7, 0, 1, 100)).unwrap();
    assert!(!mark.exists(), "the mark is gone before the first append");
}

#[test]
fn a_closed_log_opens_without_reading_its_segments() {
    let disk = MemDisk::new();
    let config = LogConfig { segment_bytes: 1 << 20, ..small() };
    let (mut log, _) = Log::open(disk.clone(), dir(), config.clone()).unwrap();
    for offset in 0..500 {
        log.append(&batch(offset, 0, offset, 1, 100)).unwrap();
    }
    log.close().unwrap();
    // Damage that only a full check could see.
    let path = dir().join("00000000000000000000.log");
    let mut bytes = disk.bytes(&path).unwrap();
    bytes[30] ^= 1;
    disk.overwrite(&path, bytes);
    for closed in [true, false, true] {
        let syncs = disk.syncs();
        let (log, recovered) = Log::open(disk.clone(), dir(), config.clone()).unwrap();
        assert_eq!((recovered.clean_shutdown, recovered.log_end), (true, 500));
        if closed {
            log.close().unwrap();
        }
        assert_eq!(disk.syncs(), syncs, "a log that nobody writes to costs no sync");
    }
    let (mut log, _) = Log::open(disk.clone(), dir(), config.clone()).unwrap();
    log.append(&batch(500, 0, 500, 1, 100)).unwrap();
    let (_, recovered) = Log::open(disk, dir(), config).unwrap();
    assert!(!recovered.clean_shutdown, "the mark is used up");
    assert_eq!(recovered.corruption.unwrap().position, 0);
}

#[test]
fn an_older_mark_of_a_clean_shutdown_is_one() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    log.append(&batch(0, 0, 0, 3, 20)).unwrap();
    log.close().unwrap();
    for (mark, clean) in [("version: 1\nlog_end: 3\n", true), ("version: 1\nlog_end: 3", false)] {
        disk.overwrite(&dir().join("clean-shutdown"), mark.as_bytes().to_vec());
        let damaged = verify(disk.clone(), dir()).unwrap().any(|checked| !checked.findings.is_empty());
        let (_, recovered) = open(&disk);
        let found = (recovered.clean_shutdown, recovered.log_end, recovered.corruption, damaged);
        assert_eq!(found, (clean, 3, None, !clean), "{mark:?}");
    }
}
