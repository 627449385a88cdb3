//! What compaction leaves, and what it leaves behind when the power goes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use commit_log::{Aborted, CompactionOrder, Disk, Log, LogError, MemDisk, verify};
use kafka_wire::record_batch::{BatchHeader, Compression, Producer, Record, batches, decode_records};

use crate::support::*;

const NO_SPACE: i32 = 28;

/// `a1,b- c2 | a3`: segments, batches, records; a key of one letter (`_` for none) and a value (`-` for none).
fn write<D: Disk>(log: &mut Log<D>, script: &str, codec: Compression) {
    for (n, segment) in script.split('|').enumerate() {
        if n > 0 {
            log.roll().unwrap();
        }
        for batch in segment.split_whitespace() {
            let records: Vec<KeyValue> = batch.split(',').map(key_value).collect();
            let base = log.log_end();
            log.append(&keyed(base, base, Producer::NONE, codec, &records)).unwrap();
        }
    }
    log.sync().unwrap();
}

fn key_value(text: &str) -> KeyValue {
    let (key, value) = text.split_at(1);
    (Some(key.to_owned()).filter(|key| key != "_"), Some(value.to_owned()).filter(|value| value != "-"))
}

fn show(record: &Record) -> String {
    let text = |bytes: &Option<Bytes>, none: &str| {
        bytes.as_ref().map_or(none.to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    format!("{}{}@{}", text(&record.key, "_"), text(&record.value, "-"), record.offset)
}

/// The segments as `write` takes them, each record with its offset, each batch that lacks records or was
/// marked with a delete horizon with what its header says.
fn layout<D: Disk>(log: &Log<D>) -> String {
    let mut all = Vec::new();
    for segment in log.segments() {
        let mut shown = Vec::new();
        let bytes = read_all(&log.reader(), segment.base_offset, 1);
        for (header, range) in batches(&bytes).map(Result::unwrap) {
            if header.base_offset >= segment.end_offset {
                break;
            }
            let records = decode_records(Bytes::copy_from_slice(&bytes[range]), 1 << 20).unwrap();
            let mut batch: String = records.iter().map(show).collect::<Vec<_>>().join(",");
            if i64::from(header.last_offset_delta) + 1 != records.len() as i64 {
                batch = format!("{}..{}[{batch}]", header.base_offset, header.last_offset());
            }
            if header.attributes & 0b100_0000 != 0 {
                batch = format!("{batch}!{}", header.base_timestamp);
            }
            shown.push(batch);
        }
        all.push(shown.join(" "));
    }
    all.join(" | ")
}

#[test]
fn of_each_key_the_latest_record_stays_at_its_offset() {
    let table = [
        ("a1 b1 a2 | c1 b2 | a3", "a2@2 c1@3 b2@4 | a3@5"),
        ("a1,b1,a2 | c1", "0..2[b1@1,a2@2] | c1@3"),
        ("a1,b1 | a2,b2 | c1", "a2@2,b2@3 | c1@4"),
        ("a1,b1,c1 | a2 | c2 | z1", "0..2[b1@1] a2@3 c2@4 | z1@5"),
        ("a1,_7 b1 | c1", "0..1[a1@0] b1@2 | c1@3"),
        ("_1 | _2 | c1", " | c1@2"),
        ("a1 b1 c1 | d1", "a1@0 b1@1 c1@2 | d1@3"),
        ("a1 a2 a3", "a1@0 a2@1 a3@2"),
        ("a1 b1 | a- | c1", "b1@1 a-@2!100 | c1@3"),
        ("a- b1 | a2 | c1", "b1@1 a2@2 | c1@3"),
        ("a-,b1 | b2 | c1", "0..1[a-@0]!100 b2@2 | c1@3"),
    ];
    for codec in [Compression::None, Compression::Zstd] {
        for (script, expected) in table {
            let disk = MemDisk::new();
            let (mut log, _) = open(&disk);
            write(&mut log, script, codec);
            let before = records(&log);
            let end = order(&log, 0).end;
            let order = order(&log, 0);
            assert_eq!(compact(&mut log, order).unwrap(), end, "{script}");
            assert_eq!(layout(&log), expected, "{script}");
            assert_eq!(log.cleaned_to(), end);
            let after = records(&log);
            assert!(
                after.iter().all(|record| before.contains(record)),
                "timestamps and headers too: {script}"
            );
            let heads = headers(&read_all(&log.reader(), 0, 1));
            assert!(heads.iter().all(|header| header.partition_leader_epoch == 3));

            for (disk, clean) in [(disk.crash(0), false), (disk.clone(), true)] {
                if clean {
                    let (log, _) = open(&disk);
                    log.close().unwrap();
                }
                let (log, recovered) = open(&disk);
                assert_eq!((recovered.clean_shutdown, recovered.corruption), (clean, None), "{script}");
                assert_eq!((layout(&log).as_str(), log.cleaned_to()), (expected, end), "{script}");
            }
        }
    }
}

#[test]
fn a_tombstone_goes_when_its_delete_horizon_has_passed() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    write(&mut log, "a1 b1,a- | c1 | z1", Compression::None);
    for (now_ms, expected) in [
        (1000, "b1@1,a-@2!1100 c1@3 | z1@4"),
        (1099, "b1@1,a-@2!1100 c1@3 | z1@4"), // the horizon is set once
        (1100, "1..2[b1@1]!1100 c1@3 | z1@4"),
        (9999, "1..2[b1@1]!1100 c1@3 | z1@4"),
    ] {
        let order = order(&log, now_ms);
        compact(&mut log, order).unwrap();
        assert_eq!(layout(&log), expected, "at {now_ms}");
        let timestamps: Vec<i64> = records(&log).iter().map(|record| record.timestamp).collect();
        assert_eq!(timestamps.first(), Some(&1), "told by the batch's base, which is the horizon");
    }
}

#[test]
fn an_empty_batch_holds_a_producers_last_sequence_while_it_is_known() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    let producer = |base_sequence| Producer { id: 7, epoch: 1, base_sequence };
    let record = |value: &str| vec![key_value(value), key_value(value)];
    for (n, codec) in [Compression::None, Compression::Zstd].into_iter().enumerate() {
        let base = 2 * n as i64;
        log.append(&keyed(base, 50, producer(base as i32), codec, &record("a1"))).unwrap();
    }
    write(&mut log, "a2 | z1", Compression::None);
    let known = CompactionOrder { producers: [(7, 3), (8, 0)].into(), ..order(&log, 0) };
    for _ in 0..2 {
        compact(&mut log, known.clone()).unwrap();
        assert_eq!(layout(&log), "2..3[] a2@4 | z1@5");
        let (header, _) = batches(&read_all(&log.reader(), 0, 1)).next().unwrap().unwrap();
        let told = (header.base_offset, header.producer_id, header.producer_epoch, header.base_sequence);
        assert_eq!((told, header.last_sequence()), ((2, 7, 1, 2), 3));
        assert_eq!((header.size, header.max_timestamp, header.record_count), (61, 51, 0));
    }
    let gone = order(&log, 0);
    compact(&mut log, gone).unwrap();
    assert_eq!(layout(&log), "a2@4 | z1@5", "the producer has expired");
}

