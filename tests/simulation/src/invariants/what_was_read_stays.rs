//! P4: what is below the high watermark never changes and never disappears. After every start of the broker a
//! consumer reads all of each partition again, and finds the same bytes at the same offsets, at least as far
//! as any consumer ever read.

use std::collections::BTreeMap;

use super::Invariant;
use crate::observation::{Observation, Place};

#[derive(Default)]
pub struct WhatWasReadStays {
    /// By first offset, the hash of each batch that was read.
    read: BTreeMap<Place, BTreeMap<i64, u64>>,
}

impl Invariant for WhatWasReadStays {
    fn name(&self) -> &'static str {
        "what_was_read_stays"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        match seen {
            Observation::BatchVisible { place, base_offset, hash } => {
                match self.read.entry(*place).or_default().insert(*base_offset, *hash) {
                    Some(before) if before != *hash => {
                        Err(format!("{place:?}: the batch at {base_offset} has changed"))
                    }
                    _ => Ok(()),
                }
            }
            Observation::ReadAgain { place, batches, high_watermark } => {
                let again: BTreeMap<i64, u64> = batches.iter().copied().collect();
                let read = self.read.entry(*place).or_default();
                let differs = read.iter().find(|(offset, hash)| again.get(*offset) != Some(*hash));
                match differs {
                    None => Ok(()),
                    Some((offset, _)) => Err(format!(
                        "{place:?}: the batch that was read at {offset} is not there any more, \
                         the log ends at {high_watermark}"
                    )),
                }
            }
            _ => Ok(()),
        }
    }
}
