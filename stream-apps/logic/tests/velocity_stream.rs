//! What the velocity app says of a vehicle, as tables: fixes in, records out.

use apps_logic::{VelocityApp, VelocityConfig, velocities};
use fleet_events::{GpsFix, Quality, Source, Timestamp, VehicleId, VehicleKind, Velocity};

const T0_MS: i64 = 1_772_431_200_000;

/// A fix so many seconds after the start, so many metres north.
fn fix(kind: VehicleKind, t_s: f64, north_m: f64) -> GpsFix {
    let ts = Timestamp::from_ms(T0_MS + (t_s * 1000.0) as i64);
    let mut fix = GpsFix::new(VehicleId::new("v").unwrap(), ts, 44.0 + north_m / 111_100.0, 9.0);
    fix.kind = Some(kind);
    fix
}

fn feed(fixes: &[GpsFix]) -> Vec<Velocity> {
    let mut app = VelocityApp::new(VelocityConfig::default());
    let mut said = Vec::new();
    for (offset, fix) in fixes.iter().enumerate() {
        let source = Source { topic: "trucks_gps".to_owned(), partition: 3, offset: offset as i64 };
        app.on_fix(fix, source, T0_MS + 7_200_000, &mut said);
    }
    said
}

/// `start-end speed quality`, and the heading where there is one.
fn describe(velocity: &Velocity) -> String {
    let s = |at: Timestamp| (at.ms() - T0_MS) / 1000;
    let quality = format!("{:?}", velocity.quality).to_lowercase();
    let heading = velocity.heading_deg.map(|deg| format!(" {deg:.0}")).unwrap_or_default();
    format!("{}-{} {:.1} {quality}{heading}", s(velocity.window_start), s(velocity.ts), velocity.speed_mps)
}

fn check(name: &str, kind: VehicleKind, fixes: &[(f64, f64)], expected: &[&str]) {
    let fixes: Vec<GpsFix> = fixes.iter().map(|&(t_s, north_m)| fix(kind, t_s, north_m)).collect();
    let said: Vec<String> = feed(&fixes).iter().map(describe).collect();
    assert_eq!(said, expected, "{name}");
}

#[test]
fn velocities_follow_the_fixes() {
    use VehicleKind::{Car, Person, Truck};
    check("north at 20 m/s", Truck, &[(0., 0.), (20., 400.)], &["0-20 20.0 ok 0"]);
    check("and back south", Truck, &[(0., 400.), (20., 0.)], &["0-20 20.0 ok 180"]);
    check("jitter is standing still", Truck, &[(0., 0.), (20., 12.)], &["0-20 0.0 stationary"]);
    check(
        "creeping out of the dead band",
        Truck,
        &[(0., 0.), (20., 10.), (40., 20.)],
        &["0-20 0.0 stationary", "20-40 0.5 ok"],
    );
    check("walking is no jitter", Person, &[(0., 0.), (5., 7.)], &["0-5 1.4 ok 0"]);
    check("half a second is too short", Truck, &[(0., 0.), (0.5, 10.), (1., 20.)], &["0-1 20.0 ok 0"]);
    check("a silence", Truck, &[(0., 0.), (121., 2420.)], &["0-121 20.0 gap 0"]);
    check("a car may", Car, &[(0., 0.), (20., 1000.)], &["0-20 50.0 ok 0"]);
    check("a truck may not", Truck, &[(0., 0.), (20., 1000.)], &[]);
    check(
        "one teleport",
        Truck,
        &[(0., 0.), (20., 90_000.), (40., 800.)],
        &["0-40 20.0 outlierdroppedbefore 0"],
    );
    check(
        "nothing bridges a jump",
        Truck,
        &[(0., 0.), (20., 90_000.), (40., 90_400.), (60., 90_800.)],
        &["20-40 20.0 ok 0", "40-60 20.0 ok 0"],
    );
    check("the same instant twice", Truck, &[(0., 0.), (20., 400.), (20., 500.)], &["0-20 20.0 ok 0"]);
}