#[test]
fn what_a_transaction_took_back_neither_stays_nor_hides_what_was_there() {
    let (mut log, _) = open(&MemDisk::new());
    write(&mut log, "a1 | b1", Compression::None);
    let mut batch = keyed(
        2,
        0,
        Producer { id: 7, epoch: 0, base_sequence: 0 },
        Compression::None,
        &[key_value("a9"), key_value("c9")],
    );
    batch[22] |= 0b1_0000; // transactional
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    log.append(&batch).unwrap();
    write(&mut log, "d1 | z1", Compression::None);
    let aborted = vec![Aborted { producer_id: 7, first_offset: 2, last_offset: 3 }];
    let order = CompactionOrder { aborted, ..order(&log, 0) };
    compact(&mut log, order).unwrap();
    assert_eq!(layout(&log), "a1@0 b1@1 d1@4 | z1@5");
}

#[test]
fn segments_are_merged_as_far_as_they_fit_and_left_alone_when_nothing_changes() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    for key in 0..40 {
        let record = (Some(format!("k{}", key % 25)), Some("v".repeat(60)));
        log.append(&keyed(key, key, Producer::NONE, Compression::None, &[record])).unwrap();
    }
    let before = log.segments();
    for _ in 0..2 {
        // The first pass makes them small, the second finds that they fit into one.
        let order = order(&log, 0);
        compact(&mut log, order).unwrap();
    }
    let after = log.segments();
    assert!(after.len() < before.len() && after.iter().all(|segment| segment.bytes <= 1000), "{after:?}");
    assert!(after.is_sorted_by(|a, b| a.end_offset == b.base_offset));
    assert_eq!(after.last(), before.last());
    let files = |disk: &MemDisk| -> Vec<_> {
        let names = disk.list(dir()).unwrap();
        names.iter().map(|name| (name.clone(), disk.bytes(&dir().join(name)))).collect()
    };
    let before = files(&disk);
    let order = order(&log, 0);
    let mut compaction = log.begin_compaction(order);
    assert!(compaction.rewrite_next().unwrap().is_none(), "nothing to install");
    assert_eq!(files(&disk), before);
}

