//! Bytes changed behind the log's back: found, told, set aside; never served as good, never a panic.

use commit_log::{CompactionOrder, Corruption, Disk, DiskFile, Log, LogConfig, MemDisk, ReadError, verify};
use kafka_wire::record_batch::{Compression, Producer, batches};

use crate::support::*;

const FIRST: &str = "00000000000000000000.log";
const SECOND: &str = "00000000000000000004.log";
const THIRD: &str = "00000000000000000008.log";

/// Twelve batches of one record in three segments, all synced, not closed.
fn twelve_batches() -> (MemDisk, Vec<Vec<u8>>) {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    let batches: Vec<_> = (0..12).map(|offset| batch(offset, 0, 0, 1, 170)).collect();
    batches.iter().for_each(|batch| log.append(batch).unwrap());
    log.sync().unwrap();
    assert_eq!(log.segments().iter().map(|s| s.base_offset).collect::<Vec<_>>(), [0, 4, 8]);
    (disk, batches)
}

fn change(disk: &MemDisk, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
    let path = dir().join(name);
    let mut bytes = disk.bytes(&path).unwrap();
    how(&mut bytes);
    disk.overwrite(&path, bytes);
}

#[test]
fn a_batch_behind_a_damaged_one_is_set_aside_and_told() {
    let (disk, batches) = twelve_batches();
    let size = batches[0].len();
    change(&disk, THIRD, |bytes| bytes[size + 100] ^= 1);
    let (log, recovered) = open(&disk);
    let aside = format!("{THIRD}.quarantine-{size}");
    let told = Corruption {
        file: THIRD.to_owned(),
        position: size as u64,
        offset: 9,
        until: 12,
        reason: "the checksum does not hold".to_owned(),
        set_aside: vec![aside.clone()],
        set_aside_bytes: 3 * size as u64,
    };
    assert_eq!((recovered.log_end, recovered.truncated_bytes, recovered.corruption), (12, 0, Some(told)));
    assert_eq!(read_all(&log.reader(), 0, 1), batches[..9].concat());
    let kept = disk.crash(0).bytes(&dir().join(aside)).expect("durable before the cut");
    assert_eq!(kept[size..], batches[10..].concat());
}

type Damage<'a> = (&'a str, &'a dyn Fn(&MemDisk), i64, usize);

#[test]
fn segments_behind_a_damaged_one_are_set_aside() {
    let size = batch(0, 0, 0, 1, 170).len();
    let cut = |disk: &MemDisk| change(disk, SECOND, |bytes| bytes.truncate(500));
    let no_batch = |disk: &MemDisk| change(disk, FIRST, |bytes| bytes[3 * size..].fill(7));
    let gone = |disk: &MemDisk| disk.remove(&dir().join(SECOND)).unwrap();
    let table: [Damage; 3] = [
        // what happened, how, first lost offset, files set aside
        ("the end of a segment is cut off", &cut, 6, 2),
        ("the end of a segment is no batch", &no_batch, 3, 3),
        ("a segment is gone", &gone, 4, 1),
    ];
    for (what, damage, lost_from, set_aside) in table {
        let (disk, batches) = twelve_batches();
        damage(&disk);
        let (log, recovered) = open(&disk);
        let lost = recovered.corruption.unwrap();
        assert_eq!((lost.offset, lost.until, recovered.log_end), (lost_from, 12, 12), "{what}");
        assert_eq!(lost.set_aside.len(), set_aside, "{what}");
        assert_eq!(read_all(&log.reader(), 0, 1), batches[..lost_from as usize].concat(), "{what}");
        drop(log);
        let (_, again) = open(&disk.crash(0));
        assert_eq!((again.log_end, again.corruption), (12, None), "{what}: told once");
    }
}

/// The same, closed, and with a snapshot where the last segment begins.
fn twelve_batches_closed() -> (MemDisk, Vec<Vec<u8>>) {
    let (disk, batches) = twelve_batches();
    let (mut log, _) = open(&disk);
    log.write_snapshot(8, b"eight").unwrap();
    log.close().unwrap();
    (disk, batches)
}

