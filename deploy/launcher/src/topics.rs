//! The topics as any Kafka client sees them.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::BorrowedMessage,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// First and next offset of every partition of a topic.
pub type Ends = BTreeMap<i32, (i64, i64)>;

pub fn consumer(bootstrap: &str) -> Result<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "deploy-demo") // never joined: partitions are assigned by hand
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .set("allow.auto.create.topics", "false")
        .create()
        .context("cannot make a Kafka client")
}

/// Empty when there is no such topic yet.
pub fn ends(consumer: &BaseConsumer, topic: &str) -> Result<Ends> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none())
    else {
        return Ok(Ends::new());
    };
    let mut ends = Ends::new();
    for partition in found.partitions() {
        ends.insert(partition.id(), consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?);
    }
    Ok(ends)
}

pub fn count(from: &Ends, to: &Ends) -> i64 {
    to.iter().map(|(partition, (_, end))| end - from.get(partition).map_or(0, |(_, before)| *before)).sum()
}

/// Every record of a topic from where it ended in `from` to where it ends in `to`.
pub fn read(
    bootstrap: &str,
    topic: &str,
    from: &Ends,
    to: &Ends,
    mut each: impl FnMut(&BorrowedMessage),
) -> Result<()> {
    let mut left: BTreeMap<i32, (i64, i64)> = to
        .iter()
        .map(|(partition, (start, end))| {
            let begin = from.get(partition).map_or(*start, |(_, before)| *before);
            (*partition, (begin, *end))
        })
        .filter(|(_, (begin, end))| begin < end)
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let consumer = consumer(bootstrap)?;
    let mut assignment = TopicPartitionList::new();
    for (partition, (begin, _)) in &left {
        assignment.add_partition_offset(topic, *partition, Offset::Offset(*begin))?;
    }
    consumer.assign(&assignment)?;
    while !left.is_empty() {
        let Some(message) = consumer.poll(TIMEOUT) else {
            bail!("{topic}: no record came for {} s, although the topic holds more", TIMEOUT.as_secs());
        };
        let message = message.with_context(|| format!("reading {topic}"))?;
        let Some((_, end)) = left.get(&message.partition()) else { continue };
        if message.offset() < *end {
            each(&message);
        }
        if message.offset() + 1 >= *end {
            left.remove(&message.partition());
        }
    }
    Ok(())
}