#[test]
fn keys_that_do_not_fit_into_memory_are_compacted_in_several_passes() {
    let (mut log, _) = open(&MemDisk::new());
    write(&mut log, "a1 b1 c1 | a2 b2 d1 e1 | a3 b3 c3 | z1", Compression::None);
    let mut reached = Vec::new();
    while log.cleaned_to() < order(&log, 0).end {
        let order = CompactionOrder { max_keys: 3, ..order(&log, 0) };
        reached.push(compact(&mut log, order).unwrap());
    }
    assert_eq!(reached, [3, 6, 9, 10]);
    assert_eq!(layout(&log), "d1@5 e1@6 a3@7 b3@8 c3@9 | z1@10");
}

#[test]
fn nothing_beyond_the_ordered_end_is_touched() {
    let script = "a1 a2 | a3 a4 | a5 a6 | a7";
    for (end, expected) in [
        (1, "a1@0 a2@1 | a3@2 a4@3 | a5@4 a6@5 | a7@6"),
        (2, "a2@1 | a3@2 a4@3 | a5@4 a6@5 | a7@6"),
        (5, "a4@3 | a5@4 a6@5 | a7@6"),
        (i64::MAX, "a6@5 | a7@6"),
    ] {
        let (mut log, _) = open(&MemDisk::new());
        write(&mut log, script, Compression::None);
        let order = CompactionOrder { end, ..order(&log, 0) };
        compact(&mut log, order).unwrap();
        assert_eq!(layout(&log), expected, "end {end}");
    }
}

#[test]
fn reads_pass_over_what_is_missing() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    write(&mut log, "a1 b1 a2 b2 | c1 c2 | b3 c3 d1 | a3", Compression::None);
    let order = CompactionOrder { end: 9, ..order(&log, 0) };
    compact(&mut log, order).unwrap();
    assert_eq!(layout(&log), "a2@2 b3@6 c3@7 d1@8 | a3@9");
    let check = |log: &Log<MemDisk>| {
        let reader = log.reader();
        for (offset, found) in [(0, 2), (2, 2), (3, 6), (5, 6), (8, 8), (9, 9)] {
            let read = reader.read(offset, 10, 1, true).unwrap();
            assert_eq!(BatchHeader::peek(&read).unwrap().base_offset, found, "at {offset}");
        }
        let all: Vec<i64> = reader.headers(0).map(|header| header.unwrap().base_offset).collect();
        assert_eq!(all, [2, 6, 7, 8, 9]);
        let found =
            |timestamp| reader.offset_for_timestamp(timestamp).unwrap().map(|header| header.base_offset);
        assert_eq!((found(0), found(3), found(9), found(10)), (Some(2), Some(6), Some(9), None));
        assert_eq!(reader.max_timestamp(9).unwrap().unwrap().base_offset, 8);
        assert_eq!(reader.read(3, 6, 100, true).unwrap(), Bytes::new(), "the next one is beyond the end");
    };
    check(&log);
    check(&open(&disk.crash(0)).0);
}

