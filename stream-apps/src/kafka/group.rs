//! A member of a consumer group. Rebalances come out of `poll` as values, in order with the records,
//! so that the runner decides and nothing happens behind its back.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};
use tracing::debug;

use super::{Link, Record, TopicPartition};

/// A member that is silent for this long has lost its partitions.
pub const SESSION: Duration = Duration::from_secs(10);
/// How long the runner may be busy between two polls.
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(60);

pub enum Polled {
    Record(Record),
    /// These partitions are this member's; answer with `start`.
    Assigned(Vec<TopicPartition>),
    /// These go to another member; answer with `release`. `lost`: another may have them already.
    Revoked {
        partitions: Vec<TopicPartition>,
        lost: bool,
    },
    Nothing,
}

pub struct GroupReader {
    consumer: BaseConsumer<Membership>,
}

struct Membership {
    link: Link,
    rebalances: Mutex<VecDeque<Polled>>,
    is_closing: AtomicBool,
}

impl GroupReader {
    pub fn join(bootstrap: &str, group: &str, topics: &[&str], link: Link) -> anyhow::Result<GroupReader> {
        let membership =
            Membership { link, rebalances: Mutex::default(), is_closing: AtomicBool::new(false) };
        let consumer: BaseConsumer<Membership> = super::consumer(bootstrap, group)
            // A rebalance leaves the partitions that stay where they are alone: no replay for them.
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION.as_millis().to_string())
            .set("heartbeat.interval.ms", "2000")
            .set("max.poll.interval.ms", POLL_INTERVAL_MAX.as_millis().to_string())
            .create_with_context(membership)
            .context("cannot make a consumer")?;
        consumer.subscribe(topics).with_context(|| format!("cannot subscribe to {topics:?}"))?;
        Ok(GroupReader { consumer })
    }

    pub fn poll(&self, wait: Duration) -> anyhow::Result<Polled> {
        if let Some(rebalance) = self.rebalance() {
            return Ok(rebalance);
        }
        match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                self.link().up();
                Ok(Polled::Record(Record::read(&message)))
            }
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                Err(anyhow::anyhow!("the group refuses this member for good: {code}"))
            }
            Some(Err(error)) => {
                self.link().heard(&error, "consumer");
                Ok(Polled::Nothing)
            }
            None => Ok(self.rebalance().unwrap_or(Polled::Nothing)),
        }
    }

    /// Takes the partitions and reads them from their log start.
    pub fn start(&self, partitions: &[TopicPartition]) -> KafkaResult<()> {
        self.consumer.incremental_assign(&list(partitions, Offset::Beginning)?)
    }

    /// Reads partitions of this member from their log start again.
    pub fn rewind(&self, partitions: &[TopicPartition]) -> KafkaResult<()> {
        self.release(partitions)?;
        self.start(partitions)
    }

    pub fn release(&self, partitions: &[TopicPartition]) -> KafkaResult<()> {
        self.consumer.incremental_unassign(&list(partitions, Offset::Invalid)?)
    }

    /// Stops or resumes the flow of records; rebalances keep coming.
    pub fn hold(&self, hold: bool) -> KafkaResult<()> {
        let assigned = self.consumer.assignment()?;
        if hold { self.consumer.pause(&assigned) } else { self.consumer.resume(&assigned) }
    }

    /// `wait` is for partitions about to be given away: the commit must precede the goodbye.
    pub fn commit(&self, offsets: &[(TopicPartition, i64)], wait: bool) -> KafkaResult<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut commits = TopicPartitionList::with_capacity(offsets.len());
        for (at, offset) in offsets {
            commits.add_partition_offset(&at.topic, at.partition, Offset::Offset(*offset))?;
        }
        self.consumer.commit(&commits, if wait { CommitMode::Sync } else { CommitMode::Async })
    }

    /// Leaves the group, so that the others need not wait for the session to end.
    pub fn leave(self) {
        self.consumer.context().is_closing.store(true, Ordering::Relaxed);
        drop(self.consumer);
    }

    fn link(&self) -> &Link {
        &self.consumer.context().link
    }

    fn rebalance(&self) -> Option<Polled> {
        self.consumer.context().rebalances().pop_front()
    }
}

impl Membership {
    fn rebalances(&self) -> std::sync::MutexGuard<'_, VecDeque<Polled>> {
        self.rebalances.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.link.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.link.heard(&error, reason);
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = partitions(list);
        if self.is_closing.load(Ordering::Relaxed) {
            if let Err(error) = consumer.incremental_unassign(list) {
                debug!(%error, "leaving the group");
            }
            return;
        }
        self.rebalances().push_back(match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Polled::Assigned(partitions),
            _ => Polled::Revoked { partitions, lost: consumer.assignment_lost() },
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Ok(()) => self.link.up(),
            // The next commit covers this one.
            Err(error) => debug!(%error, "commit"),
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let each = |element: &rdkafka::topic_partition_list::TopicPartitionListElem| TopicPartition {
        topic: element.topic().to_owned(),
        partition: element.partition(),
    };
    list.elements().iter().map(each).collect()
}

fn list(partitions: &[TopicPartition], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for at in partitions {
        list.add_partition_offset(&at.topic, at.partition, offset)?;
    }
    Ok(list)
}
