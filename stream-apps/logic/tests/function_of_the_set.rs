//! P5: the alerts are a function of the set of fixes, whatever their order, duplication or delay.

mod fleet;

use std::collections::BTreeMap;

use apps_logic::timeline::Retention;
use apps_logic::{DriverBreakApp, DriverBreakConfig, ShiftRules, VelocityApp, VelocityConfig, account_for};
use fleet::{Board, Leg, T0_MS, day};
use fleet_events::{AlertType, GpsFix, Source, Velocity};
use proptest::prelude::*;

const RECEIVED_MS: i64 = T0_MS + 48 * 3_600_000;

fn leg() -> impl Strategy<Value = Leg> {
    prop_oneof![
        5 => (1u32..160).prop_map(Leg::Drive),
        3 => (1u32..40).prop_map(Leg::Park),
        1 => (1u32..20).prop_map(Leg::Pinned),
        1 => (1u32..20).prop_map(Leg::Jam),
        1 => (3u32..30).prop_map(Leg::Tunnel),
        1 => (3u32..60).prop_map(Leg::Offline),
        1 => Just(Leg::Teleport),
        1 => Just(Leg::Blip),
        1 => Just(Leg::Relief),
    ]
}

fn fixes() -> impl Strategy<Value = Vec<GpsFix>> {
    let start_lon = prop_oneof![Just(9.0), Just(179.2)];
    (proptest::collection::vec(leg(), 4..18), 30i64..110, start_lon)
        .prop_map(|(legs, interval_s, start_lon)| day(&legs, interval_s, start_lon))
}

/// The fixes of a day, and some of them twice, in another order: up to `delay` places later.
fn disordered(delay: usize) -> impl Strategy<Value = (Vec<GpsFix>, Vec<GpsFix>)> {
    fixes().prop_flat_map(move |fixes| {
        let moves = proptest::collection::vec((0..delay, any::<bool>()), fixes.len());
        (Just(fixes), moves).prop_map(|(fixes, moves)| {
            let mut placed: Vec<(usize, GpsFix)> = Vec::new();
            for (index, (fix, (later, twice))) in fixes.iter().zip(&moves).enumerate() {
                placed.push((index + later, fix.clone()));
                if *twice {
                    placed.push((index + later * 3 / 2, fix.clone()));
                }
            }
            placed.sort_by_key(|(place, _)| *place);
            (fixes, placed.into_iter().map(|(_, fix)| fix).collect())
        })
    })
}

fn board(fixes: &[GpsFix]) -> Board {
    let mut app = DriverBreakApp::new(DriverBreakConfig::default());
    let mut board = Board::default();
    for fix in fixes {
        let mut alerts = Vec::new();
        app.on_fix(fix, RECEIVED_MS, &mut alerts);
        board.read(&alerts);
    }
    board
}

/// The last word on each instant.
fn velocities(fixes: &[GpsFix]) -> BTreeMap<i64, String> {
    let mut app = VelocityApp::new(VelocityConfig::default());
    let mut said = Vec::new();
    for fix in fixes {
        let source = Source { topic: "trucks_gps".to_owned(), partition: 0, offset: fix.ts.ms() };
        app.on_fix(fix, source, RECEIVED_MS, &mut said);
    }
    said.iter().map(|velocity| (velocity.ts.ms(), described(velocity))).collect()
}

fn described(velocity: &Velocity) -> String {
    let json = String::from_utf8(velocity.to_json()).unwrap();
    assert!(!json.contains("NaN") && !json.contains("inf"), "{json}");
    let parts = [velocity.speed_mps, velocity.distance_m, velocity.dt_s];
    assert!(parts.iter().all(|part| part.is_finite() && *part >= 0.0), "{json}");
    assert!(velocity.speed_mps <= 45.0, "{json}");
    json
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn alerts_do_not_depend_on_order_or_duplicates((fixes, disordered) in disordered(12)) {
        prop_assert_eq!(board(&fixes), board(&disordered));
    }

    #[test]
    fn alerts_do_not_depend_on_hours_of_delay((fixes, disordered) in disordered(400)) {
        prop_assert_eq!(board(&fixes), board(&disordered));
    }

    #[test]
    fn the_stream_ends_where_the_file_does(fixes in fixes()) {
        // One driver, and parked at the end, so that nothing is left open.
        let mut fixes = fixes;
        fixes.iter_mut().for_each(|fix| fix.driver_id = None);
        let last = fixes.last().unwrap().clone();
        for minute in 1..=10 {
            let mut parked = last.clone();
            parked.ts = parked.ts.plus_ms(minute * 60_000);
            parked.lat += if minute % 2 == 0 { 1e-5 } else { 0.0 };
            fixes.push(parked);
        }
        let rows: Vec<_> =
            fixes.iter().map(|fix| (fix.vehicle_id.clone(), fix.ts.ms(), fix.lat, fix.lon)).collect();
        let file: Vec<(i64, u32)> = account_for(&ShiftRules::default(), &rows)
            .crossings
            .iter()
            .map(|crossing| (crossing.t_ms, (crossing.accumulated_ms / 1000) as u32))
            .collect();
        let mut stream: Vec<(i64, u32)> = board(&fixes).0.values().map(|said| (said.0, said.1)).collect();
        stream.sort_unstable();
        prop_assert_eq!(stream, file);
    }

    #[test]
    fn in_order_nothing_is_ever_taken_back(fixes in fixes()) {
        let mut app = DriverBreakApp::new(DriverBreakConfig::default());
        let mut alerts = Vec::new();
        for fix in &fixes {
            app.on_fix(fix, RECEIVED_MS, &mut alerts);
        }
        let ids: std::collections::BTreeSet<_> = alerts.iter().map(|alert| &alert.alert_id).collect();
        prop_assert_eq!(ids.len(), alerts.len());
        prop_assert!(alerts.iter().all(|alert| alert.kind != AlertType::Retracted));
    }

    #[test]
    fn every_velocity_of_the_set_is_said_last((fixes, disordered) in disordered(12)) {
        let (ordered, late) = (velocities(&fixes), velocities(&disordered));
        // What a late fix made impossible cannot be taken back; all that is true was said, and last.
        for (ts, said) in &ordered {
            prop_assert_eq!(late.get(ts), Some(said));
        }
    }
}

