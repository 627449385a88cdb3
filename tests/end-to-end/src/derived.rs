//! What the stream apps owe: each partition's records given to the apps' logic once more, in order.

use std::time::Duration;

use anyhow::{Result, ensure};
use apps_logic::{DriverBreakApp, DriverBreakConfig, VelocityApp, VelocityConfig};
use fleet_events::{GpsFix, Source};

use crate::topic::{self, Record};

/// The apps' way from a fix to what they derive.
const DERIVATION: Duration = Duration::from_secs(60);

/// One derived record: what stands in the output topic, and where its source stands.
type Derived = (i32, i64, Vec<u8>);

/// Every velocity that the fixes of `input` give is in `output` once, in the order of their sources.
pub fn check_velocities(bootstrap: &str, input: &str, output: &str) -> Result<usize> {
    check(bootstrap, "velocity", input, output, || {
        let mut app = VelocityApp::new(VelocityConfig::default());
        let mut derived = Vec::new();
        move |record: &Record, fix: &GpsFix| {
            let Record { topic, partition, offset, timestamp_ms, .. } = record.clone();
            app.on_fix(fix, Source { topic, partition, offset }, timestamp_ms, &mut derived);
            derived.drain(..).map(|velocity| velocity.to_json()).collect()
        }
    })
}

/// The same for the alerts.
pub fn check_alerts(bootstrap: &str) -> Result<usize> {
    check(bootstrap, "driver-break", "trucks_gps", "driver_alerts", || {
        let mut app = DriverBreakApp::new(DriverBreakConfig::default());
        let mut derived = Vec::new();
        move |record: &Record, fix: &GpsFix| {
            app.on_fix(fix, record.timestamp_ms, &mut derived);
            derived.drain(..).map(|alert| alert.to_json()).collect()
        }
    })
}

fn check<D>(bootstrap: &str, group: &str, input: &str, output: &str, app: impl Fn() -> D) -> Result<usize>
where
    D: FnMut(&Record, &GpsFix) -> Vec<Vec<u8>>,
{
    // An app commits what it has read once all that it derived from it is acknowledged.
    topic::wait_for_group(bootstrap, group, &[input], DERIVATION)?;
    let mut owed: Vec<Derived> = Vec::new();
    let records = topic::read(bootstrap, &[input])?;
    for partition in records.chunk_by(|one, next| one.partition == next.partition) {
        let mut derive = app();
        for record in partition {
            // What is no fix is counted by the apps and passed over.
            let Ok(fix) = GpsFix::parse(&record.value) else { continue };
            let values = derive(record, &fix);
            owed.extend(values.into_iter().map(|value| (record.partition, record.offset, value)));
        }
    }
    let mut found: Vec<Derived> = Vec::new();
    for record in topic::read(bootstrap, &[output])? {
        let header = |name: &str| record.headers.get(name).cloned().unwrap_or_default();
        ensure!(header("source-topic") == input, "{output}: a record from {}", header("source-topic"));
        let (partition, offset) = (header("source-partition").parse()?, header("source-offset").parse()?);
        ensure!(partition == record.partition, "{output}/{} has one from {partition}", record.partition);
        found.push((partition, offset, record.value));
    }
    let different = owed.iter().zip(&found).position(|(owed, found)| owed != found);
    let show = |list: &[Derived], at: usize| {
        list.get(at).map(|(partition, offset, value)| {
            (*partition, *offset, String::from_utf8_lossy(value).into_owned())
        })
    };
    let at = different.unwrap_or(owed.len().min(found.len()));
    ensure!(
        owed == found,
        "{output} holds {} records, the fixes give {}; the first difference is number {at}: owed {:?}, found {:?}",
        found.len(),
        owed.len(),
        show(&owed, at),
        show(&found, at)
    );
    Ok(found.len())
}
