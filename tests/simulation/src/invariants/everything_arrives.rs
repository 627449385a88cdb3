//! P1 and P2 together: when all has healed, every fix that a device published is in the log, acknowledged or
//! not yet, and the outbox is empty.

use std::collections::BTreeSet;

use super::Invariant;
use crate::observation::{Fix, Observation, fix_of};

#[derive(Default)]
pub struct EverythingArrives {
    published: BTreeSet<Fix>,
    acknowledged: BTreeSet<Fix>,
    stored: BTreeSet<Fix>,
    outbox_events: Option<u64>,
}

impl EverythingArrives {
    pub fn published(&self) -> usize {
        self.published.len()
    }
}

impl Invariant for EverythingArrives {
    fn name(&self) -> &'static str {
        "everything_arrives"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        match seen {
            Observation::Published { fix, .. } => drop(self.published.insert(*fix)),
            Observation::Acknowledged { fix, .. } => drop(self.acknowledged.insert(*fix)),
            Observation::Visible { value, .. } => self.stored.extend(fix_of(value)),
            Observation::OutboxHolds { events, .. } => self.outbox_events = *events,
            _ => {}
        }
        Ok(())
    }

    fn at_rest(&self) -> Result<(), String> {
        let missing: Vec<_> = self.published.difference(&self.stored).collect();
        if !missing.is_empty() {
            return Err(format!("published and never in the log: {missing:?}"));
        }
        let waiting: Vec<_> = self.published.difference(&self.acknowledged).collect();
        if !waiting.is_empty() {
            return Err(format!("never acknowledged: {waiting:?}"));
        }
        match self.outbox_events {
            Some(0) => Ok(()),
            other => Err(format!("the outbox holds {other:?} events")),
        }
    }
}
