//! Cuts the power at every operation of a script, finds the disk torn in several ways, opens the log again.
//!
//! Whatever `sync` returned is there, what is there is what was appended, in order and without a hole, and a
//! crash in the middle of the recovery changes nothing of this.

use crate::support::*;
use commit_log::{Disk, Log, LogError, MemDisk};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Batches of one to three records.
    Append {
        batches: i64,
        value_bytes: usize,
    },
    Sync,
    Roll,
    CloseAndOpen,
    /// To this many offsets before the end.
    CutBack(i64),
    /// All but about this many offsets.
    Keep(i64),
    /// All but this many offsets: DeleteRecords.
    StartAt(i64),
    /// Of the producers, at the end.
    Snapshot,
}
use Step::*;

const SCRIPT: &[Step] = &[
    Append { batches: 1, value_bytes: 20 },
    Sync,
    Append { batches: 3, value_bytes: 100 },
    Append { batches: 1, value_bytes: 700 },
    Sync,
    Append { batches: 2, value_bytes: 300 },
    Roll,
    Append { batches: 1, value_bytes: 2000 },
    Append { batches: 1, value_bytes: 30 },
    CloseAndOpen,
    Append { batches: 2, value_bytes: 200 },
    Snapshot,
    Sync,
    CutBack(1),
    Append { batches: 1, value_bytes: 50 },
    CloseAndOpen,
    CloseAndOpen,
    Append { batches: 4, value_bytes: 150 },
    CutBack(12),
    Append { batches: 3, value_bytes: 600 },
    Sync,
    Keep(6),
    Append { batches: 2, value_bytes: 400 },
    StartAt(2),
    Snapshot,
    Roll,
    Roll,
    Append { batches: 1, value_bytes: 10 },
    Sync,
    Snapshot,
    StartAt(1),
    Append { batches: 5, value_bytes: 10 },
];

/// What a log may and must hold.
#[derive(Debug, Clone, Default)]
struct Promised {
    /// Every batch appended and not cut back, from offset 0 on: the next offset after it and its bytes.
    batches: Vec<(i64, Vec<u8>)>,
    /// What `sync` returned, less what was asked to be cut back.
    synced: i64,
    /// What is before this may be gone.
    deleted_before: i64,
    /// What is before this must be.
    starts_at: i64,
    /// The offsets of snapshots that were written, and which the log has not been cut back behind since.
    snapshots: Vec<i64>,
}

impl Promised {
    fn end(&self) -> i64 {
        self.batches.last().map_or(0, |(next, _)| *next)
    }

    fn bytes_between(&self, start: i64, end: i64) -> Vec<u8> {
        let inside = self.batches.iter().filter(|(next, _)| start < *next && *next <= end);
        inside.flat_map(|(_, bytes)| bytes.clone()).collect()
    }

    fn check(&self, disk: &MemDisk, after: &str) -> MemDisk {
        let (mut log, recovered) = open(disk);
        let (start, end) = (log.log_start(), log.log_end());
        assert_eq!((recovered.log_start, recovered.log_end, log.flushed_end()), (start, end, end), "{after}");
        assert!(end >= self.synced, "{after}: synced to {}, found up to {end}", self.synced);
        assert!(start <= self.deleted_before, "{after}: begins at {start}");
        assert!(start >= self.starts_at, "{after}: begins at {start}, again");
        let (snapshot, state) = log.latest_snapshot().unwrap().unwrap_or_default();
        assert_eq!(state, snapshot.to_be_bytes()[..state.len()], "{after}");
        assert!(snapshot <= end, "{after}: a snapshot at {snapshot}");
        assert!(
            self.snapshots.iter().all(|written| *written <= snapshot),
            "{after}: a snapshot at {snapshot}"
        );
        assert!(end <= self.end(), "{after}: ends at {end}");
        let found = read_all(&log.reader(), start, 500);
        assert_eq!(found, self.bytes_between(start, end), "{after}: {start} to {end}");
        let names = disk.list(dir()).unwrap();
        for name in &names {
            let left_over = match name.rsplit_once('.') {
                Some((base, "index" | "timeindex")) => !names.contains(&format!("{base}.log")),
                Some((_, suffix)) => suffix == "tmp",
                None => false,
            };
            assert!(!left_over, "{after}: {name} is left over");
        }

        // The log lives: it takes a batch, keeps it, and finds nothing more to repair.
        let more = batch(end, 99, 0, 1, 40);
        log.append(&more).unwrap();
        assert_eq!(log.sync().unwrap(), end + 1, "{after}");
        let disk = disk.crash(0);
        let (log, again) = open(&disk);
        assert_eq!((again.truncated_bytes, again.corruption), (0, None), "{after}");
        assert_eq!(read_all(&log.reader(), start, 500), [found, more].concat(), "{after}");
        disk
    }
}

