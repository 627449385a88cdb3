//! Who is known: a bounded map. When it is full, whoever was heard of least recently is forgotten,
//! and starts afresh with the next fix: a fleet that is larger than the roster loses history, a
//! flood of invented names loses only itself and what has been silent the longest.

use std::collections::BTreeMap;

pub struct Roster<K, V> {
    entries: BTreeMap<K, (u64, V)>,
    by_turn: BTreeMap<u64, K>,
    turn: u64,
    max: usize,
    forgotten: u64,
}

impl<K: Ord + Clone, V> Roster<K, V> {
    pub fn new(max: usize) -> Roster<K, V> {
        Roster { entries: BTreeMap::new(), by_turn: BTreeMap::new(), turn: 0, max: max.max(1), forgotten: 0 }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// Looks up a name without taking it for heard.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// The entry of a name that was just heard.
    pub fn heard(&mut self, key: &K, new: impl FnOnce() -> V) -> &mut V {
        self.turn += 1;
        if !self.entries.contains_key(key)
            && self.entries.len() >= self.max
            && let Some((_, silent)) = self.by_turn.pop_first()
        {
            self.entries.remove(&silent);
            self.forgotten += 1;
        }
        let (turn, value) = self.entries.entry(key.clone()).or_insert_with(|| (0, new()));
        self.by_turn.remove(turn);
        *turn = self.turn;
        self.by_turn.insert(self.turn, key.clone());
        value
    }
}

/// What became of the fixes; for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub in_order: u64,
    /// Late, and put where they belong.
    pub late: u64,
    pub duplicate: u64,
    /// Older than the allowed lateness: dropped.
    pub too_late: u64,
    pub invalid: u64,
    /// Not this app's business: a person has no driving time.
    pub ignored: u64,
    /// Vehicles or drivers forgotten because the roster was full.
    pub forgotten: u64,
}

impl Counts {
    pub(crate) fn note(&mut self, inserted: crate::timeline::Inserted) {
        use crate::timeline::Inserted;
        match inserted {
            Inserted::AtTheEnd => self.in_order += 1,
            Inserted::Between => self.late += 1,
            Inserted::Duplicate => self.duplicate += 1,
            Inserted::TooLate => self.too_late += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_is_forgotten_first() {
        let mut roster = Roster::new(2);
        *roster.heard(&"a", || 1) += 10;
        roster.heard(&"b", || 2);
        roster.heard(&"a", || 0);
        roster.heard(&"c", || 3);
        assert_eq!((roster.get(&"a"), roster.get(&"b"), roster.get(&"c")), (Some(&11), None, Some(&3)));
        assert_eq!((roster.len(), roster.forgotten()), (2, 1));
    }
}