fn remove(disk: &MemDisk, ends: &[&str]) {
    for name in disk.list(dir()).unwrap() {
        if ends.iter().any(|end| name.ends_with(end)) {
            disk.remove(&dir().join(name)).unwrap();
        }
    }
    disk.sync_dir(dir()).unwrap();
}

type Loss<'a> = (&'a str, &'a dyn Fn(&MemDisk), i64, i64);

/// What happened to a closed log, how, the first offset lost, and the one where it goes on.
const LOSSES: &[Loss] = &[
    ("all segments are gone", &|disk| remove(disk, &[".log"]), 0, 12),
    ("and their indexes", &|disk| remove(disk, &[".log", "index"]), 0, 12),
    ("and the mark", &|disk| remove(disk, &[".log", "index", "clean-shutdown"]), 0, 8),
    ("and the snapshot", &|disk| remove(disk, &[".log", "clean-shutdown", ".snapshot"]), 0, 8),
    (
        "only the epochs are left",
        &|disk| remove(disk, &[".log", "index", "clean-shutdown", ".snapshot"]),
        0,
        1,
    ),
    ("the last segment is gone", &|disk| remove(disk, &[THIRD]), 8, 12),
    ("the last segment is empty", &|disk| change(disk, THIRD, Vec::clear), 8, 12),
    ("the last segment is cut short", &|disk| change(disk, THIRD, |bytes| bytes.truncate(300)), 9, 12),
    ("a middle segment is gone", &|disk| remove(disk, &[SECOND]), 4, 12),
    ("a middle segment is cut short", &|disk| change(disk, SECOND, |bytes| bytes.truncate(300)), 5, 12),
    ("the last two are gone, and the mark", &|disk| remove(disk, &[SECOND, THIRD, "clean-shutdown"]), 4, 8),
];

#[test]
fn what_is_gone_from_a_closed_log_is_told_and_its_offsets_are_not_given_out_again() {
    for (what, damage, from, until) in LOSSES {
        let (disk, batches) = twelve_batches_closed();
        damage(&disk);
        let told = verify(disk.clone(), dir()).unwrap().any(|checked| !checked.findings.is_empty());
        assert!(told, "{what}");
        let (mut log, recovered) = open(&disk);
        let lost = recovered.corruption.unwrap_or_else(|| panic!("{what}: nothing is told"));
        assert_eq!((lost.offset, lost.until, recovered.log_end), (*from, *until, *until), "{what}");
        assert!(!recovered.clean_shutdown, "{what}");

        let later = batch(*until, 0, 0, 1, 10);
        log.append(&later).unwrap();
        log.close().unwrap();
        let told: Vec<_> = verify(disk.clone(), dir()).unwrap().flat_map(|it| it.findings).collect();
        assert_eq!(told, [], "{what}");
        let (log, again) = open(&disk);
        assert_eq!((again.corruption, again.clean_shutdown), (None, true), "{what}: told once");
        let left = [&batches[..*from as usize], &[later]].concat().concat();
        assert_eq!(read_all(&log.reader(), log.log_start(), 1), left, "{what}");
    }
}

/// A closed log of several segments with a hole of compaction in each, and where they begin and end.
fn compacted_and_closed() -> (MemDisk, Vec<(i64, i64)>) {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    for n in 0..40 {
        let key = if n % 2 == 0 { "k".to_owned() } else { format!("k{n}") };
        let record = (Some(key), Some("v".repeat(100)));
        log.append(&keyed(n, n, Producer::NONE, Compression::None, &[record])).unwrap();
    }
    let order = order(&log, 0);
    compact(&mut log, order).unwrap();
    let segments = log.segments().iter().map(|it| (it.base_offset, it.end_offset)).collect();
    log.close().unwrap();
    (disk, segments)
}

