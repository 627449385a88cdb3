//! One whose hours are counted: the fixes of the window, the alerts that follow from them, and the
//! alerts that readers know of.

use fleet_events::{DriverAlert, DriverId, VehicleId};

use crate::alert_record::Sender;
use crate::driver_break::Crossing;
use crate::driver_break_app::DriverBreakConfig;
use crate::shift::{DriverFix, Seat, Settled, Shift};
use crate::timeline::{Changes, Inserted, Timeline};

/// The driver, or the vehicle where no driver is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectId {
    Driver(DriverId),
    Vehicle(VehicleId),
}

pub struct Subject {
    timeline: Timeline<Shift>,
    /// Crossings that only a late fix can change.
    settled: Vec<Settled>,
    /// What the readers of the topic know of the window.
    sent: Vec<Crossing>,
}

impl Default for Subject {
    fn default() -> Subject {
        Subject { timeline: Timeline::new(Shift::default()), settled: Vec::new(), sent: Vec::new() }
    }
}

/// Room to work in, kept for its capacity.
#[derive(Default)]
pub struct Desk {
    changes: Changes<Settled>,
    due: Vec<Crossing>,
}

impl Subject {
    /// Puts a fix where it belongs and sends what is different from before.
    pub fn read(
        &mut self,
        config: &DriverBreakConfig,
        id: &SubjectId,
        fix: DriverFix,
        received_ms: i64,
        desk: &mut Desk,
        out: &mut Vec<DriverAlert>,
    ) -> Inserted {
        let rules = &config.rules;
        let here = fix.clone();
        desk.changes.clear();
        let inserted = self.timeline.insert(rules, config.retention, fix, wins, &mut desk.changes);
        if matches!(inserted, Inserted::Duplicate | Inserted::TooLate) {
            return inserted;
        }
        self.settle(&desk.changes);

        desk.due.clear();
        desk.due.extend(self.settled.iter().map(|settled| settled.crossing));
        self.timeline.head().outlook(rules, &mut desk.due);
        if desk.due == self.sent {
            return inserted;
        }
        let sender = Sender { id, here: &here, rules: &rules.breaks, received_ms };
        for crossing in &self.sent {
            if !desk.due.iter().any(|due| due.key() == crossing.key()) {
                out.push(sender.retraction(&self.timeline, crossing));
            }
        }
        for crossing in &desk.due {
            if !self.sent.contains(crossing) {
                out.push(sender.alert(&self.timeline, crossing));
            }
        }
        std::mem::swap(&mut self.sent, &mut desk.due);
        inserted
    }

    /// The fixes of a vehicle with this driver at the wheel.
    pub fn driven<'a>(&'a self, vehicle: &'a VehicleId) -> impl Iterator<Item = &'a DriverFix> {
        self.timeline.fixes().filter(move |fix| fix.seat == Seat::AtTheWheel && fix.vehicle == *vehicle)
    }

    fn settle(&mut self, changes: &Changes<Settled>) {
        for removed in &changes.removed {
            if let Some(index) = self.settled.iter().position(|settled| settled == removed) {
                self.settled.remove(index);
            }
        }
        self.settled.extend(&changes.added);
        self.settled.sort_by_key(|settled| settled.crossing);

        // What the window has forgotten stands as it was sent.
        let forgotten_ms = self.timeline.forgotten_ms();
        let Subject { settled, sent, .. } = self;
        settled.retain(|settled| {
            let keep = settled.by_ms > forgotten_ms;
            if !keep {
                sent.retain(|crossing| *crossing != settled.crossing);
            }
            keep
        });
    }
}

/// Of two reports of one instant: a driver is not in two vehicles at once, and the choice between
/// them must not depend on which came first.
fn wins(new: &DriverFix, old: &DriverFix) -> bool {
    let rank = |fix: &DriverFix| fix.seat == Seat::Away;
    (rank(new), &new.vehicle) < (rank(old), &old.vehicle)
}