#[test]
fn a_window_that_slides_never_takes_back_what_it_forgot() {
    let legs = [Leg::Drive(900), Leg::Park(200), Leg::Drive(900), Leg::Park(200), Leg::Drive(900)];
    let fixes = day(&legs, 20, 9.0);
    let whole = board(&fixes);
    assert_eq!(whole.0.len(), 12);

    let retention = Retention { lateness_ms: 3_600_000, max_fixes: 150 };
    let mut app = DriverBreakApp::new(DriverBreakConfig { retention, ..DriverBreakConfig::default() });
    let mut short = Board::default();
    let mut alerts = Vec::new();
    for fix in &fixes {
        app.on_fix(fix, RECEIVED_MS, &mut alerts);
    }
    short.read(&alerts);
    assert_eq!((alerts.len(), short), (12, whole));

    alerts.clear();
    app.on_fix(&fixes[0], RECEIVED_MS, &mut alerts);
    assert_eq!((alerts.len(), app.counts().too_late), (0, 1));
}

#[test]
fn a_backlog_takes_back_an_alert_that_a_gap_had_caused() {
    // Offline for an hour, 20 km on: driving, as far as anybody can tell.
    let mut fixes = day(&[Leg::Drive(720)], 20, 9.0);
    let left = fixes.last().unwrap().clone();
    for index in 1..=120 {
        let mut resumed = left.clone();
        resumed.ts = left.ts.plus_ms(3_600_000 + index * 20_000);
        resumed.lon += (20_000.0 + index as f64 * 400.0) / 80_000.0;
        fixes.push(resumed);
    }
    let mut app = DriverBreakApp::new(DriverBreakConfig::default());
    let mut alerts = Vec::new();
    for fix in &fixes {
        app.on_fix(fix, RECEIVED_MS, &mut alerts);
    }
    let kinds = |alerts: &[fleet_events::DriverAlert]| alerts.iter().map(|a| a.kind).collect::<Vec<_>>();
    use AlertType::{LimitReached, PreAlert, Retracted, Violation};
    assert_eq!(kinds(&alerts), [PreAlert, PreAlert, LimitReached, Violation]);

    // The backlog: he stood for 46 minutes, then drove those 20 km.
    alerts.clear();
    for minute in 1..=46 {
        let mut parked = left.clone();
        parked.ts = left.ts.plus_ms(minute * 60_000);
        parked.lat += if minute % 2 == 0 { 1e-5 } else { 0.0 };
        app.on_fix(&parked, RECEIVED_MS, &mut alerts);
    }
    let taken_back: Vec<_> = alerts.iter().filter(|alert| alert.kind == Retracted).collect();
    assert!(taken_back.iter().any(|alert| {
        alert.supersedes.as_ref().is_some_and(|id| id.as_str().contains("|violation|-|2026-03-02T06:00:00Z"))
    }));
}

#[test]
fn who_is_away_while_another_drives_does_not_drive() {
    let turn = [Leg::Drive(700), Leg::Relief];
    let fixes = day(&turn.repeat(4), 20, 9.0);
    // Four hours each, in turns, is 16 hours of driving for the truck and no more than four in a row
    // for either; only a silence without the other's fixes would look like more.
    assert_eq!(board(&fixes), Board::default());

    let of = |driver: &str| -> Vec<GpsFix> {
        let drives = |fix: &&GpsFix| fix.driver_id.as_ref().is_some_and(|id| id.as_str() == driver);
        fixes.iter().filter(drives).cloned().collect()
    };
    let (first, second) = (of("drv-1"), of("drv-2"));
    assert!(!board(&first).0.is_empty());

    // Whoever is heard of last learns when the other drove.
    assert_eq!(board(&[first.clone(), second.clone()].concat()), Board::default());
    assert_eq!(board(&[second, first].concat()), Board::default());
}

#[test]
fn hours_under_a_name_are_not_the_vehicles() {
    let mut fixes =
        day(&[Leg::Drive(500), Leg::Relief, Leg::Drive(500), Leg::Relief, Leg::Drive(500)], 20, 9.0);
    for fix in &mut fixes {
        fix.driver_id = fix.driver_id.take().filter(|driver| driver.as_str() == "drv-2");
    }
    // The vehicle goes twice for under three hours without a name; the named hours between are a break.
    assert_eq!(board(&fixes), Board::default());
}
