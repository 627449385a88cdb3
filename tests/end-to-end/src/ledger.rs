//! The promise under test: what was acknowledged to a device is in its topic, exactly once, in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::topic::{self, Record};

/// One fix, as its device numbered it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct FixId {
    pub vehicle_id: String,
    pub boot_id: String,
    pub seq: u64,
}

pub const GPS: [&str; 2] = ["trucks_gps", "fitbits_gps"];
pub const REJECTED: &str = "gps_rejected";

/// What was acknowledged is on the agent's disk; it may take this long to be in its topic.
const ARRIVAL: Duration = Duration::from_secs(60);

pub fn read(path: &Path) -> Result<Vec<FixId>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines()
        .map(|line| {
            let mut words = line.split(' ').skip(1);
            let vehicle_id = words.next().context("no vehicle")?.to_owned();
            let boot_id = words.next().context("no boot id")?.to_owned();
            let seq = words.next().context("no number")?.parse()?;
            Ok(FixId { vehicle_id, boot_id, seq })
        })
        .collect::<Result<_>>()
        .with_context(|| format!("the ledger {}", path.display()))
}

/// The fixes of the GPS topics and those that were rejected, in the order of their partitions.
#[derive(Debug, Default)]
pub struct Stored {
    pub accepted: Vec<Record>,
    pub rejected: Vec<Record>,
}

impl Stored {
    fn ids(&self) -> Result<Vec<FixId>> {
        let records = self.accepted.iter().chain(&self.rejected);
        records.map(|record| Ok(serde_json::from_slice(&record.value)?)).collect()
    }
}

/// Waits until the topics hold as many fixes as were acknowledged, then compares one by one. The fleet
/// stands still: what is in the topics was acknowledged, and the other way round.
pub fn check_exactly_once(bootstrap: &str, acknowledged: &[FixId]) -> Result<Stored> {
    let expected: BTreeSet<&FixId> = acknowledged.iter().collect();
    ensure!(expected.len() == acknowledged.len(), "a fix is in the ledger twice");
    let mut topics = GPS.to_vec();
    topics.push(REJECTED);
    let records = topic::read_until(bootstrap, &topics, ARRIVAL, |records| records.len() >= expected.len())?;

    let mut stored = Stored::default();
    for record in records {
        if record.topic == REJECTED { stored.rejected.push(record) } else { stored.accepted.push(record) }
    }
    let mut times: BTreeMap<FixId, usize> = BTreeMap::new();
    for id in stored.ids()? {
        *times.entry(id).or_default() += 1;
    }
    let missing: Vec<_> = expected.iter().filter(|id| !times.contains_key(**id)).take(5).collect();
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).take(5).collect();
    let foreign: Vec<_> = times.keys().filter(|id| !expected.contains(id)).take(5).collect();
    ensure!(
        missing.is_empty() && doubled.is_empty() && foreign.is_empty(),
        "of {} acknowledged fixes, {} in the topics: missing {missing:?}, doubled {doubled:?}, never \
         acknowledged {foreign:?}",
        expected.len(),
        times.len()
    );
    check_order(&stored.accepted)?;
    Ok(stored)
}

/// The fixes of one vehicle lie in one partition, in the order in which it published them.
fn check_order(records: &[Record]) -> Result<()> {
    let mut last: BTreeMap<(String, String), (i32, u64)> = BTreeMap::new();
    for record in records {
        let id: FixId = serde_json::from_slice(&record.value)?;
        ensure!(
            record.key.as_deref() == Some(id.vehicle_id.as_bytes()),
            "{id:?} has the key {:?}",
            record.key
        );
        let before = last.insert((id.vehicle_id.clone(), id.boot_id.clone()), (record.partition, id.seq));
        if let Some((partition, seq)) = before {
            ensure!(
                partition == record.partition,
                "{id:?} is in partitions {partition} and {}",
                record.partition
            );
            ensure!(seq < id.seq, "{id:?} follows {seq} in {}/{}", record.topic, record.partition);
        }
    }
    Ok(())
}
