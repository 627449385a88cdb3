//! Topics from the outside: their shape, their ends, their tails; and making them.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};

use super::{Link, Record, TopicPartition};

/// For one question to the brokers.
const ANSWER: Duration = Duration::from_secs(5);

/// For a sign of life: short, because the group waits for us meanwhile.
const PROBE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicShape {
    pub partitions: i32,
    pub replicas: i32,
}

pub struct Topics {
    bootstrap: String,
    link: Link,
    consumer: BaseConsumer<Link>,
}

impl Topics {
    pub fn new(bootstrap: &str, group: &str, link: Link) -> anyhow::Result<Topics> {
        let consumer = super::consumer(bootstrap, group)
            .set("enable.partition.eof", "true")
            .create_with_context(link.clone())
            .context("cannot make a consumer")?;
        Ok(Topics { bootstrap: bootstrap.to_owned(), link, consumer })
    }

    /// Asks for a sign of life; any answer counts.
    pub fn probe(&self, topic: &str) {
        if self.consumer.fetch_metadata(Some(topic), PROBE).is_ok() {
            self.link.up();
        }
    }

    /// `None` when there is no such topic.
    pub fn shape(&self, topic: &str) -> anyhow::Result<Option<TopicShape>> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER).context("no answer about topics")?;
        self.link.up();
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error() {
            None => {}
            Some(
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                | RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            ) => return Ok(None),
            Some(error) => bail!("topic {topic}: {}", RDKafkaErrorCode::from(error)),
        }
        let partitions = found.partitions();
        let replicas = partitions.iter().map(|partition| partition.replicas().len()).max().unwrap_or(0);
        Ok((!partitions.is_empty())
            .then_some(TopicShape { partitions: partitions.len() as i32, replicas: replicas.max(1) as i32 }))
    }

    /// Makes sure that `topic` has at least the partitions of `shape`.
    pub fn ensure(&self, topic: &str, shape: TopicShape, retention: Option<Duration>) -> anyhow::Result<()> {
        let there = self.shape(topic)?.map_or(0, |there| there.partitions);
        if there >= shape.partitions {
            return Ok(());
        }
        let admin: AdminClient<Link> =
            super::client(&self.bootstrap).create_with_context(self.link.clone()).context("admin client")?;
        let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
        let runtime = tokio::runtime::Handle::current();
        let results = if there == 0 {
            let retention_ms = retention.map(|retention| retention.as_millis().to_string());
            let mut wanted = NewTopic::new(topic, shape.partitions, TopicReplication::Fixed(shape.replicas));
            if let Some(ms) = &retention_ms {
                wanted = wanted.set("retention.ms", ms);
            }
            runtime.block_on(admin.create_topics([&wanted], &options))?
        } else {
            let wanted = NewPartitions::new(topic, shape.partitions as usize);
            runtime.block_on(admin.create_partitions([&wanted], &options))?
        };
        for result in results {
            match result {
                // Another instance was quicker.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => {
                    bail!("cannot make topic {topic} with {} partitions: {code}", shape.partitions)
                }
            }
        }
        tracing::info!(topic, partitions = shape.partitions, "made an output topic");
        Ok(())
    }

    /// Log start and end of a partition.
    pub fn ends(&self, at: &TopicPartition) -> anyhow::Result<(i64, i64)> {
        let ends = self.consumer.fetch_watermarks(&at.topic, at.partition, ANSWER);
        let ends = ends.with_context(|| format!("no answer about the ends of {at}"))?;
        self.link.up();
        Ok(ends)
    }

    /// The records of `at` from offset `from` to its end.
    pub fn read(&self, at: &TopicPartition, from: i64) -> anyhow::Result<Vec<Record>> {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(&at.topic, at.partition, Offset::Offset(from))?;
        self.consumer.assign(&assignment)?;
        let records = self.read_assigned(at);
        self.consumer.unassign()?;
        records
    }

    fn read_assigned(&self, at: &TopicPartition) -> anyhow::Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut last_answer = Instant::now();
        while last_answer.elapsed() < ANSWER {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    last_answer = Instant::now();
                    records.push(Record::read(&message));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
                Some(Err(error)) => self.link.heard(&error, "reading a tail"),
                None => {}
            }
        }
        bail!("no answer while reading the tail of {at}")
    }

    /// The offset that the group has committed for `at`.
    pub fn committed(&self, at: &TopicPartition) -> anyhow::Result<Option<i64>> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&at.topic, at.partition);
        let answer = self.consumer.committed_offsets(asked, ANSWER);
        let answer = answer.with_context(|| format!("no answer about the committed offset of {at}"))?;
        let offset = answer.elements().first().map(|element| element.offset());
        Ok(match offset {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        })
    }
}
