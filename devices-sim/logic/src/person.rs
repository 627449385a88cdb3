//! A person with a watch: walks, runs and sits down around a home.

use fleet_events::{GpsFix, Timestamp, VehicleId, VehicleKind};

use crate::{
    noise::PositionNoise,
    rng::Rng,
    route::{City, moved},
    truck::rounded,
};

pub const SPEED_MAX_MPS: f64 = 5.0;
/// Nobody here runs further from home.
const REACH_M: f64 = 3_000.0;
/// How far a path bends in a second, in degrees (deviation).
const BEND_DEG: f64 = 4.0;

#[derive(Debug, Clone, Copy)]
enum Pace {
    Walk,
    Run,
    Sit,
}

impl Pace {
    fn speed_mps(self, rng: &mut Rng) -> f64 {
        match self {
            Pace::Walk => rng.between(1.2, 1.5),
            Pace::Run => rng.between(2.5, 4.5),
            Pace::Sit => 0.0,
        }
    }

    fn lasts_s(self, rng: &mut Rng) -> i64 {
        match self {
            Pace::Walk => rng.whole(10 * 60, 50 * 60),
            Pace::Run => rng.whole(20 * 60, 60 * 60),
            Pace::Sit => rng.whole(5 * 60, 30 * 60),
        }
    }
}

#[derive(Debug)]
pub struct Person {
    pub vehicle_id: VehicleId,
    home: City,
    rng: Rng,
    noise: PositionNoise,
    second: i64,
    pace_until_s: i64,
    pace_mps: f64,
    speed_mps: f64,
    heading_deg: f64,
    north_m: f64,
    east_m: f64,
}

impl Person {
    pub fn new(vehicle_id: VehicleId, home: City, mut rng: Rng) -> Self {
        let noise = PositionNoise::new(&mut rng);
        Self {
            vehicle_id,
            home,
            heading_deg: rng.between(0.0, 360.0),
            north_m: rng.between(-500.0, 500.0),
            east_m: rng.between(-500.0, 500.0),
            rng,
            noise,
            second: 0,
            pace_until_s: 0,
            pace_mps: 0.0,
            speed_mps: 0.0,
        }
    }

    pub fn fix_at(&mut self, second: i64, ts: Timestamp) -> GpsFix {
        let since_s = (second - self.second).max(0);
        while self.second < second {
            self.move_one_second();
        }
        self.noise.advance(since_s as f64, &mut self.rng);
        let (north_m, east_m) = (self.north_m + self.noise.north_m, self.east_m + self.noise.east_m);
        let (lat, lon) = moved(self.home.lat, self.home.lon, north_m, east_m);
        let mut fix = GpsFix::new(self.vehicle_id.clone(), ts, rounded(lat, 6), rounded(lon, 6));
        fix.kind = Some(VehicleKind::Person);
        fix.speed_mps = Some(rounded(self.speed_mps, 2));
        fix.heading_deg =
            (self.speed_mps > 0.0).then(|| rounded(self.heading_deg.rem_euclid(360.0), 1).rem_euclid(360.0));
        fix
    }

    fn move_one_second(&mut self) {
        if self.second >= self.pace_until_s {
            let pace = [Pace::Walk, Pace::Run, Pace::Sit][self.rng.whole(0, 2) as usize];
            self.pace_mps = pace.speed_mps(&mut self.rng);
            self.pace_until_s = self.second + pace.lasts_s(&mut self.rng);
        }
        // Steps differ a little; a person at rest does not move at all.
        let step = if self.pace_mps > 0.0 { 0.1 * self.rng.normal() } else { 0.0 };
        self.speed_mps = (self.pace_mps + step).clamp(0.0, SPEED_MAX_MPS);
        self.heading_deg += BEND_DEG * self.rng.normal();
        if self.north_m.hypot(self.east_m) > REACH_M {
            self.heading_deg = (-self.east_m).atan2(-self.north_m).to_degrees();
        }
        let heading = self.heading_deg.to_radians();
        self.north_m += self.speed_mps * heading.cos();
        self.east_m += self.speed_mps * heading.sin();
        self.second += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::{Distance, Haversine, Point};

    #[test]
    fn a_person_stays_near_home_at_human_speed_and_sits_down_now_and_then() {
        let home = City { name: "Nîmes", lat: 43.83665, lon: 4.35788 };
        for seed in 0..5 {
            let id = VehicleId::new("fit-001").unwrap();
            let mut person = Person::new(id, home.clone(), Rng::stream(seed, "person", 0));
            let (mut sitting, mut moving) = (0, 0);
            for second in 0..6 * 3_600 {
                let fix = person.fix_at(second, Timestamp::from_ms(second * 1_000));
                let away_m = Haversine.distance(Point::new(home.lon, home.lat), Point::new(fix.lon, fix.lat));
                assert!(away_m < REACH_M + 50.0, "{away_m} m from home");
                assert!((0.0..=SPEED_MAX_MPS).contains(&fix.speed_mps.unwrap()));
                if fix.speed_mps == Some(0.0) { sitting += 1 } else { moving += 1 }
            }
            assert!(sitting > 300 && moving > 3_600, "{sitting} s sitting, {moving} s moving");
        }
    }
}
