//! The proof: every acknowledged fix is in its topic exactly once, found by reading the topic.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result};
use rdkafka::{Message, message::Headers};
use serde::Deserialize;

use crate::{
    status::{ALERTS, GPS, Start, VELOCITY},
    topics,
};

/// One fix, as its device numbered it.
type FixId = (String, String, u64);

#[derive(Debug, Default)]
pub struct Verdict {
    pub acknowledged: usize,
    pub in_topics: usize,
    pub missing: usize,
    pub doubled: usize,
    pub rejected: i64,
    pub velocities: i64,
    /// Derived records that stand twice in their topic for one source record.
    pub velocities_doubled: usize,
    pub alerts: usize,
    pub alerts_doubled: usize,
}

impl Verdict {
    pub fn exact(&self) -> bool {
        self.missing + self.doubled + self.velocities_doubled + self.alerts_doubled == 0
    }
}

#[derive(Deserialize)]
struct Fix {
    vehicle_id: String,
    boot_id: String,
    seq: u64,
}

/// Reads the topics from where the demo began to where they end and compares with the fleet's ledger of
/// acknowledged fixes.
pub fn reach(bootstrap: &str, start: &Start, ledger: &Path) -> Result<Verdict> {
    let consumer = topics::consumer(bootstrap)?;
    let mut verdict = Verdict::default();

    let mut stored: BTreeMap<FixId, usize> = BTreeMap::new();
    // A fix that the agent refused is acknowledged too: it is kept with the reason.
    for topic in GPS.into_iter().chain(["gps_rejected"]) {
        let to = topics::ends(&consumer, topic)?;
        topics::read(bootstrap, topic, &start.of(topic), &to, |message| {
            if let Ok(fix) = serde_json::from_slice::<Fix>(message.payload().unwrap_or_default()) {
                *stored.entry((fix.vehicle_id, fix.boot_id, fix.seq)).or_default() += 1;
            }
        })?;
    }
    let acknowledged = read_ledger(ledger)?;
    verdict.acknowledged = acknowledged.len();
    verdict.in_topics = stored.len();
    verdict.missing = acknowledged.iter().filter(|id| !stored.contains_key(*id)).count();
    verdict.doubled = stored.values().filter(|times| **times > 1).count();
    verdict.rejected = start.count(&consumer, &["gps_rejected"])?;

    let mut sources = BTreeSet::new();
    for topic in VELOCITY {
        let to = topics::ends(&consumer, topic)?;
        topics::read(bootstrap, topic, &start.of(topic), &to, |message| {
            verdict.velocities += 1;
            let key = (topic, source(message), message.payload().map(<[u8]>::to_vec));
            verdict.velocities_doubled += usize::from(!sources.insert(key));
        })?;
    }
    let mut alert_ids = BTreeSet::new();
    let to = topics::ends(&consumer, ALERTS)?;
    topics::read(bootstrap, ALERTS, &start.of(ALERTS), &to, |message| {
        verdict.alerts += 1;
        verdict.alerts_doubled += usize::from(!alert_ids.insert(header(message, "ce_id")));
    })?;
    Ok(verdict)
}

fn read_ledger(path: &Path) -> Result<BTreeSet<FixId>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the ledger of acknowledged fixes {}", path.display()))?;
    let mut ids = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split(' ').skip(1);
        let (vehicle, boot, seq) =
            (words.next(), words.next(), words.next().and_then(|seq| seq.parse().ok()));
        let (Some(vehicle), Some(boot), Some(seq)) = (vehicle, boot, seq) else {
            anyhow::bail!("{}:{}: not a line of the ledger: {line}", path.display(), number + 1);
        };
        ids.insert((vehicle.to_owned(), boot.to_owned(), seq));
    }
    Ok(ids)
}

fn source(message: &impl Message) -> (String, String) {
    (header(message, "source-partition"), header(message, "source-offset"))
}

fn header(message: &impl Message, name: &str) -> String {
    let found = message.headers().and_then(|headers| headers.iter().find(|header| header.key == name));
    String::from_utf8_lossy(found.and_then(|header| header.value).unwrap_or_default()).into_owned()
}
