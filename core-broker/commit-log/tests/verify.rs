//! What `verify` finds in a folder, with file, position and offset, and that it touches nothing.

use commit_log::{Disk, Finding, Log, MemDisk, verify};
use kafka_wire::record_batch::{Compression, Producer};

use crate::support::*;

const FIRST: &str = "00000000000000000000";
const SECOND: &str = "00000000000000000004";
const THIRD: &str = "00000000000000000008";

/// Twelve batches of one record in three segments, closed.
fn twelve_batches() -> (MemDisk, usize) {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    let batches: Vec<_> = (0..12).map(|offset| batch(offset, 0, offset, 1, 170)).collect();
    batches.iter().for_each(|batch| log.append(batch).unwrap());
    assert_eq!(log.segments().iter().map(|s| s.base_offset).collect::<Vec<_>>(), [0, 4, 8]);
    log.close().unwrap();
    (disk, batches[0].len())
}

fn change(disk: &MemDisk, base: &str, suffix: &str, how: impl FnOnce(&mut Vec<u8>)) {
    let path = dir().join(format!("{base}.{suffix}"));
    let mut bytes = disk.bytes(&path).unwrap();
    how(&mut bytes);
    disk.overwrite(&path, bytes);
}

fn findings(disk: &MemDisk) -> Vec<Finding> {
    let before = disk.operations();
    let found = verify(disk.clone(), dir()).unwrap().flat_map(|segment| segment.findings).collect();
    assert_eq!(disk.operations(), before, "nothing is written");
    found
}

