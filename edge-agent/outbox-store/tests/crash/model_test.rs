//! A plain map is the whole specification of a run without accidents.

use outbox_store::{MemDisk, Store, StoreConfig};
use proptest::prelude::*;

use crate::{chance::Chance, model::Model};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn says_after_any_run_and_reopen_what_a_plain_map_would(seed in any::<u64>(), commits in 1usize..30) {
        let disk = MemDisk::default();
        let (mut chance, mut model) = (Chance(seed), Model::default());
        let (mut store, _) = Store::open_on(disk.clone(), &StoreConfig::default()).unwrap();
        for _ in 0..commits {
            let batch = model.next_batch(&mut chance);
            store.commit(&batch).unwrap();
            model.apply(&batch);
        }
        let stored = store.stored();
        store.close().unwrap();
        let (store, loaded) = Store::open_on(disk, &StoreConfig::default()).unwrap();
        prop_assert_eq!(store.stored(), stored);
        prop_assert_eq!(Model::of(&store, &loaded), model);
    }
}
