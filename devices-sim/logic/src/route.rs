//! The roads: a few real corridors between cities, bent so that they are as long as roads are.

use std::{collections::BTreeMap, f64::consts::TAU};

use geo::{Bearing, Destination, Distance, Haversine, InterpolatePoint, Point};

use crate::rng::Rng;

const CORRIDORS: &str = include_str!("corridors.csv");

/// How much longer a road is than the great circle between its cities.
pub const DETOUR: f64 = 1.22;
/// Between two points of the polyline. A bend is kilometres long, so the chords lose almost nothing.
const STEP_M: f64 = 250.0;
/// The bends: wavelengths and their share of the sideways slope.
const BENDS: [(f64, f64); 3] = [(32_000.0, 0.5), (11_000.0, 0.35), (4_000.0, 0.15)];
/// Towards a city the road comes back to the great circle within this distance.
const TAPER_M: f64 = 4_000.0;
/// Roads stay where they are whatever the seed of the fleet.
const ROADS: u64 = 561;

/// A position with the direction of the road in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub lat: f64,
    pub lon: f64,
    pub bearing_deg: f64,
}

/// A road from its first city to its last.
#[derive(Debug)]
pub struct Route {
    pub id: &'static str,
    pub cities: Vec<City>,
    points: Vec<RoadPoint>,
}

#[derive(Debug, Clone)]
pub struct City {
    pub name: &'static str,
    pub lat: f64,
    pub lon: f64,
}

#[derive(Debug, Clone, Copy)]
struct RoadPoint {
    position: Point,
    /// Metres of road from the first city.
    at_m: f64,
}

impl Route {
    /// All corridors, in the order of their ids.
    pub fn all() -> Vec<Route> {
        let mut corridors: BTreeMap<&str, Vec<City>> = BTreeMap::new();
        for line in CORRIDORS.lines().filter(|line| !line.starts_with('#')).skip(1) {
            let (id, city) = parse(line).expect("the corridors are part of the program");
            corridors.entry(id).or_default().push(city);
        }
        corridors
            .into_iter()
            .enumerate()
            .map(|(n, (id, cities))| Route::through(id, cities, n as u64))
            .collect()
    }

    fn through(id: &'static str, cities: Vec<City>, number: u64) -> Route {
        let mut rng = Rng::stream(ROADS, "route", number);
        let mut points: Vec<RoadPoint> = Vec::new();
        for leg in cities.windows(2) {
            for position in bent_leg(point(&leg[0]), point(&leg[1]), &mut rng) {
                let at_m =
                    points.last().map_or(0.0, |last| last.at_m + Haversine.distance(last.position, position));
                points.push(RoadPoint { position, at_m });
            }
        }
        assert!(points.len() >= 2, "a corridor has two cities");
        Route { id, cities, points }
    }

    pub fn length_m(&self) -> f64 {
        self.points[self.points.len() - 1].at_m
    }

    /// Where a vehicle is that has driven so far there and back again.
    pub fn there_and_back(&self, driven_m: f64) -> Place {
        let length_m = self.length_m();
        let around_m = driven_m.rem_euclid(2.0 * length_m);
        if around_m <= length_m {
            return self.at(around_m);
        }
        let there = self.at(2.0 * length_m - around_m);
        Place { bearing_deg: (there.bearing_deg + 180.0).rem_euclid(360.0), ..there }
    }

    fn at(&self, from_start_m: f64) -> Place {
        let next = self.points.partition_point(|p| p.at_m <= from_start_m).clamp(1, self.points.len() - 1);
        let (a, b) = (self.points[next - 1], self.points[next]);
        let share = ((from_start_m - a.at_m) / (b.at_m - a.at_m).max(1e-9)).clamp(0.0, 1.0);
        Place {
            lat: a.position.y() + share * (b.position.y() - a.position.y()),
            lon: a.position.x() + share * (b.position.x() - a.position.x()),
            bearing_deg: Haversine.bearing(a.position, b.position),
        }
    }
}

