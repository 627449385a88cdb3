//! What these tests say to a broker, a batch at a time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use end_to_end::kafka::Client;
use kafka_wire::{
    ErrorCode,
    messages::{
        create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
        delete_topics::{DeleteTopicState, DeleteTopicsRequest},
        fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData},
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic},
        produce::{PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData},
    },
    record_batch::{self, Compression, Producer, Record, RecordsEncoder, batches, decode_records},
};
use uuid::Uuid;

const MAX_BYTES: i32 = 64 << 20;
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

pub const EARLIEST: i64 = -2;
pub const LATEST: i64 = -1;

/// One partition of a topic, as a client sees it.
pub struct Topic {
    pub client: Client,
    pub name: String,
    pub id: Uuid,
}

impl Topic {
    pub fn create(address: SocketAddr, name: &str, configs: &[(&str, &str)]) -> Result<Self> {
        let mut client = Client::connect(address)?;
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let created = client.call(request, 7)?.topics.pop().context("no answer for the topic")?;
        ensure!(created.error_code == ErrorCode::None, "{created:?}");
        Ok(Self { client, name: name.into(), id: created.topic_id })
    }

    /// The topic that the broker keeps groups in.
    pub fn of_groups(address: SocketAddr) -> Result<Self> {
        let client = Client::connect(address)?;
        Ok(Self { client, name: "__consumer_offsets".into(), id: Uuid::nil() })
    }

    /// After the broker was started again.
    pub fn reconnect(&mut self, address: SocketAddr) -> Result<()> {
        self.client = Client::connect(address)?;
        Ok(())
    }