#[test]
fn a_segment_gone_from_a_closed_log_is_told_where_no_hole_tells_of_it() {
    let (plain, _) = twelve_batches_closed();
    let (compacted, segments) = compacted_and_closed();
    assert!(segments.len() > 3, "{segments:?}");
    let first = [(plain, (0, 4), 12)];
    let sealed = &segments[..segments.len() - 1];
    let each = sealed.iter().map(|segment| (compacted.crash(0), *segment, 40));
    for (closed, (from, until), end) in first.into_iter().chain(each) {
        let gone = format!("{from:020}.log");
        let before: Vec<_> = records(&open(&closed.crash(0)).0);
        let damaged = closed.crash(0);
        remove(&damaged, &[&gone]);
        let told: Vec<_> = verify(damaged.clone(), dir()).unwrap().flat_map(|it| it.findings).collect();
        assert_eq!((told.len(), &told[0].file, told[0].offset), (1, &gone, from), "{told:?}");

        let (operations, left) = {
            let disk = damaged.crash(0);
            let (log, _) = open(&disk);
            (disk.operations(), records(&log))
        };
        let kept = before.iter().filter(|record| !(from..until).contains(&record.offset));
        assert_eq!(left, kept.cloned().collect::<Vec<_>>(), "{gone}: the rest is served");
        for at in 1..=operations + 1 {
            let disk = damaged.crash(0);
            disk.cut_power_at(at);
            let done = Log::open(disk.clone(), dir(), small()).is_ok();
            let disk = disk.crash(0);
            let (log, recovered) = open(&disk);
            assert_eq!((recovered.log_end, records(&log) == left), (end, true), "{gone}, power cut at {at}");
            let lost = recovered.corruption.map(|lost| (lost.offset, lost.until));
            assert_eq!(lost, (!done).then_some((from, until)), "{gone}, power cut at {at}");
            let (_, again) = open(&disk);
            assert_eq!(again.corruption, None, "{gone}, power cut at {at}: told once");
        }
    }
}

#[test]
fn batches_gone_from_the_end_of_a_compacted_segment_are_told() {
    let (disk, segments) = compacted_and_closed();
    let (base, end) = segments[1];
    let name = format!("{base:020}.log");
    change(&disk, &name, |bytes| {
        let last = batches(bytes).flatten().last().unwrap().1.start;
        bytes.truncate(last);
    });
    let told: Vec<_> = verify(disk.clone(), dir()).unwrap().flat_map(|it| it.findings).collect();
    assert!(
        told.iter().any(|it| it.file == name && it.reason.contains("when the log was closed")),
        "{told:?}"
    );
    let (_, recovered) = open(&disk);
    let lost = recovered.corruption.unwrap();
    assert_eq!((lost.file, lost.until, recovered.log_end), (name, end, 40));
    assert!((base + 1..end).contains(&lost.offset), "{}", lost.offset);
}

#[test]
fn what_retention_takes_from_a_log_that_was_closed_is_not_missed() {
    let (disk, _) = twelve_batches_closed();
    for at in 1.. {
        let disk = disk.crash(0);
        let (mut log, recovered) = open(&disk);
        assert!(recovered.clean_shutdown);
        disk.cut_power_at(disk.operations() + at);
        let done = log.delete_segments_before(8).is_ok();
        for seed in 0..10 {
            let disk = disk.crash(seed);
            let told: Vec<_> = verify(disk.clone(), dir()).unwrap().flat_map(|it| it.findings).collect();
            assert!(told.iter().all(|it| !it.file.ends_with(".log")), "power cut at {at}: {told:?}");
            let (_, recovered) = open(&disk);
            assert_eq!(
                (recovered.log_end, recovered.corruption),
                (12, None),
                "power cut at {at}, seed {seed}"
            );
        }
        if done {
            break;
        }
    }
}

#[test]
fn a_power_cut_while_a_loss_is_mended_does_not_give_offsets_out_again() {
    for (what, damage, from, _) in LOSSES.iter().filter(|(.., until)| *until == 12) {
        let (damaged, batches) = twelve_batches_closed();
        damage(&damaged);
        for at in 1.. {
            let disk = damaged.crash(0);
            disk.cut_power_at(at);
            let done = Log::open(disk.clone(), dir(), small()).is_ok();
            for seed in 0..10 {
                let (log, recovered) = open(&disk.crash(seed));
                let what = format!("{what}, power cut at {at}, seed {seed}");
                assert_eq!(recovered.log_end, 12, "{what}");
                let left = batches[..*from as usize].concat();
                assert!(read_all(&log.reader(), log.log_start(), 1) == left, "{what}");
            }
            if done {
                break;
            }
        }
    }
}