#[test]
fn a_batch_lost_where_nothing_was_compacted_is_still_found() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    write(&mut log, "a1 a2 | b1 b2 b3 | z1", Compression::None);
    let order = CompactionOrder { end: 2, ..order(&log, 0) };
    compact(&mut log, order).unwrap();
    let path = dir().join("00000000000000000002.log");
    let bytes = disk.bytes(&path).unwrap();
    let size = bytes.len() / 3;
    disk.overwrite(&path, [&bytes[..size], &bytes[2 * size..]].concat());
    for name in ["index", "timeindex"] {
        disk.remove(&path.with_extension(name)).unwrap();
    }
    let (log, recovered) = open(&disk.crash(0));
    assert_eq!((recovered.log_end, recovered.corruption.unwrap().offset), (6, 3));
    assert_eq!(layout(&log), "a2@1 | b1@2 | ");
}

#[test]
fn a_checkpoint_that_cannot_be_read_still_allows_for_compaction() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    write(&mut log, "a1 a2 | b1 | b2 c1 | z1", Compression::None);
    let order = order(&log, 0);
    compact(&mut log, order).unwrap();
    disk.overwrite(&dir().join("cleaner-checkpoint"), b"1 00000000\n5\n5\n".to_vec());
    let (log, recovered) = open(&disk);
    assert_eq!((recovered.corruption, recovered.log_end, log.cleaned_to()), (None, 6, 0));
    assert_eq!(layout(&log), "a2@1 b2@3 c1@4 | z1@5");
}

#[test]
fn a_checkpoint_lost_from_a_closed_log_is_known_from_the_mark() {
    let checkpoint = dir().join("cleaner-checkpoint");
    for (what, left) in [("removed", None), ("garbled", Some(b"1 00000000\n5\n5\n".to_vec()))] {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        write(&mut log, "a1 a2 | b1 | b2 c1 | z1", Compression::None);
        let order = order(&log, 0);
        compact(&mut log, order).unwrap();
        let cleaned_to = log.cleaned_to();
        log.close().unwrap();
        match left {
            Some(bytes) => disk.overwrite(&checkpoint, bytes),
            None => disk.remove(&checkpoint).unwrap(),
        }
        let told: Vec<_> = verify(disk.clone(), dir()).unwrap().flat_map(|it| it.findings).collect();
        assert_eq!(
            told.iter().map(|it| it.file.as_str()).collect::<Vec<_>>(),
            ["cleaner-checkpoint"],
            "{what}"
        );

        let (mut log, recovered) = open(&disk);
        assert_eq!((recovered.corruption, recovered.clean_shutdown), (None, true), "{what}");
        assert_eq!(
            (layout(&log).as_str(), log.cleaned_to()),
            ("a2@1 b2@3 c1@4 | z1@5", cleaned_to),
            "{what}"
        );
        // Without the mark it is known, too.
        write(&mut log, "z2", Compression::None);
        log.sync().unwrap();
        let (log, recovered) = open(&disk.crash(0));
        assert_eq!(recovered.corruption, None, "{what}");
        assert_eq!(layout(&log), "a2@1 b2@3 c1@4 | z1@5 z2@6", "{what}");
    }
}

#[test]
fn a_reader_of_an_old_segment_finishes_undisturbed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p");
    let (mut log, _) = Log::open(commit_log::RealDisk, &path, small()).unwrap();
    write(&mut log, "a1 b1 a2 | b2 | z1", Compression::None);
    let mut walk = log.reader().headers(0);
    assert_eq!(walk.next().unwrap().unwrap().base_offset, 0);
    let order = order(&log, 0);
    compact(&mut log, order).unwrap();
    let rest: Vec<i64> = walk.map(|header| header.unwrap().base_offset).collect();
    assert_eq!(rest, [1, 2, 3, 4], "what it had begun to read");
    assert_eq!(layout(&log), "a2@2 b2@3 | z1@4");
    log.close().unwrap();
    let (log, recovered) = Log::open(commit_log::RealDisk, &path, small()).unwrap();
    assert!(recovered.clean_shutdown);
    assert_eq!(layout(&log), "a2@2 b2@3 | z1@4");
}

