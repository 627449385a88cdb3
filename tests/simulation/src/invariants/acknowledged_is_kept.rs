//! P1: a PUBACK means on disk. Every fix whose PUBACK a device received is in the log in the end, through
//! whatever crash.

use std::collections::BTreeSet;

use super::Invariant;
use crate::observation::{Fix, Observation, fix_of};

#[derive(Default)]
pub struct AcknowledgedIsKept {
    acknowledged: BTreeSet<Fix>,
    stored: BTreeSet<Fix>,
}

impl AcknowledgedIsKept {
    pub fn devices(&self) -> Vec<usize> {
        let devices: BTreeSet<usize> = self.acknowledged.iter().map(|(device, _)| *device).collect();
        devices.into_iter().collect()
    }
}

impl Invariant for AcknowledgedIsKept {
    fn name(&self) -> &'static str {
        "acknowledged_is_kept"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        match seen {
            Observation::Acknowledged { fix, .. } => drop(self.acknowledged.insert(*fix)),
            Observation::Visible { value, .. } => self.stored.extend(fix_of(value)),
            _ => {}
        }
        Ok(())
    }

    fn at_rest(&self) -> Result<(), String> {
        let lost: Vec<_> = self.acknowledged.difference(&self.stored).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("acknowledged and lost: {lost:?}")) }
    }
}