type Hurt<'a> = (&'a str, &'a dyn Fn(&MemDisk), i64);

/// What happened to a log that was not closed, how, and the first offset lost.
const UNCLOSED: &[Hurt] = &[
    ("a middle segment is cut short", &|disk| change(disk, SECOND, |bytes| bytes.truncate(500)), 6),
    ("a middle segment is gone", &|disk| remove(disk, &[SECOND]), 4),
    ("the first segment is no batch", &|disk| change(disk, FIRST, |bytes| bytes.fill(7)), 0),
    ("a byte of the last segment", &|disk| change(disk, THIRD, |bytes| bytes[100] ^= 1), 8),
    ("a later byte of it", &|disk| change(disk, THIRD, |bytes| bytes[600] ^= 1), 10),
    (
        "all segments are gone",
        &|disk| {
            disk.create(&dir().join("00000000000000000012.snapshot")).unwrap();
            remove(disk, &[".log"]);
        },
        0,
    ),
];

#[test]
fn a_power_cut_while_a_loss_is_mended_leaves_it_to_be_told() {
    for (what, damage, from) in UNCLOSED {
        let (damaged, batches) = twelve_batches();
        damage(&damaged);
        let (bytes, operations) = {
            let disk = damaged.crash(0);
            let (_, recovered) = open(&disk);
            (recovered.corruption.unwrap().set_aside_bytes, disk.operations())
        };
        for at in 1..=operations {
            let disk = damaged.crash(0);
            disk.cut_power_at(at);
            Log::open(disk.clone(), dir(), small()).err().expect("the power is cut");
            for seed in 0..10 {
                let what = format!("{what}, power cut at {at}, seed {seed}");
                let disk = disk.crash(seed);
                let verified = verify(disk.clone(), dir()).unwrap().any(|it| !it.findings.is_empty());
                let (log, recovered) = open(&disk);
                assert_eq!(recovered.log_end, 12, "{what}");
                assert!(verified || recovered.corruption.is_none(), "{what}: verify tells nothing");
                let left = batches[..*from as usize].concat();
                assert!(read_all(&log.reader(), log.log_start(), 1) == left, "{what}");
                match recovered.corruption {
                    Some(lost) => {
                        assert_eq!((lost.offset, lost.until), (*from, 12), "{what}");
                        assert!(lost.set_aside_bytes >= bytes, "{what}: {lost:?}");
                        assert!(!recovered.clean_shutdown, "{what}");
                    }
                    // The last two take the word of it away.
                    None => assert!(at + 2 > operations, "{what}: nothing is told"),
                }
                let (_, again) = open(&disk.crash(0));
                assert_eq!((again.log_end, again.corruption), (12, None), "{what}: told once");
            }
        }
    }
}

#[test]
fn a_full_disk_while_a_loss_is_mended_leaves_it_to_be_told() {
    const NO_SPACE: i32 = 28;
    for (what, damage, from) in UNCLOSED {
        let (damaged, batches) = twelve_batches();
        damage(&damaged);
        for nth in 1.. {
            let disk = damaged.crash(0);
            disk.fail_write(nth, NO_SPACE);
            let failed = Log::open(disk.clone(), dir(), small()).err();
            let Some(failed) = failed else { break };
            assert!(failed.is_disk_full(), "{what}: {failed}");
            let (log, recovered) = open(&disk);
            let lost = recovered.corruption.map(|lost| (lost.offset, lost.until));
            let told = (lost, recovered.log_end, recovered.clean_shutdown);
            assert_eq!(told, (Some((*from, 12)), 12, false), "{what}, write {nth}");
            let left = batches[..*from as usize].concat();
            assert!(read_all(&log.reader(), log.log_start(), 1) == left, "{what}, write {nth}");
        }
    }
}

