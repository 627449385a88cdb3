//! Velocity from consecutive fixes of one vehicle, in event time: geodesic distance over time,
//! stamped with the later fix. What stays inside the dead band of its anchor stands still, a long
//! silence is a gap and no speed, and nothing above what the vehicle can do is ever said.

use std::sync::Arc;

use fleet_events::{DriverId, GpsFix, Method, Motion, Quality, Source, Timestamp, VehicleKind, Velocity};

use crate::event_time::{Cleaner, Link, Placed, seconds};
use crate::geo::{Position, azimuth_deg, distance_m};
use crate::motion::{Class, MotionRules};
use crate::timeline::Machine;

/// Below this a difference of positions is noise.
const MIN_DT_MS: i64 = 1_000;
/// A receiver that is this unsure is not believed.
const HDOP_MAX: f64 = 10.0;
const ACC_MAX_M: f64 = 100.0;
/// Slower, or shorter, and noise decides the direction.
const HEADING_MIN_MPS: f64 = 1.0;
const HEADING_MIN_M: f64 = 5.0;
/// The device's own speed is doubted when it differs by more than both, for so many fixes running.
const DISAGREE_MPS: f64 = 3.0;
const DISAGREE_SHARE: f64 = 0.25;
const DISAGREE_FIXES: u8 = 3;

/// What a vehicle of a kind can do, and how it stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KindRules {
    pub v_max_mps: f64,
    /// Radius and speed of the dead band.
    pub still_m: f64,
    pub still_mps: f64,
}

/// Walking is 1.4 m/s: the dead band of a truck would erase it.
const ON_FOOT: KindRules = KindRules { v_max_mps: 12.5, still_m: 5.0, still_mps: 0.3 };
const HEAVY: KindRules = KindRules { v_max_mps: 45.0, still_m: 15.0, still_mps: 5.0 / 3.6 };

pub fn kind_rules(kind: VehicleKind) -> KindRules {
    match kind {
        VehicleKind::Truck | VehicleKind::Bus | VehicleKind::Other => HEAVY,
        VehicleKind::Car | VehicleKind::Van => KindRules { v_max_mps: 70.0, ..HEAVY },
        VehicleKind::Person => ON_FOOT,
        VehicleKind::Bike => KindRules { v_max_mps: 30.0, ..ON_FOOT },
    }
}

pub fn is_precise(fix: &GpsFix) -> bool {
    fix.hdop.is_none_or(|hdop| hdop <= HDOP_MAX) && fix.acc_m.is_none_or(|acc_m| acc_m <= ACC_MAX_M)
}

/// What a velocity needs of a fix.
#[derive(Clone, Debug, PartialEq)]
pub struct VelocityFix {
    pub t_ms: i64,
    pub at: Position,
    pub kind: VehicleKind,
    pub acc_m: Option<f64>,
    pub device_speed_mps: Option<f64>,
    pub driver: Option<DriverId>,
    pub sent_at: Option<Timestamp>,
    pub received_ms: i64,
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
}

impl Placed for VelocityFix {
    fn t_ms(&self) -> i64 {
        self.t_ms
    }

    fn position(&self) -> Position {
        self.at
    }

    fn continues(&self, _: &VelocityFix) -> bool {
        true // a timeline of velocities has one vehicle
    }
}

/// The way from one accepted fix to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub to: VelocityFix,
    pub from_ms: i64,
    pub distance_m: f64,
    pub speed_mps: f64,
    pub heading_deg: Option<f64>,
    pub accel_mps2: Option<f64>,
    pub motion: Motion,
    pub quality: Quality,
    /// Ends with a position that was re-stamped, and may be again: the next one with the same start
    /// says the same of a longer time.
    pub standing: bool,
}