#[test]
fn a_late_fix_says_again_what_it_changes() {
    check(
        "between two published ones",
        VehicleKind::Truck,
        &[(0., 0.), (20., 400.), (60., 1200.), (80., 1600.), (40., 700.)],
        &[
            "0-20 20.0 ok 0",
            "20-60 20.0 ok 0",
            "60-80 20.0 ok 0",
            "20-40 15.0 ok 0",
            "40-60 25.0 ok 0",
            // Only its acceleration is another one.
            "60-80 20.0 ok 0",
        ],
    );
}

#[test]
fn a_position_that_never_changes_is_said_to_stand() {
    let pinned = [(0., 0.), (20., 400.), (40., 400.), (60., 400.), (80., 400.), (100., 400.), (120., 800.)];
    check(
        "live",
        VehicleKind::Truck,
        &pinned,
        &["0-20 20.0 ok 0", "20-80 0.0 stationary", "20-100 0.0 stationary", "100-120 20.0 ok 0"],
    );
    let fixes: Vec<GpsFix> = pinned.iter().map(|&(t, m)| fix(VehicleKind::Truck, t, m)).collect();
    let file: Vec<String> =
        velocities(&Default::default(), &fixes, "trucks_gps").iter().map(describe).collect();
    assert_eq!(file, ["0-20 20.0 ok 0", "20-100 0.0 stationary", "100-120 20.0 ok 0"]);
}

#[test]
fn a_device_that_says_otherwise_three_times_is_noted() {
    let mut fixes: Vec<GpsFix> =
        (0..5).map(|i| fix(VehicleKind::Truck, f64::from(i) * 20.0, f64::from(i) * 400.0)).collect();
    fixes.iter_mut().for_each(|fix| fix.speed_mps = Some(27.0));
    let qualities: Vec<Quality> = feed(&fixes).iter().map(|velocity| velocity.quality).collect();
    assert_eq!(qualities, [Quality::Ok, Quality::Ok, Quality::DeviceDisagrees, Quality::DeviceDisagrees]);
}

#[test]
fn a_watch_that_does_not_say_what_it_is_walks() {
    let mut app = VelocityApp::new(VelocityConfig::default());
    let mut said = Vec::new();
    for (t_s, north_m) in [(0.0, 0.0), (5.0, 7.0)] {
        let fix = GpsFix { kind: None, ..fix(VehicleKind::Other, t_s, north_m) };
        let source = Source { topic: "fitbits_gps".to_owned(), partition: 0, offset: 0 };
        app.on_fix(&fix, source, T0_MS, &mut said);
    }
    assert_eq!(said.iter().map(describe).collect::<Vec<_>>(), ["0-5 1.4 ok 0"]);
}

#[test]
fn an_unsure_receiver_is_not_believed() {
    let mut fixes: Vec<GpsFix> =
        (0..3).map(|i| fix(VehicleKind::Truck, f64::from(i) * 20.0, f64::from(i) * 400.0)).collect();
    fixes[1].hdop = Some(10.1);
    assert_eq!(feed(&fixes).iter().map(describe).collect::<Vec<_>>(), ["0-40 20.0 ok 0"]);
    fixes[2].acc_m = Some(100.1);
    assert!(feed(&fixes).is_empty());
}

#[test]
fn a_record_tells_where_it_comes_from_and_how_old_it_is() {
    let mut fixes = [fix(VehicleKind::Truck, 0.0, 0.0), fix(VehicleKind::Truck, 20.0, 400.0)];
    fixes[1].sent_at = Some(Timestamp::from_ms(T0_MS + 21_000));
    let said = feed(&fixes);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].sent_at, fixes[1].sent_at);
    assert_eq!(said[0].late_s, Some(7180.0));
    assert_eq!(said[0].source, Some(Source { topic: "trucks_gps".to_owned(), partition: 3, offset: 1 }));
}