#[test]
fn a_power_cut_while_batches_are_set_aside_loses_none_of_them() {
    let (damaged, batches) = twelve_batches();
    let size = batches[0].len();
    change(&damaged, FIRST, |bytes| bytes[size + 16] = 0);
    change(&damaged, FIRST, |bytes| bytes[3 * size + 16] = 0);
    for at in 1.. {
        let disk = damaged.crash(0);
        disk.cut_power_at(at);
        let done = Log::open(disk.clone(), dir(), small()).is_ok();
        for seed in 0..10 {
            let disk = disk.crash(seed);
            let (log, _) = open(&disk);
            assert_eq!(read_all(&log.reader(), 0, 1), batches[0], "power cut at {at}, seed {seed}");
            let files = disk.crash(0).list(dir()).unwrap();
            let aside = files.iter().filter(|name| name.contains("quarantine"));
            let aside: Vec<_> = aside.filter_map(|name| disk.bytes(&dir().join(name))).collect();
            for lost in [2, 4, 5, 6, 7, 8, 9, 10, 11] {
                let kept = aside.iter().any(|file| file.windows(size).any(|bytes| bytes == batches[lost]));
                assert!(kept, "power cut at {at}, seed {seed}: batch {lost}");
            }
        }
        if done {
            break;
        }
    }
}

#[test]
fn what_was_set_aside_before_is_kept() {
    let (disk, batches) = twelve_batches();
    let size = batches[0].len();
    let earlier = format!("{THIRD}.quarantine-{size}");
    disk.create(&dir().join(&earlier)).unwrap().write_at(b"earlier", 0).unwrap();
    change(&disk, THIRD, |bytes| bytes[size + 30] ^= 1);
    let (_, recovered) = open(&disk);
    let aside = format!("{earlier}-2");
    assert_eq!(recovered.corruption.unwrap().set_aside, std::slice::from_ref(&aside));
    assert_eq!(disk.bytes(&dir().join(earlier)).unwrap(), b"earlier");
    assert_eq!(disk.bytes(&dir().join(aside)).unwrap().len(), 3 * size);
}

type Behind<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>), i64, i64);

#[test]
fn offsets_of_batches_behind_a_damaged_one_are_not_given_out_again() {
    let size = twelve_batches().1[0].len();
    let carried = || batch(5000, 0, 0, 1, 60);
    let table: [Behind; 8] = [
        // what happened to the last segment, how, the first offset lost, where the log goes on
        ("a byte of a value", &|bytes| bytes[size + 100] ^= 1, 9, 12),
        ("two batches", &|bytes| [100, 2 * size + 100].iter().for_each(|at| bytes[*at] ^= 1), 8, 12),
        ("no header is left", &|bytes| bytes[size..size + 61].fill(0), 9, 12),
        ("a size that leads to nowhere", &|bytes| bytes[size + 11] += 1, 9, 12),
        ("a size that leads to the end", &|bytes| bytes[size + 10] += 1, 9, 12),
        ("the last one is torn", &|bytes| bytes.truncate(4 * size - 1), 11, 11),
        (
            "and one before it",
            &|bytes| {
                bytes[100] ^= 1;
                bytes.truncate(4 * size - 1)
            },
            8,
            11,
        ),
        (
            "a value that looks like a batch",
            &|bytes| bytes[size + 70..][..carried().len()].copy_from_slice(&carried()),
            9,
            12,
        ),
    ];
    for (what, damage, from, until) in table {
        let (disk, batches) = twelve_batches();
        change(&disk, THIRD, damage);
        let (mut log, recovered) = open(&disk);
        let told = recovered.corruption.map(|lost| (lost.offset, lost.until));
        assert_eq!((told, recovered.log_end), ((from < until).then_some((from, until)), until), "{what}");
        let later = batch(until, 0, 0, 1, 10);
        log.append(&later).unwrap();
        log.sync().unwrap();
        let (log, again) = open(&disk.crash(0));
        assert_eq!((again.log_end, again.corruption), (until + 1, None), "{what}");
        let left = [&batches[..from as usize], &[later]].concat().concat();
        assert_eq!(read_all(&log.reader(), 0, 1), left, "{what}");
    }
}

