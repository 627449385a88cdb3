//! The in-sync replicas and how far each has synced (KIP-497 and KIP-966 name the rules).

use std::collections::BTreeMap;

use crate::ids::{BrokerId, Offset};

#[derive(Debug)]
pub struct InSync {
    me: BrokerId,
    min_in_sync: usize,
    synced: BTreeMap<BrokerId, Offset>,
}

impl InSync {
    pub fn new(me: BrokerId, replicas: impl IntoIterator<Item = BrokerId>, min_in_sync: usize) -> Self {
        let synced: BTreeMap<_, _> = replicas.into_iter().map(|broker| (broker, Offset(0))).collect();
        assert!(synced.contains_key(&me), "a leader is one of its in-sync replicas");
        Self { me, min_in_sync, synced }
    }

    pub fn me(&self) -> BrokerId {
        self.me
    }

    pub fn set_min_in_sync(&mut self, min_in_sync: usize) {
        self.min_in_sync = min_in_sync;
    }

    /// Whether `acks=all` may be promised at all.
    pub fn enough(&self) -> bool {
        self.synced.len() >= self.min_in_sync
    }

    /// A replica's synced end never goes back within an epoch.
    pub fn synced(&mut self, broker: BrokerId, end: Offset) {
        if let Some(known) = self.synced.get_mut(&broker) {
            *known = end.max(*known);
        }
    }

    /// What every in-sync replica has on its disk. Under min.insync.replicas it stands still at the
    /// value that the caller keeps (strict min ISR, KIP-966).
    pub fn high_watermark(&self) -> Offset {
        if !self.enough() {
            return Offset(0);
        }
        self.synced.values().copied().min().unwrap_or_default()
    }
}
