//! A disk that is full or broken: an error that says so, nothing acknowledged lost, and a log that goes on
//! after it is opened again.

use commit_log::{Log, LogError, MemDisk, Retention};

use crate::support::*;

const EIO: i32 = 5;

#[test]
fn a_full_disk_is_an_error_and_the_log_goes_on_when_there_is_room() {
    for capacity in 500..3500 {
        let disk = MemDisk::new();
        disk.set_capacity(Some(capacity));
        let Ok((mut log, _)) = Log::open(disk.clone(), dir(), small()) else { continue };
        let mut acknowledged = Vec::new();
        let full = loop {
            let next = batch(log.log_end(), 0, 0, 1, 120);
            match log.append(&next).and_then(|()| log.sync()) {
                Ok(_) => acknowledged.extend(next),
                Err(error) => break error,
            }
        };
        assert!(full.is_disk_full(), "{capacity}: {full}");
        assert!(full.to_string().ends_with("No space left on device (os error 28)"), "{full}");
        let refused = log.append(&batch(log.log_end(), 0, 0, 1, 1)).unwrap_err();
        assert!(matches!(refused, LogError::Stopped { .. }), "{refused}");
        assert!(refused.to_string().contains("No space left"), "{refused}");
        assert!(log.sync().is_err());
        assert_eq!(read_all(&log.reader(), 0, 300), acknowledged, "what is there stays readable");
        drop(log);

        for disk in [disk.clone(), disk.crash(0), disk.crash(1), disk.crash(7)] {
            disk.set_capacity(Some(capacity));
            let (log, recovered) = open(&disk);
            assert_eq!(recovered.corruption, None, "{capacity}");
            assert_eq!(read_all(&log.reader(), 0, 300), acknowledged, "{capacity}: on the disk still full");
            drop(log);
            disk.set_capacity(None);
            let (mut log, _) = open(&disk);
            let end = log.log_end();
            log.append(&batch(end, 0, 0, 1, 120)).unwrap();
            assert_eq!(log.sync().unwrap(), end + 1);
        }
    }
}

#[test]
fn after_a_failed_write_or_sync_all_writes_are_refused_until_opened_again() {
    for action in ["writing", "syncing"] {
        let disk = MemDisk::new();
        let (mut log, _) = open(&disk);
        let first = batch(0, 0, 0, 1, 50);
        log.append(&first).unwrap();
        log.sync().unwrap();
        match action {
            "writing" => disk.fail_write(1, EIO),
            _ => disk.fail_sync(1, EIO),
        }
        let failed = log.append(&batch(1, 0, 0, 1, 50)).and_then(|()| log.sync()).unwrap_err();
        assert!(failed.to_string().starts_with(action), "{failed}");
        assert_eq!((log.log_end(), log.flushed_end()), (1, 1), "cut back to what is known to be good");
        assert!(matches!(log.append(&batch(1, 0, 0, 1, 50)), Err(LogError::Stopped { .. })));
        assert!(matches!(log.sync(), Err(LogError::Stopped { .. })));
        assert!(matches!(log.roll(), Err(LogError::Stopped { .. })));
        assert!(matches!(log.truncate_to(0), Err(LogError::Stopped { .. })));
        assert_eq!(read_all(&log.reader(), 0, 100), first);
        assert!(matches!(log.close(), Err(LogError::Stopped { .. })), "no mark of a clean shutdown");
        let (mut log, recovered) = open(&disk);
        assert_eq!((recovered.log_end, recovered.clean_shutdown), (1, false));
        log.append(&batch(1, 0, 0, 1, 50)).unwrap();
        assert_eq!(log.sync().unwrap(), 2);
    }
}

#[test]
fn a_log_that_a_full_disk_has_stopped_lets_go_of_old_segments() {
    let small_rest = Retention { max_bytes: Some(400), max_age_ms: None };
    for capacity in (2500..4500).step_by(7) {
        let disk = MemDisk::new();
        disk.set_capacity(Some(capacity));
        let mut log = filled(&disk);
        assert!(log.is_stopped_by_full_disk(), "{capacity}");
        let (flushed_end, all) = (log.flushed_end(), read_all(&log.reader(), 0, 300));
        let segments = log.segments();
        let sealed = &segments[..segments.len() - 1];
        if capacity % 2 == 0 {
            while log.expire_oldest(&small_rest, flushed_end, 0).unwrap().is_some() {}
            assert!(log.segments().len() < segments.len(), "{capacity}");
        } else {
            // Up to a segment's end, and then there is room to write down that it is one record further.
            let end = sealed.last().expect("more than one segment").end_offset;
            assert_eq!(log.advance_log_start(end).unwrap(), end, "{capacity}");
            let next = flushed_end.min(end + 1);
            assert_eq!(log.advance_log_start(next).unwrap(), next, "{capacity}");
            assert_eq!(log.segments().len(), 1);
        }
        let log_start = log.log_start();
        assert!(log.append(&batch(log.log_end(), 0, 0, 1, 1)).is_err(), "opened again before it is written");
        let left = read_all(&log.reader(), log_start, 300);
        assert!(!left.is_empty() || log_start == flushed_end);
        assert!(all.ends_with(&left), "{capacity}");
        for disk in [disk.clone(), disk.crash(0), disk.crash(1), disk.crash(7)] {
            let (mut log, recovered) = open(&disk);
            assert_eq!((recovered.log_start, recovered.corruption), (log_start, None), "{capacity}");
            assert_eq!(read_all(&log.reader(), log_start, 300), left, "{capacity}");
            disk.set_capacity(Some(capacity));
            log.append(&batch(log.log_end(), 0, 0, 1, 120)).unwrap();
            log.sync().unwrap();
        }
    }
}

#[test]
fn a_log_that_another_error_has_stopped_lets_go_of_nothing() {
    let everything = Retention { max_bytes: Some(0), max_age_ms: Some(0) };
    for then_full in [false, true] {
        let disk = MemDisk::new();
        disk.set_capacity(Some(3000));
        // A full disk that then fails in another way is a broken one.
        let mut log = if then_full { filled(&disk) } else { filled_until(&disk, 1500) };
        if then_full {
            disk.fail_sync(1, EIO);
        } else {
            disk.fail_write(1, EIO);
            assert!(log.append(&batch(log.log_end(), 0, 0, 1, 50)).is_err());
        }
        let _ = log.expire_oldest(&everything, log.flushed_end(), i64::MAX);
        let (segments, log_start) = (log.segments(), log.log_start());
        assert!(log.is_stopped() && !log.is_stopped_by_full_disk());
        let refused = log.expire_oldest(&everything, log.flushed_end(), i64::MAX);
        assert!(matches!(refused, Err(LogError::Stopped { .. })));
        assert!(matches!(log.advance_log_start(log_start + 1), Err(LogError::Stopped { .. })));
        assert_eq!((log.segments(), log.log_start()), (segments, log_start));
    }
}

/// To the last byte that the disk has.
fn filled(disk: &MemDisk) -> Log<MemDisk> {
    filled_until(disk, u64::MAX)
}

fn filled_until(disk: &MemDisk, most_bytes: u64) -> Log<MemDisk> {
    let (mut log, _) = open(disk);
    let written = |log: &Log<MemDisk>| -> u64 { log.segments().iter().map(|segment| segment.bytes).sum() };
    while written(&log) < most_bytes {
        let next = batch(log.log_end(), 0, 0, 1, 120);
        if log.append(&next).and_then(|()| log.sync()).is_err() {
            break;
        }
    }
    log
}