#[test]
fn offsets_of_batches_behind_damage_in_two_segments_are_not_given_out_again() {
    let (disk, batches) = twelve_batches();
    change(&disk, SECOND, |bytes| bytes.truncate(500));
    change(&disk, THIRD, |bytes| bytes[100] ^= 1);
    let (log, recovered) = open(&disk);
    let lost = recovered.corruption.unwrap();
    assert_eq!((lost.offset, lost.until, recovered.log_end), (6, 12, 12));
    assert_eq!(read_all(&log.reader(), 0, 1), batches[..6].concat());
}

#[test]
fn a_torn_end_is_cut_without_an_alarm() {
    let ends: [(&str, Vec<u8>); 5] = [
        ("zeros", vec![0; 3000]),
        ("half a batch", batch(12, 0, 0, 1, 170)[..150].to_vec()),
        ("less than a header", batch(12, 0, 0, 1, 170)[..40].to_vec()),
        ("a header that promises a GiB", {
            let mut header = batch(12, 0, 0, 1, 170)[..61].to_vec();
            header[8..12].copy_from_slice(&(1_i32 << 30).to_be_bytes());
            header
        }),
        ("noise that looks like headers", [0, 0, 0, 0, 0, 0, 0, 2].repeat(500)),
    ];
    for (what, end) in ends {
        let (disk, batches) = twelve_batches();
        change(&disk, THIRD, |bytes| bytes.extend_from_slice(&end));
        let (log, recovered) = open(&disk);
        assert_eq!((recovered.log_end, recovered.truncated_bytes), (12, end.len() as u64), "{what}");
        assert_eq!(recovered.corruption, None, "{what}");
        assert_eq!(read_all(&log.reader(), 0, 1), batches.concat(), "{what}");
    }
}

#[test]
fn a_batch_larger_than_any_buffer_is_checked_to_its_last_byte() {
    let large = batch(1, 0, 0, 1, 700_000);
    let batches = [batch(0, 0, 0, 1, 10), large.clone(), batch(2, 0, 0, 1, 10)];
    let config = || LogConfig { segment_bytes: 1 << 20, ..small() };
    let disk = MemDisk::new();
    let (mut log, _) = Log::open(disk.clone(), dir(), config()).unwrap();
    batches.iter().for_each(|batch| log.append(batch).unwrap());
    log.sync().unwrap();
    let (log, recovered) = Log::open(disk.crash(0), dir(), config()).unwrap();
    assert_eq!((recovered.log_end, recovered.corruption), (3, None));
    assert_eq!(log.reader().read(1, 3, 100, true).unwrap(), large);
    assert_eq!(read_all(&log.reader(), 0, 1), batches.concat());
    for at in [21, 8_000, 300_000, large.len() - 1] {
        let disk = disk.crash(0);
        change(&disk, FIRST, |bytes| bytes[batches[0].len() + at] ^= 0x80);
        let (_, recovered) = Log::open(disk, dir(), config()).unwrap();
        let lost = recovered.corruption.unwrap();
        assert_eq!((lost.offset, lost.until, recovered.log_end), (1, 3, 3), "byte {at}");
        assert_eq!(lost.set_aside_bytes, (large.len() + batches[2].len()) as u64);
    }
}

