//! The driver-break app: fixes of one partition in, alerts out.
//!
//! At any moment the alerts that should be known are a function of the fixes of the window. What is
//! sent is the difference to what was sent before: an alert, a correction under the same id, or a
//! retraction. Nothing depends on a clock, so a replay of the partition sends the same records.
//!
//! Bounds: `max_subjects` times (`max_fixes` + 192) fixes of some 50 bytes, and a machine of some
//! 600 bytes for every 64 of them. A truck that reports every 20 s fills 4,320 fixes a day: about
//! 0.3 MB for the default window of 24 hours.

use fleet_events::{DriverAlert, GpsFix, VehicleId, VehicleKind};

use crate::event_time::validate;
use crate::roster::{Counts, Roster};
use crate::shift::{DriverFix, Seat, ShiftRules};
use crate::subject::{Desk, Subject, SubjectId};
use crate::timeline::{Inserted, Retention};

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

pub struct DriverBreakApp {
    config: DriverBreakConfig,
    subjects: Roster<SubjectId, Subject>,
    /// Who has driven each vehicle lately.
    crews: Roster<VehicleId, Vec<SubjectId>>,
    counts: Counts,
    desk: Desk,
}

/// Drivers that take turns in one vehicle within a window. Of a fifth the others do not learn.
const CREW_MAX: usize = 4;

impl DriverBreakApp {
    pub fn new(config: DriverBreakConfig) -> DriverBreakApp {
        DriverBreakApp {
            subjects: Roster::new(config.max_subjects),
            crews: Roster::new(config.max_subjects),
            config,
            counts: Counts::default(),
            desk: Desk::default(),
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
        let seen =
            DriverFix { t_ms: fix.ts.ms(), at, vehicle: fix.vehicle_id.clone(), seat: Seat::AtTheWheel };
        self.board(&id, &seen.vehicle, received_ms, out);
        let subject = self.subjects.heard(&id, Subject::default);
        let inserted = subject.read(&self.config, &id, seen.clone(), received_ms, &mut self.desk, out);
        self.counts.note(inserted);
        if matches!(id, SubjectId::Driver(_)) && inserted != Inserted::TooLate {
            self.tell_the_others(&id, seen, received_ms, out);
        }
    }

    /// A driver who is new to a vehicle learns when others drove it: what was silence is absence.
    fn board(&mut self, id: &SubjectId, vehicle: &VehicleId, received_ms: i64, out: &mut Vec<DriverAlert>) {
        let crew = self.crews.heard(vehicle, Vec::new);
        if crew.contains(id) || crew.len() >= CREW_MAX {
            return;
        }
        let others = crew.clone();
        crew.push(id.clone());
        let driven_by_others: Vec<DriverFix> = others
            .iter()
            .filter(|other| matches!(other, SubjectId::Driver(_)))
            .filter_map(|other| self.subjects.get(other))
            .flat_map(|other| other.driven(vehicle))
            .map(|fix| DriverFix { seat: Seat::Away, ..fix.clone() })
            .collect();
        let subject = self.subjects.heard(id, Subject::default);
        for away in driven_by_others {
            subject.read(&self.config, id, away, received_ms, &mut self.desk, out);
        }
    }

    /// Nobody else was at the wheel where a named driver was.
    fn tell_the_others(
        &mut self,
        id: &SubjectId,
        seen: DriverFix,
        received_ms: i64,
        out: &mut Vec<DriverAlert>,
    ) {
        let Some(crew) = self.crews.get(&seen.vehicle) else { return };
        for other in crew.iter().filter(|other| *other != id) {
            let Some(subject) = self.subjects.get_mut(other) else { continue };
            let away = DriverFix { seat: Seat::Away, ..seen.clone() };
            subject.read(&self.config, other, away, received_ms, &mut self.desk, out);
        }
    }
}