    pub fn produce(&mut self, batch: &Bytes) -> Result<PartitionProduceResponse> {
        let partition = PartitionProduceData { index: 0, records: Some(batch.clone()) };
        let topic = TopicProduceData { topic_id: self.id, partitions: vec![partition], ..Default::default() };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 10_000, topics: vec![topic], ..Default::default() };
        let mut response = self.client.call(request, 13)?;
        let mut topic = response.topics.pop().context("no answer for the topic")?;
        topic.partitions.pop().context("no answer for the partition")
    }

    pub fn produce_ok(&mut self, batch: &Bytes) -> Result<i64> {
        let produced = self.produce(batch)?;
        ensure!(produced.error_code == ErrorCode::None, "{produced:?}");
        Ok(produced.base_offset)
    }

    pub fn fetch(&mut self, offset: i64) -> Result<PartitionData> {
        self.ask_fetch(offset, 0)?;
        self.fetched()
    }

    /// Waits for records for so long.
    pub fn ask_fetch(&mut self, offset: i64, max_wait_ms: i32) -> Result<()> {
        let partition =
            FetchPartition { fetch_offset: offset, partition_max_bytes: MAX_BYTES, ..Default::default() };
        let topic = FetchTopic { topic_id: self.id, partitions: vec![partition], ..Default::default() };
        let request = FetchRequest { max_wait_ms, min_bytes: 1, topics: vec![topic], ..Default::default() };
        self.client.ask(request, 16)
    }

    pub fn fetched(&mut self) -> Result<PartitionData> {
        let mut response = self.client.answer::<FetchRequest>(16)?;
        let mut topic = response.responses.pop().context("no answer for the topic")?;
        topic.partitions.pop().context("no answer for the partition")
    }

    /// Every record from the log's start on.
    pub fn read(&mut self) -> Result<Vec<Record>> {
        let (mut next, end) = (self.offset(EARLIEST)?, self.offset(LATEST)?);
        let mut records = Vec::new();
        while next < end {
            let fetched = self.fetch(next)?;
            ensure!(fetched.error_code == ErrorCode::None, "{:?} at {next}", fetched.error_code);
            let bytes = fetched.records.into_bytes();
            if bytes.is_empty() {
                break;
            }
            for batch in batches(&bytes) {
                let (header, range) = batch?;
                records.extend(decode_records(bytes.slice(range), 64 << 20)?);
                next = header.next_offset();
            }
        }
        Ok(records)
    }

    pub fn offset(&mut self, of: i64) -> Result<i64> {
        let partition = ListOffsetsPartition { timestamp: of, ..Default::default() };
        let topic = ListOffsetsTopic { name: self.name.clone(), partitions: vec![partition] };
        let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
        let mut response = self.client.call(request, 7)?;
        let partitions = response.topics.pop().context("no answer for the topic")?.partitions;
        let partition = partitions.first().context("no answer for the partition")?;
        ensure!(partition.error_code == ErrorCode::None, "{partition:?}");
        Ok(partition.offset)
    }

    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let config = AlterableConfig { name: key.into(), config_operation: 0, value: Some(value.into()) };
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: self.name.clone(),
            configs: vec![config],
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let altered = self.client.call(request, 1)?.responses.pop().context("no answer")?;
        ensure!(altered.error_code == ErrorCode::None, "{altered:?}");
        Ok(())
    }

    /// By its id.
    pub fn delete(&mut self) -> Result<ErrorCode> {
        let topics = vec![DeleteTopicState { name: None, topic_id: self.id }];
        let request = DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
        let mut response = self.client.call(request, 6)?;
        Ok(response.responses.pop().context("no answer")?.error_code)
    }

    /// As a consumer without a group's members does it.
    pub fn commit(&mut self, group: &str, offset: i64, metadata: &str) -> Result<()> {
        let partition = OffsetCommitRequestPartition {
            committed_offset: offset,
            committed_metadata: Some(metadata.into()),
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: self.name.clone(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request =
            OffsetCommitRequest { group_id: group.into(), topics: vec![topic], ..Default::default() };
        self.until("the coordinator takes a commit", |it| {
            let topic =
                it.client.call(request.clone(), 8)?.topics.pop().context("no answer for the topic")?;
            let code = topic.partitions.first().context("no answer for the partition")?.error_code;
            let is_loading = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::CoordinatorNotAvailable];
            ensure!(code == ErrorCode::None || is_loading.contains(&code), "{code:?}");
            Ok(code == ErrorCode::None)
        })
    }

    /// The offset that a group has committed, and what it said of it.
    pub fn committed(&mut self, group: &str) -> Result<(i64, Option<String>)> {
        let topic = OffsetFetchRequestTopic { name: self.name.clone(), partition_indexes: vec![0] };
        let request =
            OffsetFetchRequest { group_id: group.into(), topics: Some(vec![topic]), ..Default::default() };
        let mut found = None;
        self.until("the coordinator tells an offset", |it| {
            let mut response = it.client.call(request.clone(), 7)?;
            if response.error_code != ErrorCode::None {
                return Ok(false);
            }
            let partitions = response.topics.pop().context("no answer for the topic")?.partitions;
            let partition = partitions.first().context("no answer for the partition")?;
            found = Some((partition.committed_offset, partition.metadata.clone()));
            Ok(true)
        })?;
        found.context("no offset")
    }

    /// Where the log starts, or why not.
    pub fn delete_records(&mut self, offset: i64) -> Result<Result<i64, ErrorCode>> {
        let partition = DeleteRecordsPartition { partition_index: 0, offset };
        let topic = DeleteRecordsTopic { name: self.name.clone(), partitions: vec![partition] };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000 };
        let mut response = self.client.call(request, 2)?;
        let partitions = response.topics.pop().context("no answer for the topic")?.partitions;
        let partition = partitions.first().context("no answer for the partition")?;
        Ok(match partition.error_code {
            ErrorCode::None => Ok(partition.low_watermark),
            code => Err(code),
        })
    }

    /// Until it is so, or fails.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> Result<bool>) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !is_so(self)? {
            if Instant::now() > until {
                bail!("not within {PATIENCE:?}: {what}");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}

/// A record that no codec makes smaller, a megabyte but a little.
pub fn large(key: &str, number: u64) -> Bytes {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number + 1);
    let value = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise.to_be_bytes()
    });
    batch(key, &value.take(120_000).flatten().collect::<Vec<u8>>(), now_ms(), Producer::NONE)
}

pub fn batch(key: &str, value: &[u8], time_ms: i64, producer: Producer) -> Bytes {
    let mut records = RecordsEncoder::new();
    records.push(time_ms, Some(key.as_bytes()), Some(value), &[]);
    let records = records.finish(Compression::None).expect("one record");
    record_batch::assemble(&records, producer).freeze()
}
