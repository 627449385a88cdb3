//! The latest offset of each key, in a bounded map of digests.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
};

/// Nothing depends on the order of the map, and two keys with the same digest are as likely as nothing: the
/// two hashes have keys that nobody knows, so that nobody can look for keys that erase another's.
pub(super) struct Keys {
    latest: HashMap<[u8; 16], i64>,
    hashes: [RandomState; 2],
    most: usize,
}

impl Keys {
    /// Holds about `most` keys, at some 60 bytes each while the map grows.
    pub fn new(most: usize) -> Keys {
        Keys { latest: HashMap::new(), hashes: [RandomState::new(), RandomState::new()], most }
    }

    /// Whether so many more keys fit. An empty map takes any batch: else there would be no way forward.
    pub fn has_room_for(&self, more: usize) -> bool {
        self.latest.is_empty() || self.latest.len().saturating_add(more) <= self.most
    }

    /// Offsets come in rising order.
    pub fn note(&mut self, key: &[u8], offset: i64) {
        self.latest.insert(self.digest(key), offset);
    }

    /// A later record has the same key.
    pub fn supersede(&self, key: &[u8], offset: i64) -> bool {
        self.latest.get(&self.digest(key)).is_some_and(|latest| *latest > offset)
    }

    fn digest(&self, key: &[u8]) -> [u8; 16] {
        let mut digest = [0; 16];
        for (half, hash) in digest.chunks_exact_mut(8).zip(&self.hashes) {
            half.copy_from_slice(&hash.hash_one(key).to_be_bytes());
        }
        digest
    }
}