/// Every bit that matters in the log and its indexes, after a crash and after a close: what is served is what
/// was appended, up to the damage; else the answer is an error.
#[test]
fn a_flipped_byte_anywhere_gives_a_prefix_or_an_error() {
    for clean in [false, true] {
        let intact = MemDisk::new();
        let (mut log, _) = open(&intact);
        let batches: Vec<_> = (0..5).map(|n| batch(2 * n, n as i32, n, 2, 60)).collect();
        batches.iter().for_each(|batch| log.append(batch).unwrap());
        log.sync().unwrap();
        let good = read_all(&log.reader(), 0, 1000);
        if clean {
            log.close().unwrap();
        }
        for name in intact.list(dir()).unwrap() {
            let bytes = intact.bytes(&dir().join(&name)).unwrap();
            for at in 0..bytes.len() {
                let disk = intact.crash(0);
                change(&disk, &name, |bytes| bytes[at] = !bytes[at]);
                let Ok((log, recovered)) = Log::open(disk, dir(), small()) else {
                    assert_eq!(name, "partition.metadata", "byte {at}");
                    continue;
                };
                use_every_answer(
                    &log,
                    &good,
                    recovered.clean_shutdown,
                    &format!("{name} byte {at}, clean {clean}"),
                );
            }
        }
    }
}

fn use_every_answer(log: &Log<MemDisk>, good: &[u8], clean: bool, what: &str) {
    let reader = log.reader();
    let mut next = log.log_start();
    while next < log.log_end() {
        let piece = match reader.read(next, log.log_end(), 1, true) {
            Ok(piece) => piece,
            Err(ReadError::Corrupt { .. }) => break,
            Err(error) => panic!("{what}: {error}"),
        };
        // Nothing is left up to the end.
        if piece.is_empty() {
            break;
        }
        let header = kafka_wire::record_batch::BatchHeader::peek(&piece).unwrap();
        // After a clean shutdown checksums are left to the consumer, as in Kafka.
        let epoch_aside = |bytes: &[u8]| [&bytes[..12], &bytes[16..]].concat();
        let same = |bytes: &&[u8]| epoch_aside(bytes) == epoch_aside(&piece);
        assert!(clean || good.windows(piece.len()).any(|bytes| same(&bytes)), "{what}: offset {next}");
        next = header.next_offset();
    }
    for timestamp in 0..6 {
        let _ = reader.offset_for_timestamp(timestamp);
    }
    for _ in reader.headers(log.log_start()) {}
}

/// A log with a past: compacted, begun late, with a snapshot. Sealed segments are not read when it is opened,
/// so that what is served may be damaged, which its checksum tells; `verify` tells all of it.
#[test]
fn a_flipped_byte_in_a_compacted_log_is_found_and_nothing_worse() {
    for clean in [false, true] {
        let intact = MemDisk::new();
        let (mut log, _) = open(&intact);
        for n in 0..24 {
            let record = (Some(format!("k{}", n % 5)), Some("v".repeat(20)).filter(|_| n % 4 > 0));
            log.append(&keyed(n, n, Producer::NONE, Compression::None, &[record])).unwrap();
            if n % 8 == 7 {
                log.roll().unwrap();
            }
        }
        let order = order(&log, 0);
        compact(&mut log, order).unwrap();
        log.write_snapshot(20, b"state").unwrap();
        log.advance_log_start(9).unwrap();
        let good = read_all(&log.reader(), log.log_start(), 1000);
        if clean {
            log.close().unwrap();
        }
        for name in intact.list(dir()).unwrap() {
            let bytes = intact.bytes(&dir().join(&name)).unwrap();
            for at in 0..bytes.len() {
                let disk = intact.crash(0);
                change(&disk, &name, |bytes| bytes[at] = !bytes[at]);
                let what = format!("{name} byte {at}, clean {clean}");
                // The epoch is outside the checksum; the mark and the metadata are for opening to judge.
                let epoch = batches(&bytes)
                    .flatten()
                    .any(|(_, range)| (12..16).contains(&(at - range.start.min(at))));
                let told = verify(disk.clone(), dir()).unwrap().any(|checked| !checked.findings.is_empty());
                let judged = ["clean-shutdown", "partition.metadata"].contains(&&*name);
                assert!(told || judged || (name.ends_with(".log") && epoch), "{what}");
                let Ok((mut log, _)) = Log::open(disk, dir(), small()) else {
                    assert_eq!(name, "partition.metadata", "{what}");
                    continue;
                };
                if name != "log-start-offset" {
                    assert!(log.log_start() >= 9, "{what}");
                    use_every_answer(&log, &good, true, &what);
                }
                if let Some((offset, state)) = log.latest_snapshot().unwrap() {
                    assert_eq!((offset, &state[..]), (20, &b"state"[..]), "{what}");
                }
                let order = CompactionOrder { max_keys: 2, ..crate::support::order(&log, 500) };
                let _ = compact(&mut log, order);
                let _ = log.reader().max_timestamp(i64::MAX);
            }
        }
    }
}

