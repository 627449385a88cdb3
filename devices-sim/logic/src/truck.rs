//! A truck: it follows its driver's plan along a road and says where it is.

use std::sync::Arc;

use fleet_events::{DriverId, GpsFix, Timestamp, VehicleId, VehicleKind};

use crate::{
    driver::{Activity, Driver},
    noise::PositionNoise,
    rng::Rng,
    route::{Route, moved},
};

/// The limiter of heavy vehicles in the EU: 90 km/h (Directive 92/6/EEC).
pub const SPEED_MAX_MPS: f64 = 25.0;
/// Cruise speed on the motorway, N(80, 3) km/h.
const CRUISE_KMH: (f64, f64) = (80.0, 3.0);
/// Traffic changes the cruise speed about this often.
const CRUISE_HOLDS_S: i64 = 600;
/// A loaded truck.
const ACCELERATION_MPS2: f64 = 0.4;
const BRAKING_MPS2: f64 = 1.0;
/// Every drive begins in a town: slower, with red lights, all shorter than the 120 s from which a
/// stop counts.
const TOWN_S: i64 = 180;
const TOWN_SPEED_MPS: f64 = 12.5;
const RED_LIGHT_PER_S: f64 = 1.0 / 90.0;
const RED_LIGHT_S: (i64, i64) = (15, 60);
/// Doppler speed is ten times better than positions.
const SPEED_NOISE_MPS: f64 = 0.1;
/// Below this a receiver does not know where it heads.
const HEADING_FROM_MPS: f64 = 1.0;

#[derive(Debug)]
pub struct Truck {
    pub vehicle_id: VehicleId,
    driver_id: DriverId,
    driver: Driver,
    road: Arc<Route>,
    /// Where on the road, there and back, the odometer was zero.
    first_m: f64,
    rng: Rng,
    noise: PositionNoise,
    /// Seconds since the start of the simulation.
    second: i64,
    driven_m: f64,
    speed_mps: f64,
    cruise_mps: f64,
    red_until_s: i64,
}

impl Truck {
    pub fn new(
        vehicle_id: VehicleId,
        driver_id: DriverId,
        driver: Driver,
        road: Arc<Route>,
        mut rng: Rng,
    ) -> Self {
        let first_m = rng.between(0.0, 2.0 * road.length_m());
        let noise = PositionNoise::new(&mut rng);
        Self {
            vehicle_id,
            driver_id,
            driver,
            road,
            first_m,
            rng,
            noise,
            second: 0,
            driven_m: 0.0,
            speed_mps: 0.0,
            cruise_mps: 0.0,
            red_until_s: 0,
        }
    }

    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Drives on to a second after the start and says where it is then.
    pub fn fix_at(&mut self, second: i64, ts: Timestamp) -> GpsFix {
        let since_s = (second - self.second).max(0);
        while self.second < second {
            self.drive_one_second();
        }
        self.noise.advance(since_s as f64, &mut self.rng);
        let place = self.road.there_and_back(self.first_m + self.driven_m);
        let (lat, lon) = moved(place.lat, place.lon, self.noise.north_m, self.noise.east_m);
        let moving = self.speed_mps > HEADING_FROM_MPS;
        let measured_mps =
            if self.speed_mps > 0.0 { self.speed_mps + SPEED_NOISE_MPS * self.rng.normal() } else { 0.0 };
        let activity = self.driver.stage_at(self.second).activity;
        let mut fix = GpsFix::new(self.vehicle_id.clone(), ts, rounded(lat, 6), rounded(lon, 6));
        fix.driver_id = Some(self.driver_id.clone());
        fix.kind = Some(VehicleKind::Truck);
        fix.speed_mps = Some(rounded(measured_mps.max(0.0), 2));
        fix.heading_deg = moving.then(|| rounded(place.bearing_deg.rem_euclid(360.0), 1).rem_euclid(360.0));
        fix.ignition = Some(activity == Activity::Driving);
        fix.odometer_m = Some(rounded(self.driven_m, 0));
        fix
    }

