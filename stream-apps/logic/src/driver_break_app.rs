//! The driver-break app: fixes of one partition in, alerts out.
//!
//! At any moment the alerts that should be known are a function of the fixes of the window. What is
//! sent is the difference to what was sent before: an alert, a correction under the same id, or a
//! retraction. Nothing depends on a clock, so a replay of the partition sends the same records.
//!
//! Bounds: `max_subjects` times (`max_fixes` + 64) fixes of some 50 bytes, and a machine of some
//! 700 bytes for every 64 of them. A truck that reports every 20 s fills 4,320 fixes a day: about
//! 0.3 MB for the default window of 24 hours.

use fleet_events::{
    AlertId, AlertType, Confidence, DriverAlert, DriverId, GpsFix, SubjectKind, Timestamp, VehicleId,
    VehicleKind,
};

use crate::driver_break::{BreakRules, Crossing, LIMIT, LIMIT_MS, RULE_REFERENCE, RULESET};
use crate::event_time::{seconds, validate};
use crate::roster::{Counts, Roster};
use crate::shift::{DriverFix, Settled, Shift, ShiftRules};
use crate::timeline::{Changes, Inserted, Retention, Timeline};
use crate::wording;

#[derive(Clone, Debug, PartialEq)]
pub struct DriverBreakConfig {
    pub rules: ShiftRules,
    /// A day: an edge agent may have been offline for hours.
    pub retention: Retention,
    /// Drivers and vehicles per app, which is per partition.
    pub max_subjects: usize,
}

impl Default for DriverBreakConfig {
    fn default() -> DriverBreakConfig {
        DriverBreakConfig {
            rules: ShiftRules::default(),
            retention: Retention { lateness_ms: 24 * 3_600_000, max_fixes: 8192 },
            max_subjects: 10_000,
        }
    }
}

/// Whose hours are counted: the driver's, or the vehicle's where no driver is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SubjectId {
    Driver(DriverId),
    Vehicle(VehicleId),
}

struct Subject {
    timeline: Timeline<Shift>,
    /// Crossings that only a late fix can change.
    settled: Vec<Settled>,
    /// What the readers of the topic know of the window.
    sent: Vec<Crossing>,
}

pub struct DriverBreakApp {
    config: DriverBreakConfig,
    subjects: Roster<SubjectId, Subject>,
    counts: Counts,
    /// Kept for their capacity.
    changes: Changes<Settled>,
    due: Vec<Crossing>,
}

impl DriverBreakApp {
    pub fn new(config: DriverBreakConfig) -> DriverBreakApp {
        let subjects = Roster::new(config.max_subjects);
        DriverBreakApp {
            config,
            subjects,
            counts: Counts::default(),
            changes: Changes::default(),
            due: Vec::new(),
        }
    }

    pub fn counts(&self) -> Counts {
        Counts { forgotten: self.subjects.forgotten(), ..self.counts }
    }

    /// `received_ms` is the timestamp of the record that carried the fix.
    pub fn on_fix(&mut self, fix: &GpsFix, received_ms: i64, out: &mut Vec<DriverAlert>) {
        if matches!(fix.kind, Some(VehicleKind::Person | VehicleKind::Bike)) {
            self.counts.ignored += 1;
            return;
        }
        let Ok(at) = validate(fix.ts.ms(), fix.lat, fix.lon, Some(received_ms)) else {
            self.counts.invalid += 1;
            return;
        };
        let id = match &fix.driver_id {
            Some(driver) => SubjectId::Driver(driver.clone()),
            None => SubjectId::Vehicle(fix.vehicle_id.clone()),
        };
        let subject = self.subjects.heard(&id, || Subject {
            timeline: Timeline::new(Shift::default()),
            settled: Vec::new(),
            sent: Vec::new(),
        });
        let fix = DriverFix { t_ms: fix.ts.ms(), at, vehicle: fix.vehicle_id.clone() };
        let here = fix.clone();
        self.changes.clear();
        // A driver is not in two vehicles at one instant; the choice between them must not depend
        // on which report came first.
        let wins = |new: &DriverFix, old: &DriverFix| new.vehicle < old.vehicle;
        let rules = &self.config.rules;
        let inserted = subject.timeline.insert(rules, self.config.retention, fix, wins, &mut self.changes);
        self.counts.note(inserted);
        if matches!(inserted, Inserted::Duplicate | Inserted::TooLate) {
            return;
        }
        subject.settle(&self.changes);

        self.due.clear();
        self.due.extend(subject.settled.iter().map(|settled| settled.crossing));
        subject.timeline.head().outlook(rules, &mut self.due);
        if self.due == subject.sent {
            return;
        }
        let sender = Sender { id: &id, here: &here, rules: &rules.breaks, received_ms };
        for crossing in &subject.sent {
            if !self.due.iter().any(|due| due.key() == crossing.key()) {
                out.push(sender.retraction(&subject.timeline, crossing));
            }
        }
        for crossing in &self.due {
            if !subject.sent.contains(crossing) {
                out.push(sender.alert(&subject.timeline, crossing));
            }
        }
        std::mem::swap(&mut subject.sent, &mut self.due);
    }
}