#[test]
fn an_index_that_points_elsewhere_does_not_lead_astray() {
    let size = batch(0, 0, 0, 1, 170).len() as u32;
    for off_by in [1, size] {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        let batches: Vec<_> = (0..12).map(|offset| batch(offset, 0, 0, 1, 170)).collect();
        batches.iter().for_each(|batch| log.append(batch).unwrap());
        log.close().unwrap();
        // Trusted after a clean shutdown, and wrong: into the middle of a batch, or to the next one.
        change(&disk, "00000000000000000000.index", |bytes| {
            for entry in bytes.chunks_mut(8) {
                let position = u32::from_be_bytes([entry[4], entry[5], entry[6], entry[7]]);
                entry[4..].copy_from_slice(&(position + off_by).to_be_bytes());
            }
        });
        let (log, recovered) = open(&disk);
        assert!(recovered.clean_shutdown);
        for offset in 0..12 {
            let read = log.reader().read(offset, 12, 1, true).unwrap();
            assert_eq!(read, batches[offset as usize], "offset {offset}, off by {off_by}");
        }
    }
}

#[test]
fn a_hole_in_a_segment_is_an_error_for_who_reads_it() {
    let disk = MemDisk::new();
    let config = LogConfig { segment_bytes: 1 << 20, ..small() };
    let (mut log, _) = Log::open(disk.clone(), dir(), config).unwrap();
    let batches: Vec<_> = (0..5).map(|offset| batch(offset, 0, 0, 1, 20)).collect();
    batches.iter().for_each(|batch| log.append(batch).unwrap());
    let size = batches[0].len();
    change(&disk, FIRST, |bytes| bytes[2 * size..3 * size].fill(0));
    let reader = log.reader();
    assert_eq!(reader.read(0, 5, 10_000, true).unwrap(), batches[..2].concat(), "what is good comes first");
    let told = reader.read(2, 5, 10_000, true).unwrap_err().to_string();
    assert!(told.starts_with(&format!("{FIRST} is damaged at byte {}", 2 * size)), "{told}");
    let told = reader.headers(0).last().unwrap().unwrap_err().to_string();
    assert!(told.starts_with(&format!("{FIRST} is damaged at byte {}", 2 * size)), "{told}");
}

#[test]
fn tries_to_set_aside_on_a_full_disk_leave_no_copies() {
    let (disk, batches) = twelve_batches();
    change(&disk, THIRD, |bytes| bytes[100] ^= 1);
    let tail = batches[8..].concat().len() as u64;
    let files = || disk.list(dir()).unwrap();
    let used =
        || -> u64 { files().iter().map(|name| disk.bytes(&dir().join(name)).unwrap().len() as u64).sum() };
    let mut before = None;
    for room in (0..4).map(|quarter| tail * quarter / 4) {
        disk.set_capacity(Some(used() + room));
        let failed = Log::open(disk.clone(), dir(), small()).err().expect("no room for a copy");
        assert!(failed.is_disk_full(), "{room}: {failed}");
        assert!(!files().iter().any(|name| name.contains("quarantine")), "{room}: {:?}", files());
        // What the first try with a little room has written down is there from then on.
        assert!(room <= tail / 4 || before == Some(used()), "{room}: {before:?}");
        before = Some(used());
    }
    disk.set_capacity(None);
    let (_, recovered) = open(&disk);
    assert_eq!(recovered.corruption.expect("told").set_aside, [format!("{THIRD}.quarantine-0")]);
    let kept = disk.crash(0).bytes(&dir().join(format!("{THIRD}.quarantine-0"))).expect("durable");
    assert_eq!(kept.len() as u64, tail);
}
