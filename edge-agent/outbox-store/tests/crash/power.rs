//! The power goes at every sync of a run; what was committed is there, and nothing half.

use outbox_store::{Cut, MemDisk, OpenError, Store, StoreConfig, StoreError};

use crate::{chance::Chance, model::Model};

const COMMITS: usize = 30;

/// What is known after a run: the last state that was acknowledged, and the one that was being written.
struct Ran {
    /// The store was opened once, so that the file is whole: a real one gets its name only then.
    made: bool,
    acknowledged: Model,
    in_doubt: Model,
}

/// Runs the script until it ends or the power goes.
fn run(disk: &MemDisk, seed: u64) -> Ran {
    let mut chance = Chance(seed);
    let mut acknowledged = Model::default();
    let Ok((mut store, _)) = Store::open_on(disk.clone(), &StoreConfig::default()) else {
        return Ran { made: false, in_doubt: acknowledged.clone(), acknowledged };
    };
    for _ in 0..COMMITS {
        let batch = acknowledged.next_batch(&mut chance);
        let mut in_doubt = acknowledged.clone();
        in_doubt.apply(&batch);
        if store.commit(&batch).is_err() {
            assert!(matches!(store.commit(&[]), Err(StoreError::Poisoned)));
            return Ran { made: true, acknowledged, in_doubt };
        }
        acknowledged = in_doubt;
    }
    let _ = store.close(); // may be what the power interrupts
    Ran { made: true, in_doubt: acknowledged.clone(), acknowledged }
}

fn check(seed: u64, cut: Cut) {
    let disk = MemDisk::new(Vec::new(), Some(cut), seed);
    let ran = run(&disk, seed);
    let revived = MemDisk::new(disk.durable(), None, seed);
    let (mut store, loaded) = match Store::open_on(revived, &StoreConfig::default()) {
        Err(OpenError::Damaged(_)) if !ran.made => return,
        result => result.unwrap_or_else(|error| panic!("seed {seed}, {cut:?}: does not open: {error}")),
    };
    let found = Model::of(&store, &loaded);
    assert!(
        found == ran.acknowledged || found == ran.in_doubt,
        "seed {seed}, {cut:?}: neither before nor after"
    );
    // And it goes on from there.
    let batch = found.next_batch(&mut Chance(seed));
    store.commit(&batch).unwrap_or_else(|error| panic!("seed {seed}, {cut:?}: does not go on: {error}"));
}

#[test]
fn a_power_cut_at_any_sync_loses_nothing_committed_and_leaves_nothing_half() {
    for seed in 1..=4 {
        let disk = MemDisk::new(Vec::new(), None, seed);
        run(&disk, seed);
        let syncs = disk.syncs();
        assert!(syncs > COMMITS as u64, "every commit must sync");
        for sync in 1..=syncs {
            check(seed, Cut::Before(sync));
            check(seed, Cut::After(sync));
        }
    }
}

#[test]
fn a_second_power_cut_during_the_recovery_loses_nothing_either() {
    for seed in 11..=14 {
        let disk = MemDisk::new(Vec::new(), Some(Cut::Before(25)), seed);
        let ran = run(&disk, seed);
        for sync in 1..=4 {
            let revived = MemDisk::new(disk.durable(), Some(Cut::Before(sync)), seed);
            let _ = Store::open_on(revived.clone(), &StoreConfig::default());
            let again = MemDisk::new(revived.durable(), None, seed);
            let (store, loaded) = Store::open_on(again, &StoreConfig::default()).expect("opens");
            let found = Model::of(&store, &loaded);
            assert!(found == ran.acknowledged || found == ran.in_doubt, "seed {seed}, sync {sync}");
        }
    }
}
