//! Records as bytes, for the metadata log and for its snapshots.
//!
//! ```text
//! kind u8 | version u8 | body          all numbers big-endian
//!
//! 1 Cluster          cluster_id str
//! 2 Broker           id i32 | epoch i64 | incarnation 16 B | count i32 x (listener str, host str,
//!                    port i16) | rack nullable str
//! 3 Topic            name str | topic_id 16 B
//! 4 RemoveTopic      topic_id 16 B
//! 5 Partition        topic_id 16 B | partition i32 | replicas, isr, elr: each count i32 x i32 |
//!                    leader i32 (-1 none) | leader_epoch i32 | partition_epoch i32 | recovering u8
//! 6 TopicConfig      topic_id 16 B | key str | value nullable str
//! 7 ProducerIdBlock  broker i32 | first i64 | count i32
//! 8 BrokerConfig     broker i32 (-1 all) | key str | value nullable str
//!
//! str = length i16 | UTF-8          nullable str: length -1 is none
//! ```
//! An unknown kind or version is refused: skipping a change would leave an image that never was.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::record::{BrokerRecord, Endpoint, PartitionRecord, PartitionState, Record};
use crate::fields::{FieldError, Reader, put_count, put_nullable_string, put_string};
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, ProducerId, TopicId};

const CLUSTER: u8 = 1;
const BROKER: u8 = 2;
const TOPIC: u8 = 3;
const REMOVE_TOPIC: u8 = 4;
const PARTITION: u8 = 5;
const TOPIC_CONFIG: u8 = 6;
const PRODUCER_ID_BLOCK: u8 = 7;
const BROKER_CONFIG: u8 = 8;

const VERSION: u8 = 1;
const NO_LEADER: i32 = -1;
const ALL_BROKERS: i32 = -1;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    #[error("metadata record of kind {kind}, which this version of Longhaul does not know")]
    UnknownKind { kind: u8 },
    #[error("metadata record of kind {kind} in version {version}; this version of Longhaul reads {VERSION}")]
    UnknownVersion { kind: u8, version: u8 },
    #[error("damaged metadata record: {0}")]
    Damaged(#[from] FieldError),
}

impl Record {
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(self.kind());
        out.put_u8(VERSION);
        match self {
            Record::Cluster { cluster_id } => put_string(&mut out, cluster_id),
            Record::Broker(broker) => put_broker(&mut out, broker),
            Record::Topic { name, topic_id } => {
                put_string(&mut out, name);
                put_topic_id(&mut out, *topic_id);
            }
            Record::RemoveTopic { topic_id } => put_topic_id(&mut out, *topic_id),
            Record::Partition(partition) => put_partition(&mut out, partition),
            Record::TopicConfig { topic_id, key, value } => {
                put_topic_id(&mut out, *topic_id);
                put_string(&mut out, key);
                put_nullable_string(&mut out, value.as_deref());
            }
            Record::ProducerIdBlock { broker, first, count } => {
                out.put_i32(broker.0);
                out.put_i64(first.0);
                out.put_i32(*count);
            }
            Record::BrokerConfig { broker, key, value } => {
                out.put_i32(broker.map_or(ALL_BROKERS, |broker| broker.0));
                put_string(&mut out, key);
                put_nullable_string(&mut out, value.as_deref());
            }
        }
        out.freeze()
    }

    pub fn decode(bytes: Bytes) -> Result<Record, RecordError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("kind")?;
        let version = reader.u8("version")?;
        if !(CLUSTER..=BROKER_CONFIG).contains(&kind) {
            return Err(RecordError::UnknownKind { kind });
        }
        if version != VERSION {
            return Err(RecordError::UnknownVersion { kind, version });
        }
        let record = read_body(kind, &mut reader)?;
        reader.finish()?;
        Ok(record)
    }

    fn kind(&self) -> u8 {
        match self {
            Record::Cluster { .. } => CLUSTER,
            Record::Broker(_) => BROKER,
            Record::Topic { .. } => TOPIC,
            Record::RemoveTopic { .. } => REMOVE_TOPIC,
            Record::Partition(_) => PARTITION,
            Record::TopicConfig { .. } => TOPIC_CONFIG,
            Record::ProducerIdBlock { .. } => PRODUCER_ID_BLOCK,
            Record::BrokerConfig { .. } => BROKER_CONFIG,
        }
    }
}

