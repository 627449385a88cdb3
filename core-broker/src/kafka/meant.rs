//! The partition that a request means.

use broker_logic::{cluster::Topic, ids::TopicPartition};
use kafka_wire::ErrorCode;

use super::errors;
use crate::{broker::Shared, partition::Partition};

/// Of a topic that was found in an image. By now it may be deleted and another of its name made: then it is
/// `gone`, for the name alone does not tell the two apart.
pub fn partition(
    shared: &Shared,
    topic: &Topic,
    index: i32,
    gone: ErrorCode,
) -> Result<Partition, ErrorCode> {
    let partition = shared.partitions.get(&TopicPartition::new(topic.name.clone(), index));
    let partition = partition.ok_or_else(|| errors::not_open(topic, index))?;
    if partition.topic_id == topic.topic_id { Ok(partition) } else { Err(gone) }
}
