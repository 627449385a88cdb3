//! What a reader of `driver_alerts` gets to see.

use apps_logic::{DriverBreakApp, DriverBreakConfig};
use fleet_events::{
    Confidence, DriverAlert, DriverId, GpsFix, Severity, SubjectKind, Timestamp, VehicleId, VehicleKind,
};

/// 2026-03-02T06:00:00Z
const T0_MS: i64 = 1_772_431_200_000;

fn fix(t_s: i64, east_m: f64) -> GpsFix {
    let ts = Timestamp::from_ms(T0_MS + t_s * 1000);
    let mut fix = GpsFix::new(VehicleId::new("truck-042").unwrap(), ts, 50.0, 8.0 + east_m / 71_700.0);
    fix.driver_id = Some(DriverId::new("drv-7").unwrap());
    fix
}

/// Drives and stands in turn for so many minutes each, a fix every 20 s, received after a second.
fn shift(minutes: &[i64], change: impl Fn(&mut GpsFix)) -> Vec<DriverAlert> {
    let mut app = DriverBreakApp::new(DriverBreakConfig::default());
    let mut alerts = Vec::new();
    let (mut t_s, mut east_m) = (0, 0.0);
    let mut driving = true;
    for length in minutes {
        for index in 0..length * 3 {
            let mut fix = fix(t_s, if driving || index % 2 == 0 { east_m } else { east_m + 3.0 });
            change(&mut fix);
            app.on_fix(&fix, fix.ts.ms() + 1_300, &mut alerts);
            t_s += 20;
            east_m += if driving { 400.0 } else { 0.0 };
        }
        driving = !driving;
    }
    alerts
}

#[test]
fn an_alert_says_who_what_when_and_where() {
    let alerts = shift(&[256], |_| ());
    let alert = alerts.last().unwrap();
    assert_eq!(alert.alert_id.as_str(), "drv-7|eu561|continuous_driving|pre_alert|900|2026-03-02T06:00:00Z");
    assert_eq!(alert.ts.to_string(), "2026-03-02T10:15:00Z");
    assert_eq!(alert.detected_at.to_string(), "2026-03-02T10:15:01.300Z");
    assert_eq!(alert.late_s, Some(1.3));
    assert_eq!((alert.subject_id.as_str(), alert.subject_kind), ("drv-7", SubjectKind::Driver));
    assert_eq!(alert.vehicle_id.as_ref().map(VehicleId::as_str), Some("truck-042"));
    assert_eq!((alert.accumulated_s, alert.limit_s, alert.remaining_s), (15_300, 16_200, 900));
    assert_eq!(
        (alert.lead_s, alert.required_break_s, alert.first_part_taken),
        (Some(900), Some(2700), Some(false))
    );
    assert_eq!((alert.lat, alert.lon), (Some(50.0), Some(8.0 + 15_300.0 * 20.0 / 71_700.0)));
    assert_eq!(
        alert.message,
        "Please take a break: 15 minutes of driving time left. Next break: 45 minutes."
    );
    assert_eq!(alert.rule_reference.as_deref(), Some("Reg. (EC) 561/2006 Art. 7"));
    assert_eq!(alert.confidence, Some(Confidence::GpsInferred));
    assert_eq!(DriverAlert::parse(&alert.to_json()).unwrap(), *alert);
}

#[test]
fn an_alert_goes_out_with_the_fix_after_the_crossing() {
    for alert in shift(&[280], |_| ()) {
        // Driving that goes on cannot turn out to have been none.
        assert!(alert.late_s.is_some_and(|late_s| late_s <= 21.3), "{alert:?}");
    }
}

#[test]
fn alerts_get_graver_and_know_the_first_part() {
    let said = |alerts: Vec<DriverAlert>| -> Vec<(Severity, String)> {
        alerts.into_iter().map(|alert| (alert.severity, alert.message)).collect()
    };
    let expected = |break_min: u32| {
        vec![
            (
                Severity::Info,
                format!(
                    "Please take a break: 30 minutes of driving time left. Next break: {break_min} minutes."
                ),
            ),
            (
                Severity::Warning,
                format!(
                    "Please take a break: 15 minutes of driving time left. Next break: {break_min} minutes."
                ),
            ),
            (
                Severity::Warning,
                format!("Driving time is used up: 4:30 hours. Take a break of {break_min} minutes."),
            ),
            (
                Severity::Critical,
                format!("Driving beyond 4:30 hours without a break. Stop for {break_min} minutes."),
            ),
        ]
    };
    assert_eq!(said(shift(&[280], |_| ())), expected(45));
    assert_eq!(said(shift(&[60, 16, 220], |_| ())), expected(30));
}

#[test]
fn a_vehicle_stands_in_for_an_unknown_driver_and_a_person_has_no_driving_time() {
    let alerts = shift(&[256], |fix| fix.driver_id = None);
    let alert = alerts.last().unwrap();
    assert_eq!((alert.subject_id.as_str(), alert.subject_kind), ("truck-042", SubjectKind::Vehicle));
    assert_eq!(alert.driver_id, None);
    assert!(shift(&[280], |fix| fix.kind = Some(VehicleKind::Person)).is_empty());
}

#[test]
fn a_replay_says_the_same() {
    let once = shift(&[280, 50, 280], |_| ());
    assert_eq!(once.len(), 8);
    assert_eq!(once, shift(&[280, 50, 280], |_| ()));
}