#[test]
fn a_log_that_changed_meanwhile_keeps_its_own_segments() {
    type Change = fn(&mut Log<MemDisk>);
    let table: [(&str, Change, &str); 3] = [
        ("deleted", |log| assert_eq!(log.delete_segments_before(2).unwrap(), 2), "a3@2 a4@3 | z1@4"),
        ("cut", |log| assert_eq!(log.truncate_to(1).unwrap(), 1), "a1@0"),
        (
            "cut and appended",
            |log| {
                log.truncate_to(2).unwrap();
                write(log, "b1 | y1", Compression::None);
            },
            "a1@0 a2@1 | b1@2 | y1@3",
        ),
    ];
    for (what, change, expected) in table {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        write(&mut log, "a1 a2 | a3 a4 | z1", Compression::None);
        let order = order(&log, 0);
        let mut compaction = log.begin_compaction(order);
        let rewritten = compaction.rewrite_next().unwrap().unwrap();
        change(&mut log);
        assert!(!log.install(rewritten).unwrap(), "{what}");
        assert!(compaction.rewrite_next().unwrap().is_none());
        log.finish_compaction(compaction).unwrap();
        assert_eq!(layout(&log), expected, "{what}");
        let names = disk.list(dir()).unwrap();
        assert!(names.iter().all(|name| !name.ends_with(".tmp")), "{what}: {names:?}");
        assert_eq!(layout(&open(&disk.crash(1)).0), expected, "{what}");
    }
}

#[test]
fn a_compaction_that_is_not_carried_through_counts_for_nothing() {
    let begun = || {
        let (mut log, _) = open(&MemDisk::new());
        write(&mut log, "a1 a2 | a3 a4 | z1", Compression::None);
        let compaction = log.begin_compaction(order(&log, 0));
        (log, compaction)
    };
    let (mut log, compaction) = begun();
    assert_eq!(log.finish_compaction(compaction).unwrap(), Some(0), "not begun");

    let (mut log, mut compaction) = begun();
    let rewritten = compaction.rewrite_next().unwrap().unwrap();
    assert!(log.install(rewritten).unwrap());
    assert_eq!(log.finish_compaction(compaction).unwrap(), Some(0), "there may be more");

    let (mut log, mut compaction) = begun();
    while compaction.rewrite_next().unwrap().is_some() {}
    assert_eq!(log.finish_compaction(compaction).unwrap(), Some(0), "not installed");

    let (mut log, mut compaction) = begun();
    let rewritten = compaction.rewrite_next().unwrap().unwrap();
    assert!(compaction.rewrite_next().unwrap().is_none());
    log.delete_segments_before(2).unwrap();
    assert!(!log.install(rewritten).unwrap());
    assert_eq!(
        log.finish_compaction(compaction).unwrap(),
        Some(0),
        "one of the two segments is there as it was"
    );
    let order = order(&log, 0);
    assert_eq!(compact(&mut log, order).unwrap(), 4);
    assert_eq!(layout(&log), "a4@3 | z1@4");
}

#[test]
fn a_cut_into_the_compacted_part_leaves_no_room_for_new_holes() {
    for (at, end, expected) in [(1, 1, ""), (3, 3, "a2@2"), (2, 2, ""), (4, 4, "a2@2"), (5, 5, "a2@2 b2@4")] {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        write(&mut log, "a1 b1 a2 b- b2 | c1 | z1", Compression::None);
        let order = order(&log, 0);
        compact(&mut log, order).unwrap();
        assert_eq!(layout(&log), "a2@2 b2@4 c1@5 | z1@6");
        assert_eq!(log.truncate_to(at).unwrap(), end, "cut at {at}");
        assert_eq!(layout(&log), expected, "cut at {at}");
        assert!(log.cleaned_to() <= end);
        write(&mut log, "x1 x2 | y1", Compression::None);
        let after = layout(&log);
        let (log, recovered) = open(&disk.crash(0));
        assert_eq!(recovered.corruption, None, "cut at {at}");
        assert_eq!(layout(&log), after, "cut at {at}");
    }
}

