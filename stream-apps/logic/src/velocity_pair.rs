//! Two fixes by themselves, without history: what a table of reference values compares with.

use crate::event_time::seconds;
use crate::geo::{Position, azimuth_deg, distance_m, is_on_earth};

const MIN_DT_MS: i64 = 1_000;
const GAP_MS: i64 = 120_000;
const V_MAX_MPS: f64 = 45.0;

/// The first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFlag {
    /// A coordinate is not finite or out of range. Zero is a number like others here.
    Invalid,
    /// Same instant, same point.
    Duplicate,
    /// Same instant, another point.
    Conflict,
    /// The second fix is the earlier one.
    Late,
    BelowMinDt,
    Outlier,
    Gap,
    Ok,
}

impl PairFlag {
    pub const fn as_str(self) -> &'static str {
        match self {
            PairFlag::Invalid => "invalid",
            PairFlag::Duplicate => "duplicate",
            PairFlag::Conflict => "conflict",
            PairFlag::Late => "late",
            PairFlag::BelowMinDt => "below_min_dt",
            PairFlag::Outlier => "outlier",
            PairFlag::Gap => "gap",
            PairFlag::Ok => "ok",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub flag: PairFlag,
    /// None for invalid points.
    pub distance_m: Option<f64>,
    /// None unless both points are valid and time passes.
    pub speed_mps: Option<f64>,
    /// Azimuth at the first point and at the second; none where the distance is 0.
    pub heading_start_deg: Option<f64>,
    pub heading_end_deg: Option<f64>,
}

/// Each fix is `(t_ms, lat, lon)`.
pub fn pair(from: (i64, f64, f64), to: (i64, f64, f64)) -> Pair {
    if !is_on_earth(from.1, from.2) || !is_on_earth(to.1, to.2) {
        return Pair {
            flag: PairFlag::Invalid,
            distance_m: None,
            speed_mps: None,
            heading_start_deg: None,
            heading_end_deg: None,
        };
    }
    let a = Position { lat: from.1, lon: from.2 };
    let b = Position { lat: to.1, lon: to.2 };
    let dt_ms = to.0.saturating_sub(from.0);
    let distance_m = distance_m(a, b);
    let speed_mps = (dt_ms > 0).then(|| distance_m / seconds(dt_ms));
    let flag = if dt_ms == 0 {
        if a == b { PairFlag::Duplicate } else { PairFlag::Conflict }
    } else if dt_ms < 0 {
        PairFlag::Late
    } else if dt_ms < MIN_DT_MS {
        PairFlag::BelowMinDt
    } else if speed_mps.is_some_and(|speed_mps| speed_mps > V_MAX_MPS) {
        PairFlag::Outlier
    } else if dt_ms > GAP_MS {
        PairFlag::Gap
    } else {
        PairFlag::Ok
    };
    Pair {
        flag,
        distance_m: Some(distance_m),
        speed_mps,
        heading_start_deg: azimuth_deg(a, b),
        heading_end_deg: azimuth_deg(b, a).map(|back_deg| (back_deg + 180.0) % 360.0),
    }
}
