//! What goes in and out of each topic. A partition holds its topic's counters, so that counting is an addition.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
    registry::Unit,
};

/// A topic beyond them is counted with the rest as `other`: each costs four lines of every answer.
pub const MAX_TOPICS: usize = 500;

pub const OTHER: &str = "other";

/// Of one topic, or of all that found no place of their own.
#[derive(Debug, Default)]
pub struct Traffic {
    received_bytes: AtomicU64,
    received_batches: AtomicU64,
    received_records: AtomicU64,
    /// Of these the bytes alone: what consumers read is not looked into.
    sent_bytes: AtomicU64,
}

/// The counters of every topic with a partition here. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    topics: BTreeMap<String, Arc<Traffic>>,
    other: Arc<Traffic>,
}

impl Traffic {
    /// A batch was appended.
    pub fn received(&self, bytes: usize, records: i32) {
        self.received_bytes.fetch_add(bytes as u64, Relaxed);
        self.received_batches.fetch_add(1, Relaxed);
        self.received_records.fetch_add(u64::try_from(records).unwrap_or(0), Relaxed);
    }

    /// Whole batches were read.
    pub fn sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Relaxed);
    }
}

impl Topics {
    /// For a partition of the topic, as long as it is hosted.
    pub fn traffic(&self, topic: &str) -> Arc<Traffic> {
        let mut table = self.table.lock().expect("no holder of this lock panics");
        table.forget_the_unused();
        if let Some(traffic) = table.topics.get(topic) {
            return traffic.clone();
        }
        if table.topics.len() >= MAX_TOPICS {
            return table.other.clone();
        }
        table.topics.entry(topic.to_owned()).or_default().clone()
    }

    fn rows(&self) -> Vec<(String, Arc<Traffic>)> {
        let mut table = self.table.lock().expect("no holder of this lock panics");
        table.forget_the_unused();
        let topics = table.topics.iter().map(|(name, traffic)| (name.clone(), traffic.clone()));
        let is_used = Arc::strong_count(&table.other) > 1;
        let other = is_used.then(|| (OTHER.to_owned(), table.other.clone()));
        topics.chain(other).collect()
    }
}

impl Table {
    /// A topic that was deleted has no partition that holds its counters.
    fn forget_the_unused(&mut self) {
        self.topics.retain(|_, traffic| Arc::strong_count(traffic) > 1);
    }
}

/// A family's name, its help, its unit, and which counter it shows.
type Fact = (&'static str, &'static str, Option<Unit>, fn(&Traffic) -> &AtomicU64);

const FACTS: [Fact; 4] = [
    ("topic_received", "Bytes of record batches appended.", Some(Unit::Bytes), |of| &of.received_bytes),
    ("topic_received_batches", "Record batches appended.", None, |of| &of.received_batches),
    ("topic_received_records", "Records appended.", None, |of| &of.received_records),
    ("topic_sent", "Bytes of record batches read by consumers and agents.", Some(Unit::Bytes), |of| {
        &of.sent_bytes
    }),
];

impl Collector for Topics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let rows = self.rows();
        if rows.is_empty() {
            return Ok(());
        }
        for (name, help, unit, counter) in FACTS {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
            for (topic, traffic) in &rows {
                let labels = [("topic", topic.as_str())];
                ConstCounter::new(counter(traffic).load(Relaxed)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_beyond_the_bound_are_counted_together_and_a_deleted_one_makes_room() {
        let topics = Topics::default();
        let mut held: Vec<_> = (0..MAX_TOPICS).map(|number| topics.traffic(&format!("t{number}"))).collect();
        let late = topics.traffic("late");
        assert!(Arc::ptr_eq(&late, &topics.traffic("later")));
        assert!(Arc::ptr_eq(&held[0], &topics.traffic("t0")), "a topic keeps its counters");
        assert_eq!(topics.rows().len(), MAX_TOPICS + 1);
        assert_eq!(topics.rows().last().map(|(name, _)| name.as_str()), Some(OTHER));

        held.remove(0);
        assert!(!Arc::ptr_eq(&late, &topics.traffic("t0 again")));
    }
}