#[test]
fn damage_stops_a_compaction_and_harms_nothing() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    write(&mut log, "a1 a2 | b1 | z1", Compression::None);
    let path = dir().join("00000000000000000000.log");
    let mut bytes = disk.bytes(&path).unwrap();
    let size = bytes.len() / 2;
    bytes[size + 70] ^= 1;
    disk.overwrite(&path, bytes);
    let (mut log, _) = open_trusting(&disk, log);
    let order = order(&log, 0);
    let error = compact(&mut log, order).unwrap_err().to_string();
    let told = format!("compacting 00000000000000000000.log at byte {size}: checksum mismatch");
    assert!(error.starts_with(&told), "{error}");
    assert!(disk.list(dir()).unwrap().iter().all(|name| !name.ends_with(".tmp")));
    log.append(&batch(log.log_end(), 9, 0, 1, 10)).unwrap();
    log.sync().unwrap();
}

/// Closed and opened: the checksums of sealed segments are not looked at.
fn open_trusting(disk: &MemDisk, log: Log<MemDisk>) -> (Log<MemDisk>, commit_log::Recovered) {
    log.close().unwrap();
    open(disk)
}

#[test]
fn a_full_disk_stops_a_compaction_and_not_the_log() {
    for (nth, what) in [(1, "the segment"), (2, "the checkpoint that allows for holes")] {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        write(&mut log, "a1 a2 b1 b2 c1 | b3 | z1", Compression::None);
        let before = layout(&log);
        disk.fail_write(nth, NO_SPACE);
        let order = order(&log, 0);
        let error = compact(&mut log, order.clone()).unwrap_err();
        assert!(error.is_disk_full(), "{what}: {error}");
        assert_eq!(layout(&log), before, "{what}");
        assert!(
            !disk.list(dir()).unwrap().iter().any(|name| name.ends_with(".log.tmp")),
            "{what}: no room is lost"
        );
        write(&mut log, "z2", Compression::None);
        compact(&mut log, order).unwrap();
        assert_eq!(layout(&log), "a2@1 c1@4 b3@5 | z1@6 z2@7", "{what}");
    }
}

/// Two groups of segments, so that a crash between two swaps is among the crashes.
fn two_groups(log: &mut Log<MemDisk>) -> Result<(), LogError> {
    for n in 0..18 {
        let key = ["a", "b", "c", "d", "e"][n as usize % 5];
        let record = (Some(key.to_owned()), Some(n.to_string().repeat(if n < 13 { 30 } else { 60 })));
        log.append(&keyed(n, n, Producer::NONE, Compression::None, &[record]))?;
        if n % 3 == 2 {
            log.roll()?;
        }
    }
    log.sync()?;
    Ok(())
}

fn run(disk: &MemDisk) -> Result<Vec<i64>, LogError> {
    let small_groups = || commit_log::LogConfig { segment_bytes: 700, ..small() };
    let (mut log, _) = Log::open(disk.clone(), dir(), small_groups())?;
    if log.log_end() == 0 {
        two_groups(&mut log)?;
    }
    let order = CompactionOrder { end: 15, ..order(&log, 0) };
    compact(&mut log, order)?;
    Ok(log.segments().iter().map(|segment| segment.base_offset).collect())
}

