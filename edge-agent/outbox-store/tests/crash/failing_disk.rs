//! A disk that is full or broken: a clear error, and nothing that was acknowledged is gone.

use outbox_store::{MemDisk, Op, Store, StoreConfig, StoreError};

use crate::{chance::Chance, model::Model};

#[test]
fn a_full_disk_is_named_and_everything_acknowledged_survives_it() {
    let disk = MemDisk::default();
    let (mut store, _) = Store::open_on(disk.clone(), &StoreConfig::default()).unwrap();
    disk.limit(Some(disk.length() + 200_000));
    let (mut chance, mut model) = (Chance(5), Model::default());
    let error = loop {
        // Grows only: nothing is forgotten while the broker is away.
        let mut batch = model.next_batch(&mut chance);
        batch.retain(|op| !matches!(op, Op::Forget { .. }));
        match store.commit(&batch) {
            Ok(_) => model.apply(&batch),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::DiskFull(_)), "{error:?}");
    assert!(matches!(store.commit(&[]), Err(StoreError::Poisoned)));
    drop(store);

    disk.limit(None);
    let (mut store, loaded) = Store::open_on(disk, &StoreConfig::default()).unwrap();
    assert_eq!(Model::of(&store, &loaded), model);
    let batch = model.next_batch(&mut chance);
    store.commit(&batch).unwrap();
}

#[test]
fn after_a_failed_write_the_store_refuses_until_it_is_opened_again() {
    let disk = MemDisk::default();
    let (mut store, _) = Store::open_on(disk.clone(), &StoreConfig::default()).unwrap();
    let (mut chance, mut model) = (Chance(6), Model::default());
    let first = model.next_batch(&mut chance);
    store.commit(&first).unwrap();
    model.apply(&first);

    disk.fail_writes(true);
    let lost = model.next_batch(&mut chance);
    assert!(matches!(store.commit(&lost), Err(StoreError::Io(_))));
    disk.fail_writes(false);
    assert!(matches!(store.commit(&lost), Err(StoreError::Poisoned)));
    let reader = store.reader();
    drop(store);
    assert!(matches!(reader.read_blocks(0, 0, 1, 1), Err(StoreError::Closed)));

    let revived = MemDisk::new(disk.durable(), None, 6);
    let (store, loaded) = Store::open_on(revived, &StoreConfig::default()).unwrap();
    assert_eq!(Model::of(&store, &loaded), model);
}
