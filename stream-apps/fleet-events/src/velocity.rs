//! Velocity derived from two consecutive fixes, the value of `trucks_velocity` and `fitbits_velocity`.
//! Readers upsert on (`vehicle_id`, `ts`): a late fix re-sends the records it changes.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::vehicle::{DriverId, VehicleId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Motion {
    Moving,
    Still,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    Ok,
    /// Over 120 s between the fixes: a mean, never an instantaneous speed.
    Gap,
    /// Inside the dead band of its anchor: the speed is 0.
    Stationary,
    OutlierDroppedBefore,
    /// The device's own speed differs by more than max(3 m/s, 25 %) for three fixes running.
    DeviceDisagrees,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    Geodesic,
    Haversine,
    Device,
}

/// Where the later fix of the pair was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Units are in the names; no number here is NaN or infinite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Velocity {
    pub v: u8,
    pub vehicle_id: VehicleId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_id: Option<DriverId>,
    /// Time of the later fix.
    pub ts: Timestamp,
    /// Time of the earlier fix.
    pub window_start: Timestamp,
    pub lat: f64,
    pub lon: f64,
    pub speed_mps: f64,
    pub speed_kmh: f64,
    /// Initial azimuth in [0, 360); none where a position says nothing about direction.
    #[serde(default)]
    pub heading_deg: Option<f64>,
    pub distance_m: f64,
    pub dt_s: f64,
    #[serde(default)]
    pub accel_mps2: Option<f64>,
    #[serde(default)]
    pub device_speed_mps: Option<f64>,
    pub motion: Motion,
    pub quality: Quality,
    pub method: Method,
    /// Reception of the later fix after its event time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_s: Option<f64>,
    /// When the device sent the later fix: lets a reader measure the age of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Velocity {
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a velocity has only string keys and no failing field")
    }

    /// Reads what `to_json` wrote. Unknown fields are ignored.
    pub fn parse(payload: &[u8]) -> Result<Velocity, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn reads_back_under_the_names_of_the_schema() {
        let example = json!({"v": 1, "vehicle_id": "truck-042", "driver_id": "drv-7",
            "ts": "2026-03-02T10:29:40Z", "window_start": "2026-03-02T10:29:20Z",
            "lat": 50.11552, "lon": 8.68417, "speed_mps": 22.31, "speed_kmh": 80.32, "heading_deg": 183.4,
            "distance_m": 446.2, "dt_s": 20.0, "accel_mps2": 0.01, "device_speed_mps": 22.4,
            "motion": "moving", "quality": "outlier_dropped_before", "method": "geodesic", "late_s": 1.2,
            "sent_at": "2026-03-02T10:29:41.120Z",
            "source": {"topic": "trucks_gps", "partition": 3, "offset": 88121}});
        let velocity = Velocity::parse(&serde_json::to_vec(&example).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&velocity.to_json()).unwrap(), example);
    }

    #[test]
    fn what_is_not_known_is_null_or_left_out() {
        let bare = json!({"v": 1, "vehicle_id": "t", "ts": "2026-03-02T10:29:40Z",
            "window_start": "2026-03-02T10:29:20Z", "lat": 1.0, "lon": 2.0, "speed_mps": 0.0, "speed_kmh": 0.0,
            "heading_deg": null, "distance_m": 0.0, "dt_s": 20.0, "accel_mps2": null, "device_speed_mps": null,
            "motion": "still", "quality": "stationary", "method": "geodesic"});
        let velocity = Velocity::parse(&serde_json::to_vec(&bare).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&velocity.to_json()).unwrap(), bare);
    }
}