#[test]
fn a_power_cut_at_any_operation_leaves_the_old_segments_or_the_new_one() {
    let written = MemDisk::new();
    let (mut log, _) = open(&written);
    two_groups(&mut log).unwrap();
    let old = records(&log);
    log.close().unwrap();
    let whole = written.crash(0);
    let groups = run(&whole).unwrap();
    assert!(groups.len() >= 3, "two groups and the rest: {groups:?}");
    let new = records(&open(&whole).0);
    assert!(new.len() < old.len());

    let check = |disk: &MemDisk, after: &str| {
        let (mut log, recovered) = open(disk);
        assert_eq!((recovered.corruption, recovered.truncated_bytes), (None, 0), "{after}");
        assert_eq!(recovered.log_end, 18, "{after}");
        let found = records(&log);
        for range in groups.windows(2) {
            let part = |of: &[Record]| -> Vec<Record> {
                of.iter().filter(|record| (range[0]..range[1]).contains(&record.offset)).cloned().collect()
            };
            assert!([part(&old), part(&new)].contains(&part(&found)), "{after}: {range:?}");
        }
        for name in disk.list(dir()).unwrap() {
            assert!(!name.ends_with(".tmp") && !name.contains("compacted"), "{after}: {name} is left over");
        }
        let order = CompactionOrder { end: 15, ..order(&log, 0) };
        compact(&mut log, order).unwrap();
        assert_eq!(records(&log), new, "{after}: and compacts to the end");
    };
    let operations = {
        let disk = written.crash(0);
        run(&disk).unwrap();
        disk.operations()
    };
    for at in 1..=operations {
        let disk = written.crash(0);
        disk.cut_power_at(at);
        run(&disk).expect_err("the power is cut");
        for seed in 0..12 {
            let found = disk.crash(seed);
            check(&found.crash(0), &format!("power cut at {at}, seed {seed}"));
            if seed % 5 != 0 {
                continue;
            }
            for second in 1.. {
                let disk = found.crash(0);
                disk.cut_power_at(second);
                if Log::open(disk.clone(), dir(), small()).is_ok() {
                    break;
                }
                for again in [0, 1, 7] {
                    let after = format!("power cut at {at}, seed {seed}, again at {second}, {again}");
                    check(&disk.crash(again), &after);
                }
            }
        }
        disk.restart_process();
        check(&disk, &format!("killed at {at}"));
    }
}

#[test]
fn a_failed_write_or_sync_leaves_the_old_segments_or_the_new_one() {
    let written = MemDisk::new();
    let (mut log, _) = open(&written);
    two_groups(&mut log).unwrap();
    let old = records(&log);
    log.close().unwrap();
    type Fail = fn(&MemDisk, u64);
    let fails: [(&str, Fail); 3] = [
        ("a sync", |disk, nth| disk.fail_sync(nth, 5)),
        ("a write", |disk, nth| disk.fail_write(nth, 5)),
        ("a write on a full disk", |disk, nth| disk.fail_write(nth, NO_SPACE)),
    ];
    for (what, fail) in fails {
        for nth in 1.. {
            let disk = written.crash(0);
            fail(&disk, nth);
            let Err(error) = run(&disk) else { break };
            assert_eq!(error.is_disk_full(), what.ends_with("full disk"), "{what} {nth}: {error}");
            for disk in [disk.crash(0), disk.crash(1), disk] {
                let (log, recovered) = open(&disk);
                assert_eq!((recovered.log_end, recovered.corruption), (18, None), "{what} {nth}");
                let found = records(&log);
                assert!(found.iter().all(|record| old.contains(record)));
                for key in ["a", "b", "c", "d", "e"] {
                    let latest = |of: &[Record]| -> Option<Record> {
                        of.iter().rfind(|record| record.key.as_deref() == Some(key.as_bytes())).cloned()
                    };
                    assert_eq!(latest(&found), latest(&old), "{what} {nth}: key {key}");
                }
            }
        }
    }
}

#[test]
fn while_a_full_disk_keeps_a_segment_from_its_place_no_old_one_is_removed() {
    let mut stopped = 0;
    for nth in 1.. {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        write(&mut log, "a1 b1 | c1 d1 | e1 f1 a2 | z1", Compression::None);
        let first_end = log.segments()[0].end_offset;
        let before = records(&log);
        let young = |log: &Log<MemDisk>| -> Vec<Record> {
            records(log).into_iter().filter(|record| record.offset >= first_end).collect()
        };
        let kept = young(&log);
        let mut compaction = log.begin_compaction(order(&log, 0));
        let rewritten = compaction.rewrite_next().unwrap().expect("a key stands twice");
        disk.fail_write(nth, NO_SPACE);
        let installed = log.install(rewritten);
        if installed.is_ok() {
            break;
        }
        assert!(installed.is_err_and(|error| error.is_disk_full()), "{nth}");
        if log.is_stopped() {
            stopped += 1;
            let refused = log.delete_segments_before(first_end);
            assert!(matches!(refused, Err(LogError::Stopped { .. })), "{nth}: {refused:?}");
            let refused = log.advance_log_start(first_end);
            assert!(matches!(refused, Err(LogError::Stopped { .. })), "{nth}: {refused:?}");
        }
        for disk in [disk.crash(0), disk.crash(1), disk] {
            let (mut log, recovered) = open(&disk);
            assert_eq!((recovered.log_start, recovered.corruption), (0, None), "{nth}");
            assert!(records(&log).iter().all(|record| before.contains(record)), "{nth}");
            assert_eq!(young(&log), kept, "{nth}");
            assert_eq!(log.advance_log_start(first_end).unwrap(), first_end, "{nth}: there is room");
        }
    }
    assert!(stopped > 0);
}

