//! The shared reference values of distance, speed and direction.

mod shared_data;

use apps_logic::geo::{Position, distance_m};
use apps_logic::velocity_pair::pair;
use fleet_events::Timestamp;

/// A printed value is exact to half of its last digit, and 1e-6 of itself beyond that.
fn near(printed: &str, value: Option<f64>, what: &str) -> Result<(), String> {
    match (printed.parse::<f64>(), value) {
        (Err(_), None) => Ok(()),
        (Ok(expected), Some(value)) if (value - expected).abs() <= 0.6e-4 + 1e-6 * expected.abs() => Ok(()),
        _ => Err(format!("{what}: {value:?} where {printed:?} is expected")),
    }
}

/// At a pole a direction depends on how it is asked for; the reference may have one where there is none.
fn heading(printed: &str, value: Option<f64>, distance_m: f64) -> Result<(), String> {
    match (printed.parse::<f64>(), value) {
        (Err(_), None) => Ok(()),
        (Ok(expected), Some(value)) => {
            let turn = (value - expected).rem_euclid(360.0);
            // Rounding of the printed coordinates and of the value itself, as an angle.
            let allowed = 1e-4 + 1e-6 / distance_m.max(1e-6);
            if turn.min(360.0 - turn) <= allowed {
                Ok(())
            } else {
                Err(format!("heading {value} where {printed} is expected"))
            }
        }
        _ => Err(format!("heading {value:?} where {printed:?} is expected")),
    }
}

#[test]
fn pairs_agree_with_the_reference() {
    let Some(path) = shared_data::shared_data("velocity_cases.csv") else { return };
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|title| title == name).unwrap();
    let mut rows = 0;
    let mut wrong = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        let text = |name: &str| row.get(column(name)).unwrap();
        let number = |name: &str| text(name).parse::<f64>().unwrap_or(f64::NAN);
        let at = |name: &str| Timestamp::parse(text(name)).unwrap().ms();
        let got =
            pair((at("t0"), number("lat0"), number("lon0")), (at("t1"), number("lat1"), number("lon1")));
        let checks = [
            near(text("dist_geodesic_m"), got.distance_m, "distance"),
            near(text("speed_mps"), got.speed_mps, "speed"),
            near(text("speed_kmh"), got.speed_mps.map(|speed| speed * 3.6), "speed in km/h"),
            heading(text("heading_start_deg"), got.heading_start_deg, got.distance_m.unwrap_or(0.0)),
            heading(text("heading_end_deg"), got.heading_end_deg, got.distance_m.unwrap_or(0.0)),
            if text("expected_flag") == got.flag.as_str() {
                Ok(())
            } else {
                Err(format!("flag {} where {} is expected", got.flag.as_str(), text("expected_flag")))
            },
        ];
        wrong.extend(
            checks.into_iter().filter_map(Result::err).map(|reason| format!("{}: {reason}", text("case_id"))),
        );
        rows += 1;
    }
    assert!(rows >= 270, "{rows} rows");
    assert!(wrong.is_empty(), "{} of {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn geodesic_is_exact_where_a_sphere_is_not() {
    let degree = distance_m(Position { lat: 0.0, lon: 10.0 }, Position { lat: 1.0, lon: 10.0 });
    assert!((degree - 110_574.388_6).abs() < 1e-3, "{degree}");
}