impl Subject {
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

/// Turns crossings into records.
struct Sender<'a> {
    id: &'a SubjectId,
    here: &'a DriverFix,
    rules: &'a BreakRules,
    received_ms: i64,
}

impl Sender<'_> {
    fn alert(&self, timeline: &Timeline<Shift>, crossing: &Crossing) -> DriverAlert {
        let (subject_id, subject_kind, driver_id) = match self.id {
            SubjectId::Driver(driver) => (driver.clone(), SubjectKind::Driver, Some(driver.clone())),
            SubjectId::Vehicle(vehicle) => (DriverId::from(vehicle), SubjectKind::Vehicle, None),
        };
        let ts = Timestamp::from_ms(crossing.t_ms);
        let period_start = Timestamp::from_ms(crossing.period_start_ms);
        let place = timeline.fix_before(crossing.t_ms);
        DriverAlert {
            v: 1,
            alert_id: AlertId::new(
                subject_id.as_str(),
                RULESET,
                LIMIT,
                crossing.kind,
                crossing.lead_s,
                period_start,
            ),
            ts,
            detected_at: Timestamp::from_ms(self.received_ms),
            late_s: Some(seconds(self.received_ms.saturating_sub(crossing.t_ms).max(0))),
            subject_id,
            subject_kind,
            vehicle_id: Some(place.unwrap_or(self.here).vehicle.clone()),
            driver_id,
            ruleset: RULESET.to_owned(),
            limit: LIMIT.to_owned(),
            kind: crossing.kind,
            severity: wording::severity(crossing),
            lead_s: crossing.lead_s,
            accumulated_s: whole_seconds(crossing.accumulated_ms) as u32,
            limit_s: whole_seconds(LIMIT_MS) as u32,
            remaining_s: whole_seconds(LIMIT_MS - crossing.accumulated_ms),
            required_break_s: Some(whole_seconds(crossing.required_break_ms(self.rules)) as u32),
            first_part_taken: Some(crossing.first_part_ms.is_some()),
            period_start,
            lat: place.map(|fix| fix.at.lat),
            lon: place.map(|fix| fix.at.lon),
            message: wording::message(crossing, self.rules),
            rule_reference: Some(RULE_REFERENCE.to_owned()),
            supersedes: None,
            confidence: Some(Confidence::GpsInferred),
        }
    }

    fn retraction(&self, timeline: &Timeline<Shift>, crossing: &Crossing) -> DriverAlert {
        let alert = self.alert(timeline, crossing);
        let withdrawn = Crossing { kind: AlertType::Retracted, ..*crossing };
        DriverAlert {
            kind: AlertType::Retracted,
            severity: wording::severity(&withdrawn),
            message: wording::message(&withdrawn, self.rules),
            alert_id: alert.alert_id.retraction(),
            supersedes: Some(alert.alert_id),
            ..alert
        }
    }
}

/// Driving time of a period fits easily: it is bounded by the limit where it is reported.
fn whole_seconds(ms: i64) -> i32 {
    i32::try_from(ms / 1000).unwrap_or(i32::MAX)
}