fn read_body(kind: u8, reader: &mut Reader) -> Result<Record, RecordError> {
    Ok(match kind {
        CLUSTER => Record::Cluster { cluster_id: reader.string("cluster_id")? },
        BROKER => Record::Broker(read_broker(reader)?),
        TOPIC => Record::Topic { name: reader.string("name")?, topic_id: read_topic_id(reader)? },
        REMOVE_TOPIC => Record::RemoveTopic { topic_id: read_topic_id(reader)? },
        PARTITION => Record::Partition(read_partition(reader)?),
        TOPIC_CONFIG => Record::TopicConfig {
            topic_id: read_topic_id(reader)?,
            key: reader.string("key")?,
            value: reader.nullable_string("value")?,
        },
        PRODUCER_ID_BLOCK => Record::ProducerIdBlock {
            broker: BrokerId(reader.i32("broker")?),
            first: ProducerId(reader.i64("first")?),
            count: reader.i32("count")?,
        },
        BROKER_CONFIG => Record::BrokerConfig {
            broker: Some(reader.i32("broker")?).filter(|id| *id != ALL_BROKERS).map(BrokerId),
            key: reader.string("key")?,
            value: reader.nullable_string("value")?,
        },
        kind => return Err(RecordError::UnknownKind { kind }),
    })
}

fn put_topic_id(out: &mut BytesMut, topic_id: TopicId) {
    out.put_slice(topic_id.0.as_bytes());
}

fn read_topic_id(reader: &mut Reader) -> Result<TopicId, FieldError> {
    reader.uuid("topic_id").map(TopicId)
}

fn put_broker(out: &mut BytesMut, broker: &BrokerRecord) {
    out.put_i32(broker.id.0);
    out.put_i64(broker.epoch.0);
    out.put_slice(broker.incarnation.as_bytes());
    put_count(out, broker.endpoints.len());
    for endpoint in &broker.endpoints {
        put_string(out, &endpoint.listener);
        put_string(out, &endpoint.host);
        out.put_u16(endpoint.port);
    }
    put_nullable_string(out, broker.rack.as_deref());
}

fn read_broker(reader: &mut Reader) -> Result<BrokerRecord, FieldError> {
    let id = BrokerId(reader.i32("id")?);
    let epoch = BrokerEpoch(reader.i64("epoch")?);
    let incarnation = reader.uuid("incarnation")?;
    let mut endpoints = Vec::new();
    for _ in 0..reader.count(6, "endpoints")? {
        endpoints.push(Endpoint {
            listener: reader.string("listener")?,
            host: reader.string("host")?,
            port: reader.i16("port")? as u16,
        });
    }
    Ok(BrokerRecord { id, epoch, incarnation, endpoints, rack: reader.nullable_string("rack")? })
}

fn put_partition(out: &mut BytesMut, record: &PartitionRecord) {
    let state = &record.state;
    put_topic_id(out, record.topic_id);
    out.put_i32(record.partition.0);
    for brokers in [&state.replicas, &state.isr, &state.elr] {
        put_count(out, brokers.len());
        brokers.iter().for_each(|broker| out.put_i32(broker.0));
    }
    out.put_i32(state.leader.map_or(NO_LEADER, |leader| leader.0));
    out.put_i32(state.leader_epoch.0);
    out.put_i32(state.partition_epoch.0);
    out.put_u8(state.recovering.into());
}

fn read_partition(reader: &mut Reader) -> Result<PartitionRecord, FieldError> {
    let topic_id = read_topic_id(reader)?;
    let partition = PartitionIndex(reader.i32("partition")?);
    let replicas = read_brokers(reader, "replicas")?;
    let isr = read_brokers(reader, "isr")?;
    let elr = read_brokers(reader, "elr")?;
    let leader = Some(reader.i32("leader")?).filter(|id| *id != NO_LEADER).map(BrokerId);
    let leader_epoch = LeaderEpoch(reader.i32("leader_epoch")?);
    let partition_epoch = PartitionEpoch(reader.i32("partition_epoch")?);
    let recovering = reader.u8("recovering")? != 0;
    let state = PartitionState { replicas, isr, elr, leader, leader_epoch, partition_epoch, recovering };
    Ok(PartitionRecord { topic_id, partition, state })
}

fn read_brokers(reader: &mut Reader, field: &'static str) -> Result<Vec<BrokerId>, FieldError> {
    let count = reader.count(4, field)?;
    (0..count).map(|_| reader.i32(field).map(BrokerId)).collect()
}
