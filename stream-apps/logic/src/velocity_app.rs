//! The velocity app: fixes of one partition in, velocities out, keyed by vehicle and stamped with
//! the later fix. A late fix sends again what it changes, under the same (vehicle, `ts`).
//!
//! Bounds: `max_vehicles` times (`max_fixes` + 192) fixes of some 130 bytes, and a machine of some
//! 600 bytes for every 64 of them: 0.6 MB for a day of a truck that reports every 20 s.

use std::sync::Arc;

use fleet_events::topics::FITBITS_GPS;
use fleet_events::{GpsFix, Source, VehicleId, VehicleKind, Velocity};

use crate::event_time::validate;
use crate::motion::MotionRules;
use crate::roster::{Counts, Roster};
use crate::timeline::{Changes, Machine, Retention, Timeline};
use crate::velocity::{Segment, VelocityFix, VelocityMachine, is_precise};

#[derive(Clone, Debug, PartialEq)]
pub struct VelocityConfig {
    pub motion: MotionRules,
    /// A day: the backlog of an edge agent that was offline becomes velocities too.
    pub retention: Retention,
    pub max_vehicles: usize,
}

impl Default for VelocityConfig {
    fn default() -> VelocityConfig {
        VelocityConfig {
            motion: MotionRules::default(),
            retention: Retention { lateness_ms: 24 * 3_600_000, max_fixes: 8192 },
            max_vehicles: 10_000,
        }
    }
}

pub struct VelocityApp {
    config: VelocityConfig,
    vehicles: Roster<VehicleId, Timeline<VelocityMachine>>,
    counts: Counts,
    /// The topic of the last fix: all fixes share one name, not a copy each.
    topic: Arc<str>,
    /// Kept for its capacity.
    changes: Changes<Segment>,
}

impl VelocityApp {
    pub fn new(config: VelocityConfig) -> VelocityApp {
        let vehicles = Roster::new(config.max_vehicles);
        VelocityApp {
            config,
            vehicles,
            counts: Counts::default(),
            topic: Arc::from(""),
            changes: Changes::default(),
        }
    }

    pub fn counts(&self) -> Counts {
        Counts { forgotten: self.vehicles.forgotten(), ..self.counts }
    }

    /// `received_ms` is the timestamp of the record that carried the fix.
    pub fn on_fix(&mut self, fix: &GpsFix, source: Source, received_ms: i64, out: &mut Vec<Velocity>) {
        if *self.topic != *source.topic {
            self.topic = Arc::from(source.topic.as_str());
        }
        let Some(believed) = believe(fix, &source, &self.topic, received_ms, Some(received_ms)) else {
            self.counts.invalid += 1;
            return;
        };
        let timeline = self.vehicles.heard(&fix.vehicle_id, || Timeline::new(VelocityMachine::default()));
        self.changes.clear();
        let first_wins = |_: &VelocityFix, _: &VelocityFix| false;
        let rules = &self.config.motion;
        let inserted = timeline.insert(rules, self.config.retention, believed, first_wins, &mut self.changes);
        self.counts.note(inserted);
        // A record that a late fix makes impossible stays in the topic: there is no way to take
        // back a velocity, and its instant will not come again.
        let Changes { removed, added } = &self.changes;
        let changed = added.iter().filter(|segment| !removed.contains(segment));
        out.extend(changed.map(|segment| segment.velocity(&fix.vehicle_id)));
    }
}

fn believe(
    fix: &GpsFix,
    source: &Source,
    topic: &Arc<str>,
    received_ms: i64,
    not_after_ms: Option<i64>,
) -> Option<VelocityFix> {
    let at = validate(fix.ts.ms(), fix.lat, fix.lon, not_after_ms).ok()?;
    is_precise(fix).then(|| VelocityFix {
        t_ms: fix.ts.ms(),
        at,
        kind: fix.kind.unwrap_or_else(|| usual_kind(topic)),
        acc_m: fix.acc_m.filter(|acc_m| acc_m.is_finite()),
        device_speed_mps: fix.speed_mps.filter(|speed_mps| speed_mps.is_finite()),
        driver: fix.driver_id.clone(),
        sent_at: fix.sent_at,
        received_ms,
        topic: topic.clone(),
        partition: source.partition,
        offset: source.offset,
    })
}

/// What a device is that does not say: a watch must not stand still in the dead band of a truck.
fn usual_kind(topic: &str) -> VehicleKind {
    if topic == FITBITS_GPS { VehicleKind::Person } else { VehicleKind::Truck }
}

/// The velocities of one vehicle's file, read at once: a run of re-stamped positions gives one
/// record, with the last of them. The offset of a source counts the fixes of the file.
pub fn velocities(rules: &MotionRules, fixes: &[GpsFix], topic: &str) -> Vec<Velocity> {
    let shared = Arc::from(topic);
    let mut believed: Vec<VelocityFix> = (0i64..)
        .zip(fixes)
        .filter_map(|(offset, fix)| {
            let source = Source { topic: topic.to_owned(), partition: 0, offset };
            believe(fix, &source, &shared, fix.ts.ms(), None)
        })
        .collect();
    // Stable, so that the first of equals stays the first.
    believed.sort_by_key(|fix| fix.t_ms);
    believed.dedup_by_key(|fix| fix.t_ms);

    let mut machine = VelocityMachine::default();
    let mut segments: Vec<Segment> = Vec::new();
    let mut said = Vec::new();
    for fix in &believed {
        machine.step(rules, fix, &mut said);
        for segment in said.drain(..) {
            let longer =
                |last: &Segment| last.standing && segment.standing && last.from_ms == segment.from_ms;
            if segments.last().is_some_and(longer) {
                segments.pop();
            }
            segments.push(segment);
        }
    }
    let vehicle = fixes.first().map(|fix| &fix.vehicle_id);
    vehicle
        .map_or_else(Vec::new, |vehicle| segments.iter().map(|segment| segment.velocity(vehicle)).collect())
}
