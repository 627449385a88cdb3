//! The requests that most tests begin with, and the one answer that they look for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kafka_wire::{
    ErrorCode,
    messages::{
        create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData},
        produce::{
            PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
        },
    },
    record_batch::{Compression, Producer, RecordsEncoder, assemble},
};

use super::Client;

/// The last versions that name topics instead of giving their ids.
pub const PRODUCE: i16 = 12;
pub const FETCH: i16 = 12;

const MUCH: i32 = 50 << 20;

pub fn create_topic(client: &mut Client, name: &str, partitions: i32) -> Result<()> {
    create_topic_with(client, name, partitions, &[])
}

pub fn create_topic_with(
    client: &mut Client,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Result<()> {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let asked = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let created = client.call(asked, 5)?;
    ensure!(created.topics.iter().all(|topic| topic.error_code == ErrorCode::None), "{created:?}");
    Ok(())
}

/// One record with no key, at time 0.
pub fn batch(value: &[u8]) -> Bytes {
    batch_of(&[value], Producer::NONE)
}

/// Records with no key, at time 0.
pub fn batch_of(values: &[&[u8]], producer: Producer) -> Bytes {
    let mut encoder = RecordsEncoder::new();
    for value in values {
        encoder.push(0, None, Some(value), &[]);
    }
    assemble(&encoder.finish(Compression::None).expect("there are records"), producer).freeze()
}

/// The same batch for each of the partitions.
pub fn produce(topic: &str, partitions: &[i32], batch: Bytes) -> ProduceRequest {
    let data = |index: &i32| PartitionProduceData { index: *index, records: Some(batch.clone()) };
    let topic = TopicProduceData {
        name: topic.into(),
        partitions: partitions.iter().map(data).collect(),
        ..Default::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topics: vec![topic], ..Default::default() }
}

/// As much as there is from these offsets on, or what comes within `wait`.
pub fn fetch(topic: &str, partitions: &[(i32, i64)], wait: Duration) -> FetchRequest {
    let wanted = |(partition, offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        fetch_offset: *offset,
        partition_max_bytes: MUCH,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: topic.into(),
        partitions: partitions.iter().map(wanted).collect(),
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: wait.as_millis() as i32,
        min_bytes: 1,
        max_bytes: MUCH,
        topics: vec![topic],
        ..Default::default()
    }
}

/// What is said of the one partition.
pub fn produced(answer: &ProduceResponse) -> Result<&PartitionProduceResponse> {
    answer.topics.iter().flat_map(|topic| &topic.partitions).next().context("an answer without a partition")
}

/// What is said of the one partition.
pub fn fetched(answer: &FetchResponse) -> Result<&PartitionData> {
    answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .next()
        .context("an answer without a partition")
}