/// Runs the script until it ends or a call fails.
fn run(disk: &MemDisk, promised: &mut Promised) -> Result<(), LogError> {
    let (mut log, _) = Log::open(disk.clone(), dir(), small())?;
    for (epoch, step) in SCRIPT.iter().enumerate() {
        match *step {
            Append { batches, value_bytes } => {
                let mut bytes = Vec::new();
                for n in 0..batches {
                    let records = 1 + n % 3;
                    let one = batch(promised.end(), epoch as i32, 0, records, value_bytes);
                    promised.batches.push((promised.end() + records, one.clone()));
                    bytes.extend(one);
                }
                log.append(&bytes)?;
            }
            Sync => promised.synced = log.sync()?,
            Roll => {
                log.roll()?;
                promised.synced = log.flushed_end();
            }
            CloseAndOpen => {
                log.close()?;
                promised.synced = promised.end();
                let opened = Log::open(disk.clone(), dir(), small())?;
                assert!(opened.1.clean_shutdown);
                log = opened.0;
            }
            CutBack(back) => {
                let to = promised.end() - back;
                let kept = promised.batches.iter().take_while(|(next, _)| *next <= to).count();
                let kept_end = kept.checked_sub(1).map_or(0, |last| promised.batches[last].0);
                promised.synced = promised.synced.min(kept_end);
                promised.snapshots.retain(|offset| *offset <= kept_end);
                assert_eq!(log.truncate_to(to)?, kept_end);
                promised.batches.truncate(kept);
                promised.synced = kept_end;
            }
            Keep(offsets) => {
                promised.deleted_before = promised.end() - offsets;
                assert!(log.delete_segments_before(promised.deleted_before)? > 0);
            }
            StartAt(offsets) => {
                promised.deleted_before = promised.end() - offsets;
                promised.starts_at = log.advance_log_start(promised.deleted_before)?;
                assert_eq!(promised.starts_at, promised.deleted_before);
            }
            Snapshot => {
                log.write_snapshot(promised.end(), &promised.end().to_be_bytes())?;
                promised.snapshots.push(promised.end());
            }
        }
    }
    Ok(())
}

fn operations_of_the_script() -> u64 {
    let disk = MemDisk::new();
    let mut promised = Promised::default();
    run(&disk, &mut promised).unwrap();
    let operations = disk.operations();
    promised.check(&disk, "no crash");
    operations
}

#[test]
fn what_was_synced_survives_a_power_cut_at_every_operation() {
    for at in 1..=operations_of_the_script() {
        let disk = MemDisk::new();
        disk.cut_power_at(at);
        let mut promised = Promised::default();
        run(&disk, &mut promised).expect_err("the power is cut");
        for seed in 0..12 {
            let after = format!("power cut at operation {at}, seed {seed}");
            promised.check(&disk.crash(seed), &after);
        }
    }
}

#[test]
fn a_second_power_cut_during_the_recovery_loses_nothing_more() {
    for at in (1..=operations_of_the_script()).step_by(3) {
        let disk = MemDisk::new();
        disk.cut_power_at(at);
        let mut promised = Promised::default();
        run(&disk, &mut promised).expect_err("the power is cut");
        for seed in [0, 1, 5, 6] {
            for second in 1.. {
                let disk = disk.crash(seed);
                disk.cut_power_at(second);
                if Log::open(disk.clone(), dir(), small()).is_ok() {
                    break;
                }
                promised.check(
                    &disk.crash(seed + 100),
                    &format!("power cut at {at}, seed {seed}, again at {second}"),
                );
            }
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_the_kernel_has() {
    for at in 1..=operations_of_the_script() {
        let disk = MemDisk::new();
        disk.cut_power_at(at);
        let mut promised = Promised::default();
        run(&disk, &mut promised).expect_err("the power is cut");
        disk.restart_process();
        let (log, recovered) = open(&disk);
        // The opened log vouches for all it shows, also for what nobody had synced before.
        let (found, end) = (read_all(&log.reader(), recovered.log_start, 500), log.flushed_end());
        let (log, again) = open(&disk.crash(0));
        assert_eq!(again.log_end, end, "killed at {at}");
        assert_eq!(read_all(&log.reader(), again.log_start, 500), found, "killed at {at}");
    }
}

#[test]
fn after_a_failed_sync_nothing_is_shown_that_a_power_cut_could_take_back() {
    let syncs = {
        let disk = MemDisk::new();
        run(&disk, &mut Promised::default()).unwrap();
        disk.syncs()
    };
    for nth in 1..=syncs {
        let disk = MemDisk::new();
        disk.fail_sync(nth, 5);
        let mut promised = Promised::default();
        run(&disk, &mut promised).expect_err("a sync fails");
        // The same kernel, so the pages that were never written are still shown.
        let (log, _) = open(&disk);
        let (start, end) = (log.log_start(), log.flushed_end());
        assert!(end >= promised.synced, "sync {nth} failed");
        assert_eq!(
            read_all(&log.reader(), start, 500),
            promised.bytes_between(start, end),
            "sync {nth} failed"
        );
        drop(log);
        let (log, _) = open(&disk.crash(0));
        assert!(log.log_end() >= end, "sync {nth} failed: {end} was shown, {} is left", log.log_end());
        assert_eq!(read_all(&log.reader(), start, 500), promised.bytes_between(start, log.log_end()));
    }
}
