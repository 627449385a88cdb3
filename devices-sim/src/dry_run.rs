//! Prints what would be published: `topic<TAB>json`, without `sent_at`, so that one seed prints the
//! same bytes.

use std::io::{self, BufWriter, ErrorKind, Write};

use fleet_events::{
    Timestamp,
    topics::{MqttKind, MqttTopic},
};
use sim_logic::Publish;

use crate::config::SpeedUp;

/// Prints until the source ends, the time is over or the reader goes away.
pub fn print(
    source: impl Iterator<Item = (Timestamp, Publish)>,
    speed_up: SpeedUp,
    seconds: Option<u64>,
) -> io::Result<()> {
    let out = BufWriter::new(io::stdout().lock());
    match write_all(out, source, seconds.map(|seconds| seconds as f64 * speed_up.0)) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

fn write_all(
    mut out: impl Write,
    source: impl Iterator<Item = (Timestamp, Publish)>,
    event_seconds: Option<f64>,
) -> io::Result<()> {
    let mut first = None;
    for (at, Publish { fleet, vehicle_id, fix }) in source {
        let since_ms = at.since_ms(*first.get_or_insert(at));
        if event_seconds.is_some_and(|end| since_ms as f64 >= end * 1_000.0) {
            break;
        }
        write!(out, "{}\t", MqttTopic { fleet, vehicle: vehicle_id, kind: MqttKind::Gps })?;
        out.write_all(&fix.to_json())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_logic::{Fleet, FleetConfig};

    #[test]
    fn it_prints_topic_and_json_up_to_the_wanted_event_time() {
        let config = FleetConfig { trucks: 1, persons: 0, ..FleetConfig::default() };
        let mut printed = Vec::new();
        write_all(&mut printed, Fleet::new(1, &config), Some(100.0)).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!((4..=6).contains(&printed.lines().count()), "{printed}");
        for line in printed.lines() {
            let (topic, json) = line.split_once('\t').unwrap();
            assert_eq!(topic, "fleet/trucks/truck-001/gps");
            assert!(fleet_events::GpsFix::parse(json.as_bytes()).is_ok());
        }
    }
}
