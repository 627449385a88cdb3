//! From a crossing to the record that readers of `driver_alerts` see.

use fleet_events::{AlertId, AlertType, Confidence, DriverAlert, DriverId, SubjectKind, Timestamp};

use crate::driver_break::{BreakRules, Crossing, LIMIT, LIMIT_MS, RULE_REFERENCE, RULESET};
use crate::event_time::seconds;
use crate::shift::{DriverFix, Shift};
use crate::subject::SubjectId;
use crate::timeline::Timeline;
use crate::wording;

/// Turns crossings into records.
pub struct Sender<'a> {
    pub id: &'a SubjectId,
    /// The fix that brought the alert about.
    pub here: &'a DriverFix,
    pub rules: &'a BreakRules,
    pub received_ms: i64,
}

impl Sender<'_> {
    pub fn alert(&self, timeline: &Timeline<Shift>, crossing: &Crossing) -> DriverAlert {
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

    pub fn retraction(&self, timeline: &Timeline<Shift>, crossing: &Crossing) -> DriverAlert {
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
