//! One GPS fix, the value of `trucks_gps` and `fitbits_gps`, read from bytes that nobody vouches for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::number::absent;
use crate::time::{Timestamp, TimestampError};
use crate::vehicle::{DriverId, IdError, VehicleId};

/// A fix is some 300 bytes; what is 25 times larger is a mistake or an attack.
pub const PAYLOAD_BYTES_MAX: usize = 8 * 1024;
/// Boot ids are short hashes or counters.
const BOOT_ID_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VehicleKind {
    #[default]
    Truck,
    Van,
    Bus,
    Car,
    Person,
    Bike,
    Other,
}

impl VehicleKind {
    pub fn parse(name: &str) -> Option<VehicleKind> {
        Some(match name {
            "truck" => VehicleKind::Truck,
            "van" => VehicleKind::Van,
            "bus" => VehicleKind::Bus,
            "car" => VehicleKind::Car,
            "person" => VehicleKind::Person,
            "bike" => VehicleKind::Bike,
            "other" => VehicleKind::Other,
            _ => return None,
        })
    }
}

/// Degrees are WGS 84; every number is finite and in the range that its field allows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GpsFix {
    /// Version of the format: 1.
    pub v: u8,
    pub vehicle_id: VehicleId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_id: Option<DriverId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<VehicleKind>,
    /// Time of the fix by the GNSS clock: the event time.
    pub ts: Timestamp,
    /// Counts fixes per device and boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    pub lat: f64,
    pub lon: f64,
    #[serde(skip_serializing_if = "absent")]
    pub alt_m: Option<f64>,
    /// As the device reports it; never trusted alone.
    #[serde(skip_serializing_if = "absent")]
    pub speed_mps: Option<f64>,
    #[serde(skip_serializing_if = "absent")]
    pub heading_deg: Option<f64>,
    #[serde(skip_serializing_if = "absent")]
    pub hdop: Option<f64>,
    #[serde(skip_serializing_if = "absent")]
    pub acc_m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sats: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignition: Option<bool>,
    #[serde(skip_serializing_if = "absent")]
    pub odometer_m: Option<f64>,
    #[serde(skip_serializing_if = "absent")]
    pub batt_pct: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GpsFixError {
    #[error("payload of {bytes} bytes is over the limit of {PAYLOAD_BYTES_MAX}")]
    TooLarge { bytes: usize },
    #[error("not a JSON object: {0}")]
    Json(String),
    #[error("v: only version 1 is known")]
    Version,
    #[error("{field}: missing")]
    Missing { field: &'static str },
    #[error("{field}: must be {expected}")]
    WrongType { field: &'static str, expected: &'static str },
    #[error("{field}: {value} is outside {range}")]
    OutOfRange { field: &'static str, value: f64, range: &'static str },
    #[error("{field}: {reason}")]
    Id { field: &'static str, reason: IdError },
    #[error("{field}: {reason}")]
    Time { field: &'static str, reason: TimestampError },
    #[error("kind: not one of truck, van, bus, car, person, bike, other")]
    Kind,
    #[error("boot_id: longer than {BOOT_ID_BYTES_MAX} bytes")]
    BootId,
}

impl GpsFix {
    /// A fix with nothing but the required fields. The position must be finite and in range.
    pub fn new(vehicle_id: VehicleId, ts: Timestamp, lat: f64, lon: f64) -> GpsFix {
        GpsFix {
            v: 1,
            vehicle_id,
            driver_id: None,
            kind: None,
            ts,
            seq: None,
            boot_id: None,
            sent_at: None,
            lat,
            lon,
            alt_m: None,
            speed_mps: None,
            heading_deg: None,
            hdop: None,
            acc_m: None,
            sats: None,
            ignition: None,
            odometer_m: None,
            batt_pct: None,
        }
    }

    /// Unknown fields are ignored and `null` counts as absent; anything else that the schema
    /// does not allow is an error that names the field.
    pub fn parse(payload: &[u8]) -> Result<GpsFix, GpsFixError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(GpsFixError::TooLarge { bytes: payload.len() });
        }
        let raw: RawFix =
            serde_json::from_slice(payload).map_err(|error| GpsFixError::Json(error.to_string()))?;
        if raw.v.is_some_and(|v| v.as_u64() != Some(1)) {
            return Err(GpsFixError::Version);
        }
        Ok(GpsFix {
            driver_id: driver(raw.driver_id)?,
            kind: kind(raw.kind)?,
            seq: count("seq", raw.seq)?,
            boot_id: boot_id(raw.boot_id)?,
            sent_at: time("sent_at", raw.sent_at)?,
            alt_m: number("alt_m", raw.alt_m, |_| true, "the finite numbers")?,
            speed_mps: number("speed_mps", raw.speed_mps, |v| v >= 0.0, "0..")?,
            heading_deg: number("heading_deg", raw.heading_deg, |v| (0.0..360.0).contains(&v), "0..<360")?,
            hdop: number("hdop", raw.hdop, |v| v >= 0.0, "0..")?,
            acc_m: number("acc_m", raw.acc_m, |v| v >= 0.0, "0..")?,
            sats: count("sats", raw.sats)?.map(|sats| u32::try_from(sats).unwrap_or(u32::MAX)),
            ignition: flag("ignition", raw.ignition)?,
            odometer_m: number("odometer_m", raw.odometer_m, |v| v >= 0.0, "0..")?,
            batt_pct: number("batt_pct", raw.batt_pct, |v| (0.0..=100.0).contains(&v), "0..=100")?,
            ..GpsFix::new(
                vehicle(raw.vehicle_id)?,
                required("ts", time("ts", raw.ts)?)?,
                required("lat", number("lat", raw.lat, |v| (-90.0..=90.0).contains(&v), "-90..=90")?)?,
                required("lon", number("lon", raw.lon, |v| (-180.0..=180.0).contains(&v), "-180..=180")?)?,
            )
        })
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a fix has only string keys and no failing field")
    }
}

/// The fields as they came: each is checked by itself, so that the error can name it.
#[derive(Deserialize)]
struct RawFix {
    v: Option<Value>,
    vehicle_id: Option<Value>,
    driver_id: Option<Value>,
    kind: Option<Value>,
    ts: Option<Value>,
    seq: Option<Value>,
    boot_id: Option<Value>,
    sent_at: Option<Value>,
    lat: Option<Value>,
    lon: Option<Value>,
    alt_m: Option<Value>,
    speed_mps: Option<Value>,
    heading_deg: Option<Value>,
    hdop: Option<Value>,
    acc_m: Option<Value>,
    sats: Option<Value>,
    ignition: Option<Value>,
    odometer_m: Option<Value>,
    batt_pct: Option<Value>,
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, GpsFixError> {
    value.ok_or(GpsFixError::Missing { field })
}

fn text(field: &'static str, value: Option<Value>) -> Result<Option<String>, GpsFixError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(GpsFixError::WrongType { field, expected: "a string" }),
    }
}

fn vehicle(value: Option<Value>) -> Result<VehicleId, GpsFixError> {
    let field = "vehicle_id";
    let id = required(field, text(field, value)?)?;
    VehicleId::new(&id).map_err(|reason| GpsFixError::Id { field, reason })
}

fn driver(value: Option<Value>) -> Result<Option<DriverId>, GpsFixError> {
    let field = "driver_id";
    let id = text(field, value)?;
    id.map(|id| DriverId::new(&id).map_err(|reason| GpsFixError::Id { field, reason })).transpose()
}

fn kind(value: Option<Value>) -> Result<Option<VehicleKind>, GpsFixError> {
    let name = text("kind", value)?;
    name.map(|name| VehicleKind::parse(&name).ok_or(GpsFixError::Kind)).transpose()
}

fn boot_id(value: Option<Value>) -> Result<Option<String>, GpsFixError> {
    match text("boot_id", value)? {
        Some(id) if id.len() > BOOT_ID_BYTES_MAX => Err(GpsFixError::BootId),
        id => Ok(id),
    }
}

fn time(field: &'static str, value: Option<Value>) -> Result<Option<Timestamp>, GpsFixError> {
    let time = text(field, value)?;
    time.map(|time| Timestamp::parse(&time).map_err(|reason| GpsFixError::Time { field, reason })).transpose()
}

fn number(
    field: &'static str,
    value: Option<Value>,
    allowed: fn(f64) -> bool,
    range: &'static str,
) -> Result<Option<f64>, GpsFixError> {
    let Some(value) = value else { return Ok(None) };
    let value = value.as_f64().ok_or(GpsFixError::WrongType { field, expected: "a number" })?;
    if value.is_finite() && allowed(value) {
        Ok(Some(value))
    } else {
        Err(GpsFixError::OutOfRange { field, value, range })
    }
}

fn count(field: &'static str, value: Option<Value>) -> Result<Option<u64>, GpsFixError> {
    let Some(value) = value else { return Ok(None) };
    // JSON Schema calls 3.0 an integer.
    let whole = value.as_u64().or_else(|| {
        let value = value.as_f64()?;
        (value.fract() == 0.0 && (0.0..9e15).contains(&value)).then_some(value as u64)
    });
    whole.map(Some).ok_or(GpsFixError::WrongType { field, expected: "a whole number from 0" })
}

fn flag(field: &'static str, value: Option<Value>) -> Result<Option<bool>, GpsFixError> {
    let Some(value) = value else { return Ok(None) };
    value.as_bool().map(Some).ok_or(GpsFixError::WrongType { field, expected: "true or false" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn example() -> Value {
        json!({"v": 1, "vehicle_id": "truck-042", "driver_id": "drv-7", "kind": "truck",
            "ts": "2026-03-02T10:29:40Z", "seq": 811, "boot_id": "b19f", "sent_at": "2026-03-02T10:29:41.120Z",
            "lat": 50.11552, "lon": 8.68417, "alt_m": 112.0, "speed_mps": 22.4, "heading_deg": 183.5,
            "hdop": 0.9, "acc_m": 4.5, "sats": 11, "ignition": true, "odometer_m": 184220310.0, "batt_pct": 97.0})
    }

    fn parse(value: &Value) -> Result<GpsFix, GpsFixError> {
        GpsFix::parse(&serde_json::to_vec(value).unwrap())
    }

    #[test]
    fn every_field_survives_a_round_trip_under_the_names_of_the_schema() {
        let fix = parse(&example()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&fix.to_json()).unwrap(), example());
        assert_eq!(GpsFix::parse(&fix.to_json()), Ok(fix));
    }

    #[test]
    fn four_fields_are_enough_and_strangers_are_ignored() {
        let bare = json!({"vehicle_id": "t", "ts": "2026-03-02T10:29:40Z", "lat": 0, "lon": -180,
            "speed_mps": null, "colour": {"r": [1]}});
        let fix = parse(&bare).unwrap();
        assert_eq!(fix, GpsFix::new(fix.vehicle_id.clone(), fix.ts, 0.0, -180.0));
    }

    #[test]
    fn each_bad_field_is_named() {
        let cases: &[(&str, Value, &str)] = &[
            ("v", json!(2), "v: only version 1 is known"),
            ("vehicle_id", json!(null), "vehicle_id: missing"),
            ("vehicle_id", json!(7), "vehicle_id: must be a string"),
            ("vehicle_id", json!(""), "vehicle_id: is empty"),
            ("driver_id", json!("a|b"), "driver_id: must begin with a letter or a digit"),
            ("kind", json!("tank"), "kind: not one of truck"),
            ("ts", json!(null), "ts: missing"),
            ("ts", json!(1_772_447_380), "ts: must be a string"),
            ("ts", json!("2026-03-02T10:29:40"), "ts: must end in Z"),
            ("ts", json!("yesterdayZ"), "ts: not an RFC 3339 time"),
            ("sent_at", json!("2026-03-02T10:29:40+01:00"), "sent_at: must end in Z"),
            ("seq", json!(-1), "seq: must be a whole number"),
            ("seq", json!(1.5), "seq: must be a whole number"),
            ("boot_id", json!("x".repeat(65)), "boot_id: longer"),
            ("lat", json!(90.000001), "lat: 90.000001 is outside -90..=90"),
            ("lat", json!("50"), "lat: must be a number"),
            ("lon", json!(1555), "lon: 1555 is outside -180..=180"),
            ("speed_mps", json!(-0.1), "speed_mps: -0.1 is outside"),
            ("heading_deg", json!(360), "heading_deg: 360 is outside"),
            ("hdop", json!(-1), "hdop: -1 is outside"),
            ("acc_m", json!(-1), "acc_m: -1 is outside"),
            ("sats", json!(2.5), "sats: must be a whole number"),
            ("ignition", json!(1), "ignition: must be true or false"),
            ("odometer_m", json!(-1), "odometer_m: -1 is outside"),
            ("batt_pct", json!(101), "batt_pct: 101 is outside"),
        ];
        for (field, value, reason) in cases {
            let mut fix = example();
            fix[field] = value.clone();
            let error = parse(&fix).expect_err(field).to_string();
            assert!(error.starts_with(reason), "{field}: {error}");
        }
    }

    #[test]
    fn infinity_and_nan_never_get_in() {
        for number in ["NaN", "Infinity", "-Infinity", "1e999", "\"NaN\""] {
            let text = format!(r#"{{"vehicle_id":"t","ts":"2026-03-02T10:29:40Z","lat":{number},"lon":1}}"#);
            assert!(GpsFix::parse(text.as_bytes()).is_err(), "{number}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_never_written() {
        let mut fix = GpsFix::new(VehicleId::new("t").unwrap(), Timestamp::from_ms(0), 1.0, f64::NAN);
        fix.alt_m = Some(f64::INFINITY);
        let written: Value = serde_json::from_slice(&fix.to_json()).unwrap();
        assert_eq!(written["lon"], Value::Null);
        assert_eq!(written.get("alt_m"), None);
    }

    #[test]
    fn a_huge_payload_is_refused_unread() {
        let payload = vec![b' '; PAYLOAD_BYTES_MAX + 1];
        assert_eq!(GpsFix::parse(&payload), Err(GpsFixError::TooLarge { bytes: PAYLOAD_BYTES_MAX + 1 }));
        let deep = vec![b'['; PAYLOAD_BYTES_MAX];
        assert!(matches!(GpsFix::parse(&deep), Err(GpsFixError::Json(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_get_an_answer(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = GpsFix::parse(&payload);
        }

        #[test]
        fn positions_keep_every_bit(lat in -90.0..=90.0, lon in -180.0..=180.0, ms in 0i64..4_102_444_800_000) {
            let fix = GpsFix::new(VehicleId::new("t").unwrap(), Timestamp::from_ms(ms), lat, lon);
            prop_assert_eq!(GpsFix::parse(&fix.to_json()), Ok(fix));
        }
    }
}
