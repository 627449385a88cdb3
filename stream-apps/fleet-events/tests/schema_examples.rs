//! The examples inside the shared schemas are read by the types and written back unchanged.
#![allow(clippy::disallowed_methods)] // a test reads the shared schema files

use std::path::Path;

use fleet_events::{DriverAlert, GpsFix, Velocity};
use serde_json::Value;

/// The schema and its examples; none where the shared data is not there.
fn schema(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/schemas").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("a schema is JSON")),
        Err(_) => {
            println!("skipped: no shared data folder with schemas/{name}");
            None
        }
    }
}

/// 5 and 5.0 are the same number to a reader.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

fn check(name: &str, rewrite: fn(&[u8]) -> Vec<u8>) {
    let Some(schema) = schema(name) else { return };
    let examples = schema["examples"].as_array().expect("examples");
    assert!(!examples.is_empty());
    for example in examples {
        let written = rewrite(&serde_json::to_vec(example).unwrap());
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert!(same(&written, example), "{name}: {written}");
        for key in written.as_object().unwrap().keys() {
            assert!(schema["properties"].get(key).is_some(), "{name} has no field {key}");
        }
    }
}

#[test]
fn the_gps_fix_example_reads_and_writes_back() {
    check("gps_fix.schema.json", |bytes| GpsFix::parse(bytes).unwrap().to_json());
}

#[test]
fn the_velocity_example_reads_and_writes_back() {
    check("velocity.schema.json", |bytes| Velocity::parse(bytes).unwrap().to_json());
}

#[test]
fn the_driver_alert_example_reads_and_writes_back() {
    check("driver_alert.schema.json", |bytes| DriverAlert::parse(bytes).unwrap().to_json());
}
