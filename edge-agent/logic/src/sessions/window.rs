//! The last committed publishes of a persistent session, by which a re-sent one is known.
//!
//! A client re-sends what it has no PUBACK for, and not all clients set DUP. An entry leaves the window
//! when `capacity` newer ones have come, or when the client uses its packet id for something else:
//! then it had that PUBACK, and all that were sent before it, as PUBACKs arrive in order.

use std::collections::{BTreeMap, VecDeque};

use mqtt_wire::PacketId;

use super::WindowEntry;

pub(super) struct Window {
    capacity: u16,
    next_sequence: u64,
    floor: u64,
    /// By sequence, oldest first.
    committed: VecDeque<WindowEntry>,
}

impl Window {
    pub fn new(capacity: u16) -> Self {
        Self { capacity: capacity.max(1), next_sequence: 0, floor: 0, committed: VecDeque::new() }
    }

    /// From what the store kept, whatever it kept.
    pub fn load(capacity: u16, mut entries: Vec<WindowEntry>) -> Self {
        let mut window = Self::new(capacity);
        entries.sort_by_key(|entry| entry.sequence);
        window.floor = entries.iter().map(|entry| entry.floor).max().unwrap_or(0);
        let last = entries.last().map_or(0, |last| last.sequence.saturating_add(1));
        window.next_sequence = last.max(window.floor);
        entries.into_iter().for_each(|entry| window.commit(entry));
        window
    }

    /// The entry to be written with a publish.
    pub fn enter(&mut self, packet_id: PacketId, hash: u64) -> WindowEntry {
        self.used_again(packet_id);
        let sequence = self.next_sequence;
        self.next_sequence = self.next_sequence.saturating_add(1);
        let slot = (sequence % u64::from(self.capacity)) as u16;
        WindowEntry { slot, sequence, floor: self.floor, packet_id: packet_id.get(), hash }
    }

    /// The entry is on disk.
    pub fn commit(&mut self, entry: WindowEntry) {
        if entry.sequence < self.floor {
            return;
        }
        let at = self.committed.partition_point(|earlier| earlier.sequence < entry.sequence);
        self.committed.insert(at, entry);
        if self.committed.len() > usize::from(self.capacity) {
            self.committed.pop_front();
        }
    }

    /// Whether this publish was the last committed one with its packet id.
    pub fn holds(&self, packet_id: PacketId, hash: u64) -> bool {
        let last = self.committed.iter().rev().find(|entry| entry.packet_id == packet_id.get());
        last.is_some_and(|entry| entry.hash == hash)
    }

    /// What the client may re-send, by packet id.
    pub fn resendable(&self) -> BTreeMap<u16, u64> {
        self.committed.iter().map(|entry| (entry.packet_id, entry.hash)).collect()
    }

    fn used_again(&mut self, packet_id: PacketId) {
        if let Some(at) = self.committed.iter().rposition(|entry| entry.packet_id == packet_id.get()) {
            self.floor = self.committed[at].sequence.saturating_add(1);
            self.committed.drain(..=at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u16) -> PacketId {
        PacketId::new(id).expect("not 0")
    }

    fn commit(window: &mut Window, packet_id: u16, hash: u64) -> WindowEntry {
        let entry = window.enter(id(packet_id), hash);
        window.commit(entry);
        entry
    }

    #[test]
    fn holds_the_last_ones() {
        let mut window = Window::new(2);
        for packet_id in 1..=3 {
            commit(&mut window, packet_id, 7);
        }
        assert!(!window.holds(id(1), 7), "two newer ones came");
        assert!(window.holds(id(2), 7) && window.holds(id(3), 7));
        assert!(!window.holds(id(3), 8), "another event");
    }

    #[test]
    fn an_id_used_again_proves_the_acknowledgements_before_it() {
        let mut window = Window::new(10);
        for packet_id in 1..=4 {
            commit(&mut window, packet_id, 7);
        }
        window.enter(id(2), 9);
        assert!(!window.holds(id(1), 7) && !window.holds(id(2), 7));
        assert!(window.holds(id(3), 7) && window.holds(id(4), 7));
    }

    #[test]
    fn what_the_store_kept_per_slot_is_the_window_again() {
        let mut window = Window::new(3);
        let mut store = BTreeMap::new();
        for (packet_id, hash) in [(1, 1), (2, 2), (3, 3), (4, 4), (3, 5), (5, 6)] {
            let entry = commit(&mut window, packet_id, hash);
            store.insert(entry.slot, entry);
        }
        let loaded = Window::load(3, store.into_values().collect());
        assert_eq!(loaded.resendable(), window.resendable());
        assert_eq!((loaded.next_sequence, loaded.floor), (window.next_sequence, window.floor));
    }
}
