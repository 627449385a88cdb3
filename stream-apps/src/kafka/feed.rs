//! A reader of whole topics without a group: everyone who watches sees everything.

use std::time::Duration;

use anyhow::Context;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::{Link, Record, TopicPartition};

pub struct Feed {
    link: Link,
    consumer: BaseConsumer<Link>,
}

impl Feed {
    pub fn new(bootstrap: &str, group: &str, link: Link) -> anyhow::Result<Feed> {
        let consumer = super::consumer(bootstrap, group)
            .create_with_context(link.clone())
            .context("cannot make a consumer")?;
        Ok(Feed { link, consumer })
    }

    /// Adds partitions to what is read, each from so many records before its end.
    pub fn add(&self, partitions: &[TopicPartition], before_end: i64) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for at in partitions {
            list.add_partition_offset(&at.topic, at.partition, Offset::OffsetTail(before_end))?;
        }
        self.consumer.incremental_assign(&list).context("cannot read the topics")
    }

    pub fn remove(&self, partitions: &[TopicPartition]) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for at in partitions {
            list.add_partition(&at.topic, at.partition);
        }
        self.consumer.incremental_unassign(&list).context("cannot stop reading the topics")
    }

    pub fn poll(&self, wait: Duration) -> Option<Record> {
        match self.consumer.poll(wait)? {
            Ok(message) => {
                self.link.up();
                Some(Record::read(&message))
            }
            Err(error) => {
                self.link.heard(&error, "feed");
                None
            }
        }
    }
}
