//! A disk that is full or broken: an error that says so, nothing acknowledged lost, and a log that goes on
//! after it is opened again.

use commit_log::{Log, LogError, MemDisk};

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
