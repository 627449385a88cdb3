//! A truck whose day is a script, and the readers of the alert topic.

use std::collections::BTreeMap;

use fleet_events::{AlertType, DriverAlert, DriverId, GpsFix, Timestamp, VehicleId};

/// 2026-03-02T06:00:00Z
pub const T0_MS: i64 = 1_772_431_200_000;

/// What happens next on the road, and for how many fixes.
#[derive(Clone, Copy, Debug)]
pub enum Leg {
    Drive(u32),
    /// Position noise of a few metres.
    Park(u32),
    /// The same position re-stamped.
    Pinned(u32),
    Jam(u32),
    /// Silence while the truck drives on.
    Tunnel(u32),
    /// Silence, and a little way further.
    Offline(u32),
    /// One fix 300 km away.
    Teleport,
    /// One fix aside while standing.
    Blip,
    /// The other of two drivers takes the wheel.
    Relief,
}

/// Eastward along a parallel, across the antimeridian when it begins close enough.
pub fn day(legs: &[Leg], interval_s: i64, start_lon: f64) -> Vec<GpsFix> {
    let vehicle = VehicleId::new("truck-1").unwrap();
    let (mut fixes, mut t_s, mut east_m) = (Vec::new(), 0i64, 0.0f64);
    let mut driver = 1;
    let mut report = |t_s: i64, east_m: f64, north_m: f64, driver: u32| {
        let lon = start_lon + east_m / 80_000.0;
        let lon = if lon > 180.0 { lon - 360.0 } else { lon };
        let ts = Timestamp::from_ms(T0_MS + t_s * 1000);
        let mut fix = GpsFix::new(vehicle.clone(), ts, 44.0 + north_m / 111_000.0, lon);
        fix.driver_id = Some(DriverId::new(&format!("drv-{driver}")).unwrap());
        fixes.push(fix);
    };
    report(0, 0.0, 0.0, driver);
    for leg in legs {
        let step_m = |speed_mps: f64| speed_mps * interval_s as f64;
        let (count, advance_m) = match *leg {
            Leg::Drive(count) => (count, step_m(20.0)),
            Leg::Jam(count) => (count, step_m(0.9)),
            Leg::Park(count) | Leg::Pinned(count) => (count, 0.0),
            Leg::Tunnel(count) => {
                t_s += i64::from(count) * interval_s;
                east_m += f64::from(count) * step_m(20.0);
                (1, step_m(20.0))
            }
            Leg::Offline(count) => {
                t_s += i64::from(count) * interval_s;
                (1, 300.0)
            }
            Leg::Teleport => (1, 0.0),
            Leg::Blip => (2, 0.0),
            Leg::Relief => {
                driver = 3 - driver;
                (1, 0.0)
            }
        };
        for index in 0..count {
            t_s += interval_s;
            east_m += advance_m;
            let aside_m = match leg {
                Leg::Park(_) => f64::from(index * 7919 % 11) - 5.0,
                Leg::Teleport => 300_000.0,
                Leg::Blip if index == 0 => 75.0,
                _ => 0.0,
            };
            report(t_s, east_m, aside_m, driver);
        }
    }
    fixes
}

/// What a reader of the topic believes in the end: the last record with an id counts, a retraction
/// takes its alert away.
#[derive(Debug, Default, PartialEq)]
pub struct Board(pub BTreeMap<String, (i64, u32, u32)>);

impl Board {
    pub fn read(&mut self, alerts: &[DriverAlert]) {
        for alert in alerts {
            match (&alert.supersedes, alert.kind) {
                (Some(id), AlertType::Retracted) => {
                    assert!(self.0.remove(id.as_str()).is_some(), "{id} was never sent");
                }
                _ => {
                    let said = (alert.ts.ms(), alert.accumulated_s, alert.required_break_s.unwrap());
                    self.0.insert(alert.alert_id.to_string(), said);
                }
            }
        }
    }
}
