//! `driver-break`: fixes of trucks in, alerts about their drivers' hours out, as CloudEvents.

use std::time::Duration;

use apps_logic::{DriverBreakApp, DriverBreakConfig};
use fleet_events::{DriverAlert, GpsFix, topics};

use crate::{
    app::{App, Derive, Output, Route},
    kafka::Record,
};

pub const APP: App = App {
    name: "driver-break",
    routes: &[Route { input: topics::TRUCKS_GPS, output: topics::DRIVER_ALERTS }],
    // A dispatcher looks back over a month.
    retention: Some(Duration::from_secs(30 * 24 * 3600)),
    new_state: || {
        Box::new(Alerts { logic: DriverBreakApp::new(DriverBreakConfig::default()), derived: Vec::new() })
    },
};

struct Alerts {
    logic: DriverBreakApp,
    /// Kept for its capacity.
    derived: Vec<DriverAlert>,
}

impl Derive for Alerts {
    fn derive(&mut self, record: &Record, outputs: &mut Vec<Output>) -> Result<(), String> {
        let fix = GpsFix::parse(&record.payload).map_err(|error| error.to_string())?;
        self.logic.on_fix(&fix, record.timestamp_ms, &mut self.derived);
        outputs.extend(self.derived.drain(..).map(|alert| event(&alert)));
        Ok(())
    }
}

/// CloudEvents 1.0, binary mode: the attributes are headers, the data is the value.
fn event(alert: &DriverAlert) -> Output {
    let driver = alert.driver_id.as_ref().map(ToString::to_string);
    let device = alert.vehicle_id.as_ref().map(ToString::to_string);
    let key = driver.or_else(|| device.clone()).unwrap_or_else(|| alert.subject_id.to_string());
    let mut headers = vec![
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", alert.alert_id.to_string()),
        ("ce_source", "/apps/driver-break".to_owned()),
        ("ce_type", format!("fleet.driver.break.{}.v1", alert.kind.as_str())),
        ("ce_time", alert.ts.to_string()),
        ("ce_subject", format!("driver/{}", alert.subject_id)),
        ("content-type", "application/json".to_owned()),
    ];
    // Where the alert is to be shown.
    headers.extend(device.map(|device| ("device", device)));
    Output { key, payload: alert.to_json(), headers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_events::VehicleId;
    use serde_json::json;

    fn alert() -> DriverAlert {
        let value = json!({"v": 1,
            "alert_id": "drv-7|eu561|continuous_driving|pre_alert|900|2026-03-02T06:00:00Z",
            "ts": "2026-03-02T10:15:00Z", "detected_at": "2026-03-02T10:15:01.300Z",
            "subject_id": "drv-7", "subject_kind": "driver", "vehicle_id": "truck-042", "driver_id": "drv-7",
            "ruleset": "eu561", "limit": "continuous_driving", "type": "pre_alert", "severity": "warning",
            "lead_s": 900, "accumulated_s": 15300, "limit_s": 16200, "remaining_s": 900,
            "period_start": "2026-03-02T06:00:00Z", "message": "Please take a break."});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_alert_travels_as_a_cloud_event() {
        let output = event(&alert());
        let header =
            |key| output.headers.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str());
        for (key, value) in [
            ("ce_specversion", "1.0"),
            ("ce_id", "drv-7|eu561|continuous_driving|pre_alert|900|2026-03-02T06:00:00Z"),
            ("ce_source", "/apps/driver-break"),
            ("ce_type", "fleet.driver.break.pre_alert.v1"),
            ("ce_time", "2026-03-02T10:15:00Z"),
            ("ce_subject", "driver/drv-7"),
            ("device", "truck-042"),
        ] {
            assert_eq!(header(key), Some(value), "{key}");
        }
    }

    #[test]
    fn the_key_is_the_driver_or_the_vehicle_where_no_driver_is_known() {
        assert_eq!(event(&alert()).key, "drv-7");
        let unknown = DriverAlert { driver_id: None, ..alert() };
        assert_eq!(event(&unknown).key, "truck-042");
        let vehicle_id = Some(VehicleId::new("truck-9").unwrap());
        assert_eq!(event(&DriverAlert { vehicle_id, ..unknown }).key, "truck-9");
    }
}