/// Segment, suffix, position, offset, how the reason begins.
type Told = (&'static str, &'static str, usize, i64, &'static str);
type Damage<'a> = (&'a dyn Fn(&MemDisk), &'a [Told]);

#[test]
fn damage_is_told_with_file_position_and_offset() {
    let size = twelve_batches().1;
    let checksum = "the checksum does not hold";
    let astray = "the entry does not point to";
    let table: [Damage; 11] = [
        (&|_| (), &[]),
        (
            &|disk| {
                change(disk, FIRST, "log", |bytes| bytes[size + 100] ^= 1);
                change(disk, THIRD, "log", |bytes| bytes[2 * size + 61] ^= 1);
            },
            &[(FIRST, "log", size, 1, checksum), (THIRD, "log", 2 * size, 10, checksum)],
        ),
        (
            &|disk| change(disk, SECOND, "log", |bytes| bytes[size..].fill(0)),
            &[(SECOND, "log", size, 5, "message format 0 is not supported")],
        ),
        (
            &|disk| change(disk, SECOND, "log", |bytes| bytes[size + 7] = 9),
            &[
                (SECOND, "log", size, 5, "a batch begins at offset 9, 5 comes next"),
                (SECOND, "index", 0, 9, astray),
                (SECOND, "log", 2 * size, 10, "a batch begins at offset 6, 10 comes next"),
            ],
        ),
        (
            &|disk| change(disk, SECOND, "log", |bytes| bytes.truncate(3 * size)),
            &[
                (SECOND, "log", 3 * size, 7, "it ends at offset 7, the next begins at 8"),
                (SECOND, "index", 16, 4, astray),
                (SECOND, "timeindex", 24, 4, astray),
                (SECOND, "timeindex", 36, 4, "its last entry does not tell"),
            ],
        ),
        (
            &|disk| change(disk, THIRD, "log", |bytes| bytes.truncate(4 * size - 1)),
            &[(THIRD, "log", 3 * size, 11, "batch cut short")],
        ),
        (
            &|disk| disk.remove(&dir().join(format!("{SECOND}.log"))).unwrap(),
            &[
                (
                    SECOND,
                    "log",
                    0,
                    4,
                    "it is gone, and had 960 bytes, offsets 4 to 8, when the log was closed",
                ),
                (FIRST, "log", 4 * size, 4, "it ends at offset 4, the next begins at 8"),
            ],
        ),
        (
            &|disk| disk.remove(&dir().join(format!("{FIRST}.log"))).unwrap(),
            &[(FIRST, "log", 0, 0, "it is gone, and had 960 bytes, offsets 0 to 4, when the log was closed")],
        ),
        (
            &|disk| disk.remove(&dir().join(format!("{SECOND}.index"))).unwrap(),
            &[(SECOND, "index", 0, 4, "it is missing")],
        ),
        (&|disk| change(disk, FIRST, "index", |bytes| bytes[7] ^= 1), &[(FIRST, "index", 0, 2, astray)]),
        (
            &|disk| change(disk, THIRD, "timeindex", |bytes| bytes[7] -= 1),
            &[(THIRD, "timeindex", 0, 9, astray)],
        ),
    ];
    for (n, (damage, expected)) in table.iter().enumerate() {
        let (disk, _) = twelve_batches();
        damage(&disk);
        let found = findings(&disk);
        assert_eq!(found.len(), expected.len(), "row {n}: {found:#?}");
        for (found, (base, suffix, position, offset, reason)) in found.iter().zip(*expected) {
            let told = (found.file.clone(), found.position, found.offset);
            assert_eq!(told, (format!("{base}.{suffix}"), *position as u64, *offset), "row {n}: {found:?}");
            assert!(found.reason.starts_with(reason), "row {n}: {found:?}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_batch_is_found() {
    let (intact, size) = twelve_batches();
    for at in 0..size {
        // Outside the checksum, as Kafka has it: the leader stamps it.
        let is_epoch = (12..16).contains(&at);
        let disk = intact.crash(0);
        change(&disk, SECOND, "log", |bytes| bytes[size + at] ^= 0x10);
        assert!(is_epoch || !findings(&disk).is_empty(), "byte {at}");
    }
}

#[test]
fn damaged_checkpoints_and_snapshots_are_told() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    (0..12).for_each(|offset| log.append(&batch(offset, 0, offset, 1, 170)).unwrap());
    let order = order(&log, 0);
    compact(&mut log, order).unwrap();
    log.write_snapshot(9, b"state").unwrap();
    log.advance_log_start(10).unwrap();
    log.close().unwrap();
    assert_eq!(findings(&disk), []);
    for name in
        ["cleaner-checkpoint", "leader-epoch-checkpoint", "log-start-offset", "00000000000000000009.snapshot"]
    {
        let disk = disk.crash(0);
        let mut bytes = disk.bytes(&dir().join(name)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        disk.overwrite(&dir().join(name), bytes);
        let told: Vec<_> = findings(&disk).into_iter().map(|finding| finding.file).collect();
        assert_eq!(told, [name]);
    }
}

#[test]
fn holes_that_compaction_made_are_none() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    for n in 0..30 {
        let record = (Some(format!("k{}", n % 4)), Some("v".repeat(100)));
        log.append(&keyed(n, n, Producer::NONE, Compression::None, &[record])).unwrap();
    }
    let order = order(&log, 0);
    compact(&mut log, order).unwrap();
    log.sync().unwrap();
    assert_eq!(findings(&disk), []);
    log.close().unwrap();
    assert_eq!(findings(&disk), []);
}

#[test]
fn an_interrupted_compaction_is_seen_as_what_it_will_be() {
    for at in 1.. {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        for n in 0..12 {
            let record = (Some(format!("k{}", n % 2)), Some("v".repeat(10)));
            log.append(&keyed(n, n, Producer::NONE, Compression::None, &[record])).unwrap();
            if n % 3 == 2 {
                log.roll().unwrap();
            }
        }
        disk.cut_power_at(disk.operations() + at);
        let order = order(&log, 0);
        let done = compact(&mut log, order).is_ok();
        for seed in 0..6 {
            let found = findings(&disk.crash(seed));
            // Indexes are removed before and made anew after; the batches are all in their place.
            assert!(found.iter().all(|finding| finding.file.ends_with("index")), "cut at {at}: {found:?}");
        }
        if done {
            break;
        }
    }
}

#[test]
fn beside_an_open_log_the_active_segment_is_left_out() {
    let (disk, _) = twelve_batches();
    let (log, _) = open(&disk);
    change(&disk, THIRD, "log", |bytes| bytes[100] ^= 1);
    let active = log.segments().last().unwrap().base_offset;
    let seen: Vec<_> = verify(disk.clone(), dir()).unwrap().before(active).collect();
    let segments = seen.iter().filter(|checked| checked.file.ends_with(".log"));
    let told: Vec<_> = segments.map(|segment| (segment.file.as_str(), segment.batches)).collect();
    assert_eq!(told, [("00000000000000000000.log", 4), ("00000000000000000004.log", 4)]);
    assert!(seen.iter().all(|segment| segment.findings.is_empty()));
    assert_eq!(findings(&disk).len(), 1);
}

#[test]
fn of_a_segment_full_of_damage_a_hundred_findings_are_told() {
    let disk = MemDisk::new();
    let config = commit_log::LogConfig { segment_bytes: 1 << 20, ..small() };
    let (mut log, _) = Log::open(disk.clone(), dir(), config).unwrap();
    (0..300).for_each(|offset| log.append(&batch(offset, 0, offset, 1, 20)).unwrap());
    log.sync().unwrap();
    let size = batch(0, 0, 0, 1, 20).len();
    change(&disk, FIRST, "log", |bytes| bytes.chunks_mut(size).for_each(|batch| batch[70] ^= 1));
    assert_eq!(findings(&disk).len(), 100);
}