/// A place some metres north and east of another; good for distances below a few kilometres.
pub fn moved(lat: f64, lon: f64, north_m: f64, east_m: f64) -> (f64, f64) {
    let metres_per_degree = Haversine.radius().to_radians();
    (lat + north_m / metres_per_degree, lon + east_m / (metres_per_degree * lat.to_radians().cos()))
}

fn parse(line: &'static str) -> Option<(&'static str, City)> {
    let mut fields = line.split(',');
    let id = fields.next()?;
    let name = fields.nth(1)?;
    let lat = fields.nth(1)?.parse().ok()?;
    let lon = fields.next()?.parse().ok()?;
    Some((id, City { name, lat, lon }))
}

fn point(city: &City) -> Point {
    Point::new(city.lon, city.lat)
}

/// The points of a leg but its last, pushed sideways until the leg is `DETOUR` times the great circle.
fn bent_leg(from: Point, to: Point, rng: &mut Rng) -> Vec<Point> {
    let length_m = Haversine.distance(from, to);
    let steps = (length_m / STEP_M).ceil().max(1.0) as usize;
    let phases = BENDS.map(|_| rng.between(0.0, TAU));
    let shape: Vec<f64> = (0..=steps)
        .map(|step| {
            let x = length_m * step as f64 / steps as f64;
            let taper = (x / TAPER_M).min((length_m - x) / TAPER_M).clamp(0.0, 1.0);
            let bends = BENDS.iter().zip(phases);
            taper
                * bends
                    .map(|((wave, share), phase)| share * wave * (TAU * x / wave + phase).sin())
                    .sum::<f64>()
        })
        .collect();
    let height = height_for(DETOUR * length_m, length_m / steps as f64, &shape);
    (0..steps)
        .map(|step| {
            let straight = Haversine.point_at_ratio_between(from, to, step as f64 / steps as f64);
            Haversine.destination(straight, Haversine.bearing(straight, to) + 90.0, height * shape[step])
        })
        .collect()
}

/// The factor on the shape that makes the path as long as wanted, by halving.
fn height_for(wanted_m: f64, step_m: f64, shape: &[f64]) -> f64 {
    let path_m = |height: f64| shape.windows(2).map(|s| step_m.hypot(height * (s[1] - s[0]))).sum::<f64>();
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if path_m(middle) < wanted_m { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_corridors_are_as_long_as_their_roads() {
        let routes = Route::all();
        assert_eq!(routes.len(), 6);
        // The road estimates of the corridor table, in km.
        for (id, road_km) in [("EU-RTM-MIL", 1135.0), ("EU-HAM-MUC", 810.0), ("GR-ATH-THE", 431.0)] {
            let route = routes.iter().find(|route| route.id == id).unwrap();
            let km = route.length_m() / 1000.0;
            assert!((km / road_km - 1.0).abs() < 0.02, "{id}: {km} km");
        }
    }

    #[test]
    fn a_road_passes_its_cities_and_never_jumps() {
        for route in Route::all() {
            for city in &route.cities {
                let nearest = route.points.iter().map(|p| Haversine.distance(p.position, point(city)));
                assert!(nearest.fold(f64::MAX, f64::min) < 500.0, "{} misses {}", route.id, city.name);
            }
            for pair in route.points.windows(2) {
                let step_m = pair[1].at_m - pair[0].at_m;
                assert!((1.0..1_500.0).contains(&step_m), "{}: a step of {step_m} m", route.id);
            }
        }
    }

    #[test]
    fn distance_driven_is_distance_on_the_ground_there_and_back() {
        let route = &Route::all()[0];
        let end = route.length_m();
        for from in [0.0, 10_000.0, end / 2.0, end + 5_000.0] {
            let place = |m: f64| {
                let place = route.there_and_back(m);
                Point::new(place.lon, place.lat)
            };
            let ground_m = Haversine.distance(place(from), place(from + 400.0));
            assert!((380.0..401.0).contains(&ground_m), "{from}: {ground_m}");
        }
        let (there, back) = (route.there_and_back(end - 100.0), route.there_and_back(end + 100.0));
        assert!((there.lat - back.lat).abs() < 1e-9);
        assert!(((there.bearing_deg - back.bearing_deg).abs() - 180.0).abs() < 1e-6);
    }
}
