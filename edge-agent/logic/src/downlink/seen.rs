//! Which alerts were taken already: a bounded window, oldest forgotten first.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::outbox::Change;

/// The kind of the facts that keep the window over a restart; the value is the place in it.
pub const FACT: &str = "alert";

/// An agent's vehicles get a few alerts a day each; a replay of the topic is what this is for.
const WINDOW: usize = 4096;

#[derive(Debug, Default)]
pub struct SeenAlerts {
    ids: BTreeSet<String>,
    order: BTreeMap<u64, String>,
}

impl SeenAlerts {
    pub fn restore(&mut self, id: &str, value: &Bytes) {
        if let Ok(place) = <[u8; 8]>::try_from(value.as_ref()) {
            self.ids.insert(id.to_owned());
            self.order.insert(u64::from_le_bytes(place), id.to_owned());
        }
    }

    /// Whether it is seen for the first time; the changes keep the window.
    pub fn take(&mut self, id: &str, changes: &mut Vec<Change>) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        let place = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        self.order.insert(place, id.to_owned());
        let value = Bytes::copy_from_slice(&place.to_le_bytes());
        changes.push(Change::PutFact { kind: FACT, key: id.to_owned(), value });
        while self.order.len() > WINDOW
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.ids.remove(&oldest);
            changes.push(Change::DeleteFact { kind: FACT, key: oldest });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_forgets_the_oldest_and_survives_a_restart() {
        let (mut seen, mut changes) = (SeenAlerts::default(), Vec::new());
        for n in 0..=WINDOW {
            assert!(seen.take(&format!("a{n}"), &mut changes));
        }
        assert!(!seen.take("a1", &mut changes), "still in the window");
        let mut kept: BTreeMap<String, Bytes> = BTreeMap::new();
        for change in changes {
            match change {
                Change::PutFact { key, value, .. } => drop(kept.insert(key, value)),
                Change::DeleteFact { key, .. } => drop(kept.remove(&key)),
                other => panic!("{other:?}"),
            }
        }
        let mut again = SeenAlerts::default();
        kept.iter().for_each(|(id, value)| again.restore(id, value));
        assert!(again.take("a0", &mut Vec::new()), "the oldest is forgotten");
        assert!(!again.take(&format!("a{WINDOW}"), &mut Vec::new()));
    }
}
