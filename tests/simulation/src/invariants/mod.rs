//! What must be true, one promise per file, judged from outside by what can be observed.

mod acknowledged_is_kept;
mod alerts_reach_the_driver;
mod everything_arrives;
mod in_order;
mod never_twice;
mod only_what_was_published;
mod pubacks_in_order;
mod what_was_read_stays;

use std::time::Duration;

use crate::observation::{Observation, Place};

/// One promise.
trait Invariant {
    fn name(&self) -> &'static str;

    /// `Err`: in what way it was broken.
    fn observe(&mut self, seen: &Observation) -> Result<(), String>;

    /// What must hold when all has healed and nothing is under way.
    fn at_rest(&self) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub invariant: &'static str,
    pub at: Duration,
    pub what: String,
}

#[derive(Default)]
pub struct Invariants {
    acknowledged_is_kept: acknowledged_is_kept::AcknowledgedIsKept,
    never_twice: never_twice::NeverTwice,
    in_order: in_order::InOrder,
    only_what_was_published: only_what_was_published::OnlyWhatWasPublished,
    pubacks_in_order: pubacks_in_order::PubacksInOrder,
    everything_arrives: everything_arrives::EverythingArrives,
    what_was_read_stays: what_was_read_stays::WhatWasReadStays,
    alerts_reach_the_driver: alerts_reach_the_driver::AlertsReachTheDriver,
}

impl Invariants {
    fn all(&mut self) -> [&mut dyn Invariant; 8] {
        [
            &mut self.only_what_was_published,
            &mut self.never_twice,
            &mut self.in_order,
            &mut self.pubacks_in_order,
            &mut self.what_was_read_stays,
            &mut self.alerts_reach_the_driver,
            &mut self.acknowledged_is_kept,
            &mut self.everything_arrives,
        ]
    }

    pub fn observe(&mut self, seen: &Observation, at: Duration) -> Option<Violation> {
        self.all().into_iter().find_map(|invariant| {
            let what = invariant.observe(seen).err()?;
            Some(Violation { invariant: invariant.name(), at, what })
        })
    }

    pub fn at_rest(&mut self, at: Duration) -> Option<Violation> {
        self.all().into_iter().find_map(|invariant| {
            let what = invariant.at_rest().err()?;
            Some(Violation { invariant: invariant.name(), at, what })
        })
    }

    /// Devices of which the agent has acknowledged something.
    pub fn heard_devices(&self) -> Vec<usize> {
        self.acknowledged_is_kept.devices()
    }

    /// Consumers were shown all of the partition before this offset.
    pub fn shown(&self, place: Place) -> i64 {
        self.only_what_was_published.shown(place)
    }

    /// For the report: fixes published, and alerts received.
    pub fn counts(&self) -> (usize, usize) {
        (self.everything_arrives.published(), self.alerts_reach_the_driver.received())
    }
}
