//! Recorded traces with all their faults: what comes out is sane, and near what the devices say.
#![allow(clippy::disallowed_methods)] // a test reads the shared traces

mod shared_data;

use std::collections::BTreeMap;

use apps_logic::velocity::kind_rules;
use apps_logic::{DriverBreakApp, DriverBreakConfig, VelocityApp, VelocityConfig, velocities};
use fleet_events::{GpsFix, Quality, Source, Timestamp, VehicleId, VehicleKind};

/// Rows in the order of the file.
fn read(name: &str, kind: VehicleKind) -> Option<Vec<GpsFix>> {
    let path = shared_data::shared_data("gps")?.join(name);
    let mut reader = csv::Reader::from_path(path).ok()?;
    let mut fixes = Vec::new();
    for row in reader.records() {
        let row = row.ok()?;
        let text = |index: usize| row.get(index).unwrap_or_default();
        let number = |index: usize| text(index).parse::<f64>().unwrap_or(f64::NAN);
        let (Ok(vehicle), Ok(ts)) = (VehicleId::new(text(0)), Timestamp::parse(text(1))) else { continue };
        let mut fix = GpsFix::new(vehicle, ts, number(2), number(3));
        fix.speed_mps = Some(number(4)).filter(|speed_mps| speed_mps.is_finite());
        fix.kind = Some(kind);
        fixes.push(fix);
    }
    Some(fixes)
}

/// `median_mps`: how far derived and recorded speed may be apart in the middle.
fn check(name: &str, kind: VehicleKind, at_least: usize, median_mps: Option<f64>) {
    let Some(fixes) = read(name, kind) else { return };
    let mut velocity_app = VelocityApp::new(VelocityConfig::default());
    let mut break_app = DriverBreakApp::new(DriverBreakConfig::default());
    let (mut said, mut alerts) = (Vec::new(), Vec::new());
    for (offset, fix) in (0i64..).zip(&fixes) {
        let source = Source { topic: "trucks_gps".to_owned(), partition: 0, offset };
        velocity_app.on_fix(fix, source, fix.ts.ms(), &mut said);
        break_app.on_fix(fix, fix.ts.ms(), &mut alerts);
    }
    assert!(said.len() >= at_least, "{name}: {} velocities of {} fixes", said.len(), fixes.len());

    let mut apart = Vec::new();
    let mut last_word = BTreeMap::new();
    for velocity in &said {
        let finite =
            [velocity.speed_mps, velocity.distance_m, velocity.dt_s, velocity.accel_mps2.unwrap_or(0.0)];
        assert!(finite.iter().all(|number| number.is_finite()), "{name}: {velocity:?}");
        assert!(
            velocity.speed_mps <= kind_rules(kind).v_max_mps && velocity.dt_s > 0.0,
            "{name}: {velocity:?}"
        );
        assert!(velocity.heading_deg.is_none_or(|deg| (0.0..360.0).contains(&deg)), "{name}: {velocity:?}");
        if let Some(device_mps) = velocity.device_speed_mps.filter(|_| velocity.quality == Quality::Ok) {
            apart.push((device_mps - velocity.speed_mps).abs());
        }
        last_word.insert((velocity.vehicle_id.clone(), velocity.ts), velocity.speed_mps);
    }
    if let Some(allowed_mps) = median_mps {
        apart.sort_by(f64::total_cmp);
        let median = apart.get(apart.len() / 2).copied().unwrap_or(f64::NAN);
        assert!(median <= allowed_mps, "{name}: median {median}");
    }

    // A file read at once says nothing that the stream did not say last.
    let mut by_vehicle: BTreeMap<VehicleId, Vec<GpsFix>> = BTreeMap::new();
    fixes.into_iter().for_each(|fix| by_vehicle.entry(fix.vehicle_id.clone()).or_default().push(fix));
    if velocity_app.counts().too_late == 0 {
        for fixes in by_vehicle.values() {
            for velocity in velocities(&Default::default(), fixes, "trucks_gps") {
                let key = (velocity.vehicle_id.clone(), velocity.ts);
                assert_eq!(last_word.get(&key), Some(&velocity.speed_mps), "{name}: {key:?}");
            }
        }
    }
}

#[test]
fn garbage_trucks_and_their_duplicates() {
    check("trucks_jersey_city_2015.csv", VehicleKind::Truck, 4000, None);
    check("trucks_jersey_city_2015_polled_top10.csv", VehicleKind::Truck, 1000, None);
}

#[test]
fn buses() {
    check("bus_liverpool_2026.csv", VehicleKind::Bus, 1200, None);
}

#[test]
fn runners_and_riders() {
    check("fitness_runs_walks.csv", VehicleKind::Person, 5000, Some(0.5));
    check("fitness_rides.csv", VehicleKind::Bike, 20_000, Some(0.5));
}

#[test]
fn a_car_that_repeats_its_positions() {
    check("ev_twizy_morocco_2021.csv", VehicleKind::Car, 2000, None);
}
