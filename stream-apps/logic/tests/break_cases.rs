//! The shared cases of the break rules: activities (`eu561_break`) and positions (`gps_eu561`).
#![allow(clippy::disallowed_methods)] // a test reads the shared case files

mod shared_data;

use std::path::Path;

use apps_logic::driver_break::{Activity, BreakRules, Crossing, Summary, evaluate};
use apps_logic::motion::FerryWindow;
use apps_logic::{ShiftRules, account_for};
use fleet_events::{Timestamp, VehicleId};
use serde_json::Value;

/// What a case expects, in whole seconds after its start: alerts as (t, type, accumulated), resets
/// as (t, kind, driving), and the four counts of the summary.
#[derive(Debug, PartialEq)]
struct Outcome {
    alerts: Vec<(i64, String, i64)>,
    resets: Vec<(i64, String, i64)>,
    counts: [i64; 4],
    first_part_taken: bool,
}

fn outcome(t0_ms: i64, crossings: &[Crossing], summary: &Summary) -> Outcome {
    Outcome {
        alerts: crossings
            .iter()
            .map(|c| ((c.t_ms - t0_ms) / 1000, c.kind.as_str().to_owned(), c.accumulated_ms / 1000))
            .collect(),
        resets: summary
            .resets
            .iter()
            .map(|reset| ((reset.t_ms - t0_ms) / 1000, reset.kind.to_owned(), reset.driving_ms / 1000))
            .collect(),
        counts: [
            summary.driving_since_reset_ms / 1000,
            summary.remaining_ms / 1000,
            summary.longest_driving_period_ms / 1000,
            summary.overrun_ms / 1000,
        ],
        first_part_taken: summary.first_part_taken,
    }
}

fn expected(case: &Value) -> Outcome {
    let number = |value: &Value| value.as_i64().expect("a number");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let expected = &case["expected"];
    let summary = &expected["summary"];
    Outcome {
        alerts: rows(&expected["alerts"], |a| {
            (number(&a["t_s"]), text(&a["type"]), number(&a["accumulated_s"]))
        }),
        resets: rows(&summary["resets"], |r| (number(&r["t_s"]), text(&r["kind"]), number(&r["driving_s"]))),
        counts: [
            number(&summary["driving_since_reset_s"]),
            number(&summary["remaining_s"]),
            number(&summary["longest_driving_period_s"]),
            number(&summary["overrun_s"]),
        ],
        first_part_taken: summary["first_part_taken"].as_bool().expect("a truth"),
    }
}

fn rows<T>(value: &Value, row: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().expect("a list").iter().map(row).collect()
}

/// Equal, but for seconds that may differ by the tolerance.
fn agree(a: &Outcome, b: &Outcome, tolerance_s: i64) -> bool {
    let near = |a: i64, b: i64| (a - b).abs() <= tolerance_s;
    let rows_agree = |a: &[(i64, String, i64)], b: &[(i64, String, i64)]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a.0, b.0) && a.1 == b.1 && near(a.2, b.2))
    };
    rows_agree(&a.alerts, &b.alerts)
        && rows_agree(&a.resets, &b.resets)
        && a.counts.iter().zip(&b.counts).all(|(a, b)| near(*a, *b))
        && a.first_part_taken == b.first_part_taken
}

fn rules(case: &Value, t0_ms: i64) -> ShiftRules {
    let mut rules = ShiftRules::default();
    let config = &case["config"];
    let mut breaks = config.as_object().cloned().unwrap_or_default();
    breaks.remove("gps");
    breaks.remove("ferry_windows");
    rules.breaks = serde_json::from_value::<BreakRules>(Value::Object(breaks)).expect("known settings");
    if let Some(stop_is) = config["gps"].get("stop_is") {
        rules.stop_is = serde_json::from_value::<Activity>(stop_is.clone()).expect("an activity");
    }
    if let Some(windows) = config.get("ferry_windows") {
        rules.motion.ferries = rows(windows, |window| FerryWindow {
            vehicle: None,
            start_ms: t0_ms + window[0].as_i64().unwrap() * 1000,
            end_ms: t0_ms + window[1].as_i64().unwrap() * 1000,
        });
    }
    rules
}

fn read_fixes(path: &Path) -> Vec<(VehicleId, i64, f64, f64)> {
    let mut reader = csv::Reader::from_path(path).expect("a fixes file");
    reader
        .deserialize::<(VehicleId, Timestamp, f64, f64)>()
        .map(|row| row.expect("a fix"))
        .map(|(vehicle, ts, lat, lon)| (vehicle, ts.ms(), lat, lon))
        .collect()
}

fn play(case: &Value, folder: &Path) -> Outcome {
    let t0_ms = Timestamp::parse(case["t0"].as_str().unwrap()).unwrap().ms();
    let rules = rules(case, t0_ms);
    if let Some(file) = case["input"].get("fixes_file") {
        let fixes = read_fixes(&folder.join(file.as_str().unwrap()));
        let accounting = account_for(&rules, &fixes);
        return outcome(t0_ms, &accounting.crossings, &accounting.summary);
    }
    let activities = rows(&case["input"]["states"], |state| {
        let at = |index: usize| t0_ms + state[index].as_i64().unwrap() * 1000;
        (at(0), at(1), serde_json::from_value::<Activity>(state[2].clone()).unwrap())
    });
    let (crossings, summary) = evaluate(&rules.breaks, &activities).unwrap();
    outcome(t0_ms, &crossings, &summary)
}

fn check(ruleset: &str, at_least: usize) {
    let Some(path) = shared_data::shared_data("driver_break_cases.json") else { return };
    let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let tolerance_s =
        file["tolerance_s"].get(ruleset).or(file["tolerance_s"].get("default")).unwrap().as_i64().unwrap();
    let cases: Vec<&Value> =
        file["cases"].as_array().unwrap().iter().filter(|case| case["ruleset"] == ruleset).collect();
    assert!(cases.len() >= at_least, "{} cases of {ruleset}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let (got, expected) = (play(case, path.parent().unwrap()), expected(case));
        if !agree(&got, &expected, tolerance_s) {
            wrong.push(format!(
                "{} {}\n  got      {got:?}\n  expected {expected:?}",
                case["id"], case["title"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn activities_give_the_alerts_of_the_regulation() {
    check("eu561_break", 34);
}

#[test]
fn positions_give_the_alerts_of_the_regulation() {
    check("gps_eu561", 13);
}
