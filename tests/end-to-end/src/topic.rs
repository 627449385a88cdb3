//! Topics as any Kafka client sees them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
};

/// One question to the broker.
const ANSWER: Duration = Duration::from_secs(10);

/// Between two looks at what grows by itself.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
    pub headers: BTreeMap<String, String>,
}

/// A consumer that joins no group: partitions are assigned by hand.
pub fn consumer(bootstrap: &str, group: &str) -> Result<BaseConsumer> {
    let consumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("allow.auto.create.topics", "false")
        .set("reconnect.backoff.max.ms", "500")
        .create()?;
    Ok(consumer)
}

/// The partitions of a topic; none when there is no such topic.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    Ok(found.map_or_else(Vec::new, |found| found.partitions().iter().map(|it| it.id()).collect()))
}

/// Next offset of every partition.
pub fn ends(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, i64>> {
    let mut ends = BTreeMap::new();
    for partition in partitions(consumer, topic)? {
        ends.insert(partition, consumer.fetch_watermarks(topic, partition, ANSWER)?.1);
    }
    Ok(ends)
}

/// Everything in the topics, each partition in its order, topics in theirs.
pub fn read(bootstrap: &str, topics: &[&str]) -> Result<Vec<Record>> {
    let consumer = consumer(bootstrap, "end-to-end-reader")?;
    let mut assignment = TopicPartitionList::new();
    let mut left: BTreeMap<(String, i32), i64> = BTreeMap::new();
    for topic in topics {
        for (partition, end) in ends(&consumer, topic)? {
            if end > 0 {
                assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
                left.insert((topic.to_string(), partition), end);
            }
        }
    }
    let mut read: BTreeMap<(String, i32), Vec<Record>> = BTreeMap::new();
    consumer.assign(&assignment)?;
    while !left.is_empty() {
        let message =
            consumer.poll(ANSWER).with_context(|| format!("no record came, and {left:?} are left"))?;
        let message = message.context("a consumer failed")?;
        let at = (message.topic().to_owned(), message.partition());
        let Some(end) = left.get(&at) else { continue };
        if message.offset() + 1 >= *end {
            left.remove(&at);
        }
        let headers = message.headers().map(|headers| {
            let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
            headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
        });
        read.entry(at).or_default().push(Record {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers.unwrap_or_default(),
        });
    }
    Ok(read.into_values().flatten().collect())
}

/// Reads once the topics together are said to hold enough, or fails.
pub fn read_until(
    bootstrap: &str,
    topics: &[&str],
    within: Duration,
    enough: impl Fn(&[Record]) -> bool,
) -> Result<Vec<Record>> {
    let until = Instant::now() + within;
    let mut counted = -1;
    loop {
        let count = count(bootstrap, topics);
        if let Ok(count) = count
            && count != counted
        {
            counted = count;
            let records = read(bootstrap, topics)?;
            if enough(&records) {
                return Ok(records);
            }
        }
        if Instant::now() > until {
            bail!("{topics:?} do not hold what was expected within {within:?}, but {counted} records");
        }
        std::thread::sleep(LOOK);
    }
}

pub fn count(bootstrap: &str, topics: &[&str]) -> Result<i64> {
    let consumer = consumer(bootstrap, "end-to-end-reader")?;
    topics.iter().map(|topic| Ok(ends(&consumer, topic)?.values().sum::<i64>())).sum()
}

/// Waits until the group has committed the end of every partition of the topics.
pub fn wait_for_group(bootstrap: &str, group: &str, topics: &[&str], within: Duration) -> Result<()> {
    let consumer = consumer(bootstrap, group)?;
    let until = Instant::now() + within;
    loop {
        let behind = lag(&consumer, topics);
        if matches!(&behind, Ok(lags) if lags.is_empty()) {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("the group {group} is behind after {within:?}: {behind:?}");
        }
        std::thread::sleep(LOOK);
    }
}

/// (topic, partition, committed, end) of each partition that is not read to its end.
fn lag(consumer: &BaseConsumer, topics: &[&str]) -> Result<Vec<(String, i32, Offset, i64)>> {
    let mut asked = TopicPartitionList::new();
    let mut all = BTreeMap::new();
    for topic in topics {
        for (partition, end) in ends(consumer, topic)? {
            asked.add_partition(topic, partition);
            all.insert((topic.to_string(), partition), end);
        }
    }
    let committed = consumer.committed_offsets(asked, ANSWER)?;
    let mut behind = Vec::new();
    for ((topic, partition), end) in all {
        let offset = committed.find_partition(&topic, partition).map_or(Offset::Invalid, |it| it.offset());
        if end > 0 && offset != Offset::Offset(end) {
            behind.push((topic, partition, offset, end));
        }
    }
    Ok(behind)
}