impl Segment {
    pub fn velocity(&self, vehicle_id: &fleet_events::VehicleId) -> Velocity {
        let to = &self.to;
        Velocity {
            v: 1,
            vehicle_id: vehicle_id.clone(),
            driver_id: to.driver.clone(),
            ts: Timestamp::from_ms(to.t_ms),
            window_start: Timestamp::from_ms(self.from_ms),
            lat: to.at.lat,
            lon: to.at.lon,
            speed_mps: self.speed_mps,
            speed_kmh: self.speed_mps * 3.6,
            heading_deg: self.heading_deg,
            distance_m: self.distance_m,
            dt_s: seconds(to.t_ms - self.from_ms),
            accel_mps2: self.accel_mps2,
            device_speed_mps: to.device_speed_mps,
            motion: self.motion,
            quality: self.quality,
            method: Method::Geodesic,
            late_s: Some(seconds(to.received_ms.saturating_sub(to.t_ms).max(0))),
            sent_at: to.sent_at,
            source: Some(Source { topic: to.topic.to_string(), partition: to.partition, offset: to.offset }),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct VelocityMachine {
    cleaner: Cleaner<VelocityFix>,
    pairs: Pairs,
    /// The last instant for which something was said.
    said_ms: i64,
}

impl Default for VelocityMachine {
    fn default() -> VelocityMachine {
        VelocityMachine { cleaner: Cleaner::default(), pairs: Pairs::default(), said_ms: i64::MIN }
    }
}

impl Machine for VelocityMachine {
    type Rules = MotionRules;
    type Fix = VelocityFix;
    type Output = Segment;

    fn step(&mut self, rules: &MotionRules, fix: &VelocityFix, out: &mut Vec<Segment>) {
        let v_max_mps = kind_rules(fix.kind).v_max_mps;
        let VelocityMachine { cleaner, pairs, said_ms } = self;
        cleaner.push(fix, v_max_mps, &mut |fix, link| {
            let segment = pairs.pair(rules, fix, link);
            out.extend(segment.filter(|segment| segment.to.t_ms > *said_ms));
        });
        if cleaner.stands_long() {
            // Parked with a position that never changes: say so, and not only when it moves again.
            let (mut cleaner, mut pairs) = (cleaner.clone(), pairs.clone());
            cleaner.end_run(v_max_mps, &mut |fix, link| {
                let segment = pairs.pair(rules, fix, link);
                out.extend(segment.map(|segment| Segment { standing: true, ..segment }));
            });
        }
        *said_ms = out.last().map_or(*said_ms, |segment| segment.to.t_ms.max(*said_ms));
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Pairs {
    last: Option<VelocityFix>,
    /// The last position that was not stationary.
    anchor: Option<Position>,
    speed_mps: Option<f64>,
    class: Class,
    outlier_dropped: bool,
    disagreeing: u8,
}

impl Default for Pairs {
    fn default() -> Pairs {
        Pairs {
            last: None,
            anchor: None,
            speed_mps: None,
            class: Class::Still,
            outlier_dropped: false,
            disagreeing: 0,
        }
    }
}

impl Pairs {
    fn pair(&mut self, rules: &MotionRules, to: VelocityFix, link: Link) -> Option<Segment> {
        let Link::Next { outlier_dropped } = link else {
            // Nothing bridges a jump.
            *self = Pairs { anchor: Some(to.at), last: Some(to), ..Pairs::default() };
            return None;
        };
        let from = self.last.as_ref()?;
        self.outlier_dropped |= outlier_dropped;
        let dt_ms = to.t_ms - from.t_ms;
        if dt_ms < MIN_DT_MS {
            return None;
        }
        let from_ms = from.t_ms;
        let from_at = from.at;
        let kind = kind_rules(to.kind);
        let distance_m = distance_m(from_at, to.at);
        let raw_mps = distance_m / seconds(dt_ms);
        if !raw_mps.is_finite() || raw_mps > kind.v_max_mps {
            *self = Pairs { anchor: Some(to.at), last: Some(to), ..Pairs::default() };
            return None;
        }
        let gap = dt_ms > rules.gap_ms;
        let stationary = !gap && raw_mps < kind.still_mps && self.is_in_dead_band(kind, &to);
        let speed_mps = if stationary { 0.0 } else { raw_mps };
        let directed = !stationary && raw_mps >= HEADING_MIN_MPS && distance_m >= HEADING_MIN_M;
        self.compare_with_device(&to, raw_mps, gap);

        self.class = match to.kind {
            _ if stationary => Class::Still,
            VehicleKind::Person | VehicleKind::Bike if !gap => Class::Moving,
            _ => rules.classify(dt_ms, distance_m, self.class),
        };
        let segment = Segment {
            from_ms,
            distance_m,
            speed_mps,
            heading_deg: if directed { azimuth_deg(from_at, to.at) } else { None },
            accel_mps2: self.speed_mps.filter(|_| !gap).map(|before| (speed_mps - before) / seconds(dt_ms)),
            motion: match self.class {
                Class::Moving => Motion::Moving,
                Class::Still => Motion::Still,
                Class::Unknown | Class::Ferry | Class::Away => Motion::Unknown,
            },
            quality: if gap {
                Quality::Gap
            } else if stationary {
                Quality::Stationary
            } else if self.outlier_dropped {
                Quality::OutlierDroppedBefore
            } else if self.disagreeing >= DISAGREE_FIXES {
                Quality::DeviceDisagrees
            } else {
                Quality::Ok
            },
            standing: false,
            to: to.clone(),
        };
        if !stationary {
            self.anchor = Some(to.at);
        }
        self.speed_mps = (!gap).then_some(speed_mps);
        self.outlier_dropped = false;
        self.last = Some(to);
        Some(segment)
    }

    fn is_in_dead_band(&self, kind: KindRules, to: &VelocityFix) -> bool {
        let radius_m = kind.still_m.max(2.0 * to.acc_m.unwrap_or(0.0));
        self.anchor.is_some_and(|anchor| distance_m(anchor, to.at) <= radius_m)
    }

    fn compare_with_device(&mut self, to: &VelocityFix, raw_mps: f64, gap: bool) {
        let differs = to.device_speed_mps.is_some_and(|device_mps| {
            (device_mps - raw_mps).abs() > DISAGREE_MPS.max(DISAGREE_SHARE * raw_mps)
        });
        self.disagreeing =
            if differs && !gap { self.disagreeing.saturating_add(1).min(DISAGREE_FIXES) } else { 0 };
    }
}
