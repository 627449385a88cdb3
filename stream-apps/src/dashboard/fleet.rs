//! The newest position of each vehicle and the newest alerts, each with the version at which it last
//! changed: whatever a browser has missed is what has a greater version than the last it saw. No
//! browser needs a queue of its own, and one that is slow sees the newest state, not every step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fleet_events::{AlertType, DriverAlert, Motion, Severity, Velocity};
use serde::Serialize;

/// Beyond this the vehicle that has been silent for longest is forgotten.
const VEHICLES_MAX: usize = 20_000;
const ALERTS_MAX: usize = 500;
/// A position with an older event time than the last is a late one, unless nothing newer comes for so
/// long: then the device's clock was set back.
const CLOCK_SET_BACK_MS: i64 = 30_000;

#[derive(Debug, Clone, Serialize)]
pub struct Vehicle {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    pub is_person: bool,
    pub lat: f64,
    pub lon: f64,
    pub speed_kmh: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading_deg: Option<f64>,
    pub motion: Motion,
    /// Event time.
    pub ts_ms: i64,
    /// When the device sent it; the record's time where the device does not say.
    pub sent_ms: i64,
    #[serde(skip)]
    recorded_ms: i64,
    #[serde(skip)]
    version: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Alert {
    pub id: String,
    pub ts_ms: i64,
    pub subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    #[serde(rename = "type")]
    pub kind: AlertType,
    pub severity: Severity,
    pub message: String,
    pub is_retracted: bool,
    #[serde(skip)]
    version: u64,
}

/// What a browser draws.
#[derive(Debug, Serialize)]
pub struct View {
    pub vehicles: Vec<Vehicle>,
    /// Newest first.
    pub alerts: Vec<Alert>,
    pub positions_total: u64,
    pub alerts_total: u64,
}

pub struct Fleet {
    /// Tells the versions of one run from those of another.
    run: i64,
    version: u64,
    /// A browser that saw nothing newer than this may show what is forgotten.
    forgot_at: u64,
    vehicles: BTreeMap<String, Vehicle>,
    /// (version, id): the first is the one that has been silent for longest.
    by_version: BTreeSet<(u64, String)>,
    alerts: VecDeque<Alert>,
    positions_total: u64,
    alerts_total: u64,
}

impl Fleet {
    pub fn new(run: i64) -> Fleet {
        Fleet {
            run,
            version: 0,
            forgot_at: 0,
            vehicles: BTreeMap::new(),
            by_version: BTreeSet::new(),
            alerts: VecDeque::new(),
            positions_total: 0,
            alerts_total: 0,
        }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn position(&mut self, velocity: &Velocity, is_person: bool, recorded_ms: i64) {
        self.positions_total += 1;
        let id = velocity.vehicle_id.to_string();
        let known = self.vehicles.get(&id);
        let is_late = known.is_some_and(|known| {
            velocity.ts.ms() < known.ts_ms && recorded_ms - known.recorded_ms < CLOCK_SET_BACK_MS
        });
        if is_late {
            return;
        }
        self.version += 1;
        if let Some(known) = known {
            self.by_version.remove(&(known.version, id.clone()));
        }
        let vehicle = Vehicle {
            id: id.clone(),
            driver: velocity.driver_id.as_ref().map(ToString::to_string),
            is_person,
            lat: velocity.lat,
            lon: velocity.lon,
            speed_kmh: velocity.speed_kmh,
            heading_deg: velocity.heading_deg,
            motion: velocity.motion,
            ts_ms: velocity.ts.ms(),
            sent_ms: velocity.sent_at.map_or(recorded_ms, |sent_at| sent_at.ms()),
            recorded_ms,
            version: self.version,
        };
        self.by_version.insert((self.version, id.clone()));
        self.vehicles.insert(id, vehicle);
        self.forget_the_longest_silent();
    }

    fn forget_the_longest_silent(&mut self) {
        while self.vehicles.len() > VEHICLES_MAX {
            let Some((_, id)) = self.by_version.pop_first() else { return };
            self.vehicles.remove(&id);
            self.forgot_at = self.version;
        }
    }

    pub fn alert(&mut self, alert: &DriverAlert) {
        self.version += 1;
        let superseded = alert.supersedes.as_ref().map(ToString::to_string);
        if alert.kind == AlertType::Retracted {
            for known in self.alerts.iter_mut().filter(|known| Some(&known.id) == superseded.as_ref()) {
                known.is_retracted = true;
                known.version = self.version;
            }
            return;
        }
        let id = alert.alert_id.to_string();
        let len = self.alerts.len();
        // The last record with an id counts.
        self.alerts.retain(|known| known.id != id);
        if self.alerts.len() == len {
            self.alerts_total += 1;
        }
        self.alerts.push_front(Alert {
            id,
            ts_ms: alert.ts.ms(),
            subject: alert.subject_id.to_string(),
            vehicle: alert.vehicle_id.as_ref().map(ToString::to_string),
            kind: alert.kind,
            severity: alert.severity,
            message: alert.message.clone(),
            is_retracted: false,
            version: self.version,
        });
        if self.alerts.len() > ALERTS_MAX {
            self.alerts.pop_back();
            self.forgot_at = self.version;
        }
    }

    /// The name of the present state, as an SSE event id.
    pub fn event_id(&self) -> String {
        format!("{}-{}", self.run, self.version)
    }

    /// The version that an event id names; `None` when what was seen then cannot be brought up to date
    /// by what changed since.
    pub fn since(&self, event_id: &str) -> Option<u64> {
        let (run, version) = event_id.split_once('-')?;
        let version: u64 = version.parse().ok()?;
        let known = run.parse() == Ok(self.run) && version <= self.version && version >= self.forgot_at;
        known.then_some(version)
    }

    /// What changed after `version`; all of it after 0.
    pub fn view(&self, version: u64) -> View {
        let mut alerts: Vec<Alert> =
            self.alerts.iter().filter(|alert| alert.version > version).cloned().collect();
        alerts.sort_by(|a, b| b.ts_ms.cmp(&a.ts_ms).then_with(|| a.id.cmp(&b.id)));
        let changed = self.by_version.range((version + 1, String::new())..);
        View {
            vehicles: changed.filter_map(|(_, id)| self.vehicles.get(id)).cloned().collect(),
            alerts,
            positions_total: self.positions_total,
            alerts_total: self.alerts_total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn velocity(id: &str, second: u32, lat: f64) -> Velocity {
        let ts = format!("2026-03-02T10:00:{second:02}Z");
        let value = json!({"v": 1, "vehicle_id": id, "ts": ts, "window_start": "2026-03-02T09:59:00Z", "lat": lat,
            "lon": 8.0, "speed_mps": 20.0, "speed_kmh": 72.0, "distance_m": 400.0, "dt_s": 20.0,
            "motion": "moving", "quality": "ok", "method": "geodesic"});
        serde_json::from_value(value).unwrap()
    }

    fn seen(view: &View) -> Vec<(&str, f64)> {
        view.vehicles.iter().map(|vehicle| (vehicle.id.as_str(), vehicle.lat)).collect()
    }

    #[test]
    fn a_browser_gets_what_changed_since_it_last_looked() {
        let mut fleet = Fleet::new(1);
        fleet.position(&velocity("a", 1, 50.0), false, 0);
        fleet.position(&velocity("b", 1, 51.0), false, 0);
        let id = fleet.event_id();
        fleet.position(&velocity("a", 2, 50.1), false, 0);
        assert_eq!(seen(&fleet.view(fleet.since(&id).unwrap())), [("a", 50.1)]);
        assert_eq!(seen(&fleet.view(0)), [("b", 51.0), ("a", 50.1)]);
    }

    #[test]
    fn an_event_id_of_another_run_or_of_nonsense_means_everything_again() {
        let fleet = Fleet::new(7);
        for id in ["", "7", "8-0", "7-1", "7--1", "x-y", "7-99999999999999999999"] {
            assert_eq!(fleet.since(id), None, "{id}");
        }
        assert_eq!(fleet.since("7-0"), Some(0));
    }

    #[test]
    fn a_late_position_does_not_move_the_vehicle_back_but_a_clock_set_back_does() {
        let mut fleet = Fleet::new(1);
        fleet.position(&velocity("a", 30, 50.0), false, 1_000);
        fleet.position(&velocity("a", 10, 49.0), false, 2_000);
        assert_eq!(seen(&fleet.view(0)), [("a", 50.0)]);
        fleet.position(&velocity("a", 10, 49.0), false, 1_000 + CLOCK_SET_BACK_MS);
        assert_eq!(seen(&fleet.view(0)), [("a", 49.0)]);
    }

    #[test]
    fn the_vehicle_that_is_silent_for_longest_is_forgotten_first() {
        let mut fleet = Fleet::new(1);
        let id = fleet.event_id();
        for nth in 0..=VEHICLES_MAX {
            fleet.position(&velocity(&format!("v{nth}"), 1, 50.0), false, 0);
        }
        let view = fleet.view(0);
        assert_eq!(view.vehicles.len(), VEHICLES_MAX);
        assert_eq!(view.vehicles[0].id, "v1");
        assert_eq!(fleet.since(&id), None, "a browser that still shows v0 starts anew");
    }
}
