//! Distance and direction on the WGS 84 ellipsoid. A sphere is up to 0.6 % wrong, so there is none.

use ::geo::{Bearing, Distance, Geodesic, Point};

/// Degrees, finite and in range: whoever makes one has checked it (see [`is_on_earth`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    pub lat: f64,
    pub lon: f64,
}

impl Position {
    /// x is the longitude: the crate below thinks in plane axes.
    fn point(self) -> Point<f64> {
        Point::new(self.lon, self.lat)
    }
}

pub fn is_on_earth(lat: f64, lon: f64) -> bool {
    // NaN is in no range.
    (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)
}

pub fn distance_m(from: Position, to: Position) -> f64 {
    if from == to { 0.0 } else { Geodesic.distance(from.point(), to.point()) }
}

/// Initial azimuth in [0, 360) clockwise from north. At a pole, and between positions that are the
/// same, there is no direction.
pub fn azimuth_deg(from: Position, to: Position) -> Option<f64> {
    if from.lat.abs() == 90.0 || distance_m(from, to) == 0.0 {
        return None;
    }
    let azimuth = Geodesic.bearing(from.point(), to.point()).rem_euclid(360.0);
    // A tiny negative angle rounds up to 360 itself.
    azimuth.is_finite().then_some(if azimuth >= 360.0 { 0.0 } else { azimuth })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> Position {
        Position { lat, lon }
    }

    #[test]
    fn the_shortest_way_crosses_the_antimeridian() {
        let west = distance_m(at(-16.8, -179.9985), at(-16.8, 179.999));
        assert!((west - 266.4953).abs() < 1e-3, "{west}");
        let heading = azimuth_deg(at(-16.8, -179.9985), at(-16.8, 179.999)).unwrap();
        assert!((heading - 269.9996).abs() < 1e-3, "{heading}");
        assert!(distance_m(at(-16.5, 180.0), at(-16.5, -180.0)) < 1e-6);
    }

    #[test]
    fn antipodes_have_a_distance() {
        assert!((distance_m(at(0.0, 0.0), at(0.0, 180.0)) - 20_003_931.458_6).abs() < 1e-3);
    }

    #[test]
    fn no_direction_at_a_pole_or_on_the_spot() {
        assert_eq!(azimuth_deg(at(90.0, 0.0), at(89.0, 0.0)), None);
        assert_eq!(azimuth_deg(at(52.0, 5.0), at(52.0, 5.0)), None);
    }

    #[test]
    fn what_is_not_a_number_is_not_on_earth() {
        for (lat, lon) in [(f64::NAN, 0.0), (0.0, f64::NAN), (90.1, 0.0), (0.0, 180.1), (f64::INFINITY, 0.0)]
        {
            assert!(!is_on_earth(lat, lon), "{lat} {lon}");
        }
    }
}
