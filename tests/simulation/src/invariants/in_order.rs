//! P2: in order per device and lane. A device publishes its fixes by number; in each partition they appear
//! for the first time by number. (Of a device without a session a fix may come again later.) Between lanes
//! nothing is promised: a rejected fix may overtake a good one.

use std::collections::{BTreeMap, BTreeSet};

use super::Invariant;
use crate::observation::{Fix, Observation, Place, fix_of};

#[derive(Default)]
pub struct InOrder {
    stored: BTreeSet<Fix>,
    last: BTreeMap<(usize, Place), u64>,
}

impl Invariant for InOrder {
    fn name(&self) -> &'static str {
        "in_order"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        let Observation::Visible { place, value, offset } = seen else { return Ok(()) };
        let Some((device, number)) = fix_of(value) else { return Ok(()) };
        if !self.stored.insert((device, number)) {
            return Ok(());
        }
        match self.last.insert((device, *place), number) {
            Some(before) if before > number => {
                Err(format!("device {device}: {number} comes after {before}, at {place:?} {offset}"))
            }
            _ => Ok(()),
        }
    }
}