    /// The trapezoid: up to the speed that the traffic allows, down in time for the plan's stop.
    fn drive_one_second(&mut self) {
        let stage = self.driver.stage_at(self.second);
        let left_s = (stage.until_s - self.second) as f64;
        let wanted_mps = if stage.activity != Activity::Driving || left_s * BRAKING_MPS2 <= self.speed_mps {
            0.0
        } else {
            self.traffic(self.second - stage.from_s)
        };
        let change = (wanted_mps - self.speed_mps).clamp(-BRAKING_MPS2, ACCELERATION_MPS2);
        let before_mps = self.speed_mps;
        self.speed_mps = (before_mps + change).clamp(0.0, SPEED_MAX_MPS);
        self.driven_m += (before_mps + self.speed_mps) / 2.0;
        self.second += 1;
    }

    fn traffic(&mut self, since_departure_s: i64) -> f64 {
        if since_departure_s < TOWN_S {
            if self.second >= self.red_until_s + RED_LIGHT_S.1 && self.rng.chance(RED_LIGHT_PER_S) {
                self.red_until_s = self.second + self.rng.whole(RED_LIGHT_S.0, RED_LIGHT_S.1);
            }
            self.cruise_mps = 0.0;
            return if self.second < self.red_until_s { 0.0 } else { TOWN_SPEED_MPS };
        }
        if self.cruise_mps == 0.0 || self.rng.chance(1.0 / CRUISE_HOLDS_S as f64) {
            let kmh = CRUISE_KMH.0 + CRUISE_KMH.1 * self.rng.normal();
            self.cruise_mps = (kmh / 3.6).clamp(TOWN_SPEED_MPS, SPEED_MAX_MPS);
        }
        self.cruise_mps
    }
}

/// To some decimals, as devices print it.
pub(crate) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Habit;
    use geo::{Distance, Haversine, Point};

    fn fixes(seed: u64, habit: Habit, hours: i64) -> Vec<(Activity, GpsFix)> {
        let road = Arc::new(Route::all().swap_remove(0));
        let mut driver = Driver::new(habit, Rng::stream(seed, "driver", 0));
        let followed = Driver::new(habit, Rng::stream(seed, "driver", 0));
        let (vehicle, at_wheel) = (VehicleId::new("truck-001").unwrap(), DriverId::new("drv-001").unwrap());
        let mut truck = Truck::new(vehicle, at_wheel, followed, road, Rng::stream(seed, "truck", 0));
        (0..hours * 180)
            .map(|n| {
                let fix = truck.fix_at(n * 20, Timestamp::from_ms(n * 20_000));
                (driver.stage_at(n * 20).activity, fix)
            })
            .collect()
    }

    #[test]
    fn speeds_keep_to_the_limiter_and_positions_agree_with_them() {
        for seed in 0..5 {
            let fixes = fixes(seed, Habit::Legal, 30);
            for pair in fixes.windows(2) {
                let (before, after) = (&pair[0].1, &pair[1].1);
                let moved_m =
                    Haversine.distance(Point::new(before.lon, before.lat), Point::new(after.lon, after.lat));
                assert!(moved_m / 20.0 < SPEED_MAX_MPS + 1.5, "{moved_m} m in 20 s");
                assert!(after.speed_mps.unwrap() < SPEED_MAX_MPS + 1.0);
                assert!(after.heading_deg.is_none_or(|deg| (0.0..360.0).contains(&deg)));
                assert!(after.odometer_m >= before.odometer_m);
            }
            let cruising = fixes.iter().filter(|(_, fix)| fix.speed_mps.unwrap() > 20.0).count();
            assert!(cruising * 20 > 8 * 3_600, "half of 30 hours is driving, not {cruising} fixes");
        }
    }

    #[test]
    fn the_truck_stands_whenever_its_driver_does_not_drive() {
        for (activity, fix) in fixes(1, Habit::ShortensBreak, 24) {
            if activity != Activity::Driving {
                assert_eq!((fix.speed_mps, fix.ignition), (Some(0.0), Some(false)), "{}", fix.ts);
            }
        }
    }
}
