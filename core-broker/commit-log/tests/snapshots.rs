//! Snapshots of the producers' state: the newest good one, never one that tells of batches that are not there.

use commit_log::{Disk, Log, LogError, MemDisk};

use crate::support::*;

/// Ten batches of one record, three to a segment.
fn filled(disk: &MemDisk) -> Log<MemDisk> {
    let (mut log, _) = open(disk);
    for offset in 0..10 {
        log.append(&batch(offset, 0, 0, 1, 250)).unwrap();
    }
    log
}

fn latest(log: &Log<MemDisk>) -> Option<(i64, Vec<u8>)> {
    log.latest_snapshot().unwrap()
}

fn files(disk: &MemDisk) -> Vec<String> {
    disk.list(dir()).unwrap().into_iter().filter(|name| name.ends_with(".snapshot")).collect()
}

#[test]
fn the_newest_two_are_kept_and_the_newest_is_read() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    assert_eq!(latest(&log), None);
    for (offset, state) in [(0, &b""[..]), (4, b"four"), (4, b"four again"), (9, b"nine"), (10, b"ten")] {
        log.write_snapshot(offset, state).unwrap();
        assert_eq!(latest(&log), Some((offset, state.to_vec())));
        assert!(log.flushed_end() >= offset, "a snapshot vouches for batches that are on disk");
        assert_eq!(latest(&open(&disk.crash(0)).0), Some((offset, state.to_vec())));
    }
    assert_eq!(files(&disk), ["00000000000000000009.snapshot", "00000000000000000010.snapshot"]);
    for offset in [-1, 11] {
        assert!(matches!(log.write_snapshot(offset, b""), Err(LogError::SnapshotOutOfRange { .. })));
    }
}

#[test]
fn a_damaged_one_is_passed_over() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.write_snapshot(3, b"three").unwrap();
    log.write_snapshot(7, b"seven").unwrap();
    let path = dir().join("00000000000000000007.snapshot");
    let good = disk.bytes(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        disk.overwrite(&path, bad);
        assert_eq!(latest(&log), Some((3, b"three".to_vec())), "byte {at}");
        disk.overwrite(&path, good[..at].to_vec());
        assert_eq!(latest(&log), Some((3, b"three".to_vec())), "cut at {at}");
    }
    disk.overwrite(&dir().join("7.snapshot"), good.clone());
    disk.overwrite(&dir().join("-0000000000000000007.snapshot"), good.clone());
    assert_eq!(latest(&log), Some((3, b"three".to_vec())), "not our names");
    disk.overwrite(&path, good);
    assert_eq!(latest(&open(&disk).0), Some((7, b"seven".to_vec())));
}

#[test]
fn one_above_a_cut_is_dropped_and_one_above_the_logs_end_tells_of_a_loss() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.write_snapshot(3, b"three").unwrap();
    log.write_snapshot(7, b"seven").unwrap();
    assert_eq!(log.truncate_to(7).unwrap(), 7);
    assert_eq!(latest(&log), Some((7, b"seven".to_vec())));
    assert_eq!(log.truncate_to(6).unwrap(), 6);
    for log in [log, open(&disk.crash(0)).0] {
        assert_eq!(latest(&log), Some((3, b"three".to_vec())));
    }

    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.write_snapshot(8, b"eight").unwrap();
    log.write_snapshot(10, b"ten").unwrap();
    let path = dir().join("00000000000000000009.log");
    disk.overwrite(&path, vec![0; 100]);
    let (log, recovered) = open(&disk);
    let lost = recovered.corruption.unwrap();
    assert_eq!((lost.offset, lost.until, recovered.log_end), (9, 10, 10));
    assert_eq!(latest(&log), Some((10, b"ten".to_vec())), "what it knows of producers is still so");
}

#[test]
fn a_cut_and_its_snapshots_go_together_whenever_the_power_goes() {
    for at in 1.. {
        let disk = MemDisk::new();
        let mut log = filled(&disk);
        log.write_snapshot(3, b"three").unwrap();
        log.write_snapshot(7, b"seven").unwrap();
        disk.cut_power_at(disk.operations() + at);
        let cut = log.truncate_to(5).is_ok();
        for seed in 0..8 {
            let (log, recovered) = open(&disk.crash(seed));
            let (offset, _) = latest(&log).unwrap();
            assert!(offset <= recovered.log_end, "cut at {at}, seed {seed}");
            assert!(offset == 3 || recovered.log_end == 10, "cut at {at}, seed {seed}");
        }
        if cut {
            break;
        }
    }
}

#[test]
fn one_that_finds_no_room_leaves_nothing_behind() {
    let disk = MemDisk::new();
    let mut log = filled(&disk);
    log.write_snapshot(3, b"three").unwrap();
    let before = disk.list(dir()).unwrap();
    for offset in 4..10 {
        disk.fail_write(1, 28);
        assert!(log.write_snapshot(offset, &[7; 1000]).unwrap_err().is_disk_full());
        assert_eq!(disk.list(dir()).unwrap(), before);
    }
    assert_eq!(latest(&log), Some((3, b"three".to_vec())));
}