#[test]
fn a_compaction_whose_log_has_left_its_folder_ends_and_touches_no_file_there() {
    // Deleted before the compaction begins to read, at each batch that it reads, and after all.
    for at in 0..=13 {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        write(&mut log, "a1 b1 a2 | c1 b2 | a3 c2 | a4", Compression::None);
        let mut compaction = log.begin_compaction(CompactionOrder { max_keys: 5, ..order(&log, 0) });
        let (deleted, read) = (Arc::new(Mutex::new(Some(log))), AtomicU64::new(0));
        let delete = {
            let (disk, log) = (disk.clone(), Arc::clone(&deleted));
            move || {
                log.lock().unwrap().take().iter().for_each(Log::leave_folder);
                // Its folder goes, and the next log of its name comes.
                for name in disk.list(dir()).unwrap() {
                    disk.remove(&dir().join(name)).unwrap();
                }
                disk.overwrite(&dir().join("00000000000000000000.log"), b"another's".to_vec());
            }
        };
        if at == 0 {
            delete();
        }
        compaction.set_pace(Box::new(move |_| {
            if read.fetch_add(1, Ordering::Relaxed) + 1 == at {
                delete();
            }
        }));
        let mut installed = 0;
        while let Some(rewritten) = compaction.rewrite_next().unwrap() {
            let mut log = deleted.lock().unwrap();
            let log = log.as_mut().expect("nothing is to be installed in a log that is gone");
            assert!(log.install(rewritten).unwrap());
            installed += 1;
        }
        if let Some(log) = deleted.lock().unwrap().as_mut() {
            assert!(installed > 0 && log.finish_compaction(compaction).unwrap() > Some(0), "{at}");
        } else {
            assert_eq!(disk.list(dir()).unwrap(), ["00000000000000000000.log"], "{at}");
            assert_eq!(disk.bytes(&dir().join("00000000000000000000.log")).unwrap(), b"another's", "{at}");
        }
    }
}

#[test]
fn a_deleted_key_stays_deleted_when_a_compaction_outlives_its_log() {
    // Left before the compaction begins to read, at each batch that it reads, and after all.
    for at in 0..=9 {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        write(&mut log, "a1 b1 | a- c1 | d1", Compression::None);
        let mut compaction = log.begin_compaction(order(&log, 0));
        let (old, batches_read) = (Arc::new(Mutex::new(Some(log))), AtomicU64::new(0));
        let leave = {
            let old = Arc::clone(&old);
            move || old.lock().unwrap().take().iter().for_each(Log::leave_folder)
        };
        if at == 0 {
            leave();
        }
        compaction.set_pace(Box::new(move |_| {
            if batches_read.fetch_add(1, Ordering::Relaxed) + 1 == at {
                leave();
            }
        }));
        while let Some(rewritten) = compaction.rewrite_next().unwrap() {
            let mut log = old.lock().unwrap();
            assert!(log.as_mut().expect("nothing comes of a log that is gone").install(rewritten).unwrap());
        }
        drop(old.lock().unwrap().take());
        let (mut log, _) = open(&disk);
        assert_eq!(log.finish_compaction(compaction).unwrap(), None, "{at}");
        assert_eq!(log.cleaned_to(), 0, "{at}");

        // The tombstone goes in its time, and takes with it what it deletes.
        for now_ms in [1_000, 2_000, 3_000] {
            write(&mut log, "z1 | z2", Compression::None);
            log.roll().unwrap();
            let order = order(&log, now_ms);
            compact(&mut log, order).unwrap();
        }
        assert!(
            !records(&log).iter().any(|record| record.key.as_deref() == Some(b"a")),
            "{at}: {}",
            layout(&log)
        );
    }
}
