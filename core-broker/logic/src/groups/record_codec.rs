//! Records of `__consumer_offsets` in Kafka's own bytes, so that foreign tools can read them.
//!
//! ```text
//! offset key    version i16 = 1 (0 reads the same) | group str | topic str | partition i32
//! offset value  version i16 = 3 | offset i64 | leader_epoch i32 | metadata str | commit_timestamp i64
//!               0, 2: no leader_epoch     1: no leader_epoch, an expire_timestamp i64 at the end; written
//!               for a client that set a retention of its own, which none does that knows epochs
//! group key     version i16 = 2 | group str
//! group value   version i16 = 3 | protocol_type str | generation i32 | protocol nullable str |
//!               leader nullable str | state_timestamp i64 (2+) | count i32 x member
//! member        member_id str | group_instance_id nullable str (3+) | client_id str |
//!               client_host str | rebalance_timeout i32 (1+) | session_timeout i32 |
//!               subscription bytes | assignment bytes
//!
//! str = length i16 | UTF-8     bytes = length i32 | octets     a key without value is a tombstone
//! ```
//! Source: Kafka's OffsetCommitKey/Value and GroupMetadataKey/Value message definitions.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::record::{CommittedOffset, GroupMetadata, MemberMetadata, OffsetsRecord};
use crate::fields::{FieldError, Reader, put_bytes, put_count, put_nullable_string, put_string};
use crate::ids::{LeaderEpoch, Offset, TopicPartition};

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const OFFSET_VALUE: i16 = 3;
const EXPIRING_OFFSET_VALUE: i16 = 1;
const GROUP_VALUE: i16 = 3;

/// The fewest bytes a member can take: what bounds the members a record may claim to have.
const SMALLEST_MEMBER: usize = 18;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OffsetsRecordError {
    #[error("offsets record with key version {version}, which this version of Longhaul does not know")]
    UnknownKey { version: i16 },
    #[error("offsets record with value version {version}; this version of Longhaul reads 0 to {newest}")]
    UnknownValue { version: i16, newest: i16 },
    #[error("damaged offsets record: {0}")]
    Damaged(#[from] FieldError),
}

impl OffsetsRecord {
    pub fn encode(&self) -> (Bytes, Option<Bytes>) {
        let mut key = BytesMut::new();
        let value = match self {
            OffsetsRecord::Offset { group_id, partition, value } => {
                key.put_i16(OFFSET_KEY);
                put_string(&mut key, group_id);
                put_string(&mut key, &partition.topic);
                key.put_i32(partition.partition.0);
                value.as_ref().map(encode_offset)
            }
            OffsetsRecord::Group { group_id, value } => {
                key.put_i16(GROUP_KEY);
                put_string(&mut key, group_id);
                value.as_ref().map(encode_group)
            }
        };
        (key.freeze(), value)
    }

    pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<OffsetsRecord, OffsetsRecordError> {
        let mut key = Reader::new(key);
        let record = match key.i16("key version")? {
            0 | OFFSET_KEY => OffsetsRecord::Offset {
                group_id: key.string("group")?,
                partition: TopicPartition::new(key.string("topic")?, key.i32("partition")?),
                value: value.map(decode_offset).transpose()?,
            },
            GROUP_KEY => OffsetsRecord::Group {
                group_id: key.string("group")?,
                value: value.map(decode_group).transpose()?,
            },
            version => return Err(OffsetsRecordError::UnknownKey { version }),
        };
        key.finish()?;
        Ok(record)
    }
}

fn encode_offset(offset: &CommittedOffset) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(if offset.expire_unix_ms.is_some() { EXPIRING_OFFSET_VALUE } else { OFFSET_VALUE });
    out.put_i64(offset.offset.0);
    if offset.expire_unix_ms.is_none() {
        out.put_i32(offset.leader_epoch.0);
    }
    put_string(&mut out, &offset.metadata);
    out.put_i64(offset.commit_unix_ms);
    if let Some(expire_unix_ms) = offset.expire_unix_ms {
        out.put_i64(expire_unix_ms);
    }
    out.freeze()
}

fn decode_offset(value: Bytes) -> Result<CommittedOffset, OffsetsRecordError> {
    let mut value = Reader::new(value);
    let version = read_version(&mut value, OFFSET_VALUE)?;
    let offset = Offset(value.i64("offset")?);
    let leader_epoch =
        if version >= 3 { LeaderEpoch(value.i32("leader_epoch")?) } else { LeaderEpoch::UNKNOWN };
    let metadata = value.string("metadata")?;
    let commit_unix_ms = value.i64("commit_timestamp")?;
    let expire_unix_ms = match version {
        EXPIRING_OFFSET_VALUE => Some(value.i64("expire_timestamp")?).filter(|at| *at >= 0),
        _ => None,
    };
    value.finish()?;
    Ok(CommittedOffset { offset, leader_epoch, metadata, commit_unix_ms, expire_unix_ms })
}

fn encode_group(group: &GroupMetadata) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(GROUP_VALUE);
    put_string(&mut out, &group.protocol_type);
    out.put_i32(group.generation);
    put_nullable_string(&mut out, group.protocol_name.as_deref());
    put_nullable_string(&mut out, group.leader.as_deref());
    out.put_i64(group.state_unix_ms);
    put_count(&mut out, group.members.len());
    for member in &group.members {
        put_string(&mut out, &member.member_id);
        put_nullable_string(&mut out, member.group_instance_id.as_deref());
        put_string(&mut out, &member.client_id);
        put_string(&mut out, &member.client_host);
        out.put_i32(member.rebalance_timeout_ms);
        out.put_i32(member.session_timeout_ms);
        put_bytes(&mut out, &member.subscription);
        put_bytes(&mut out, &member.assignment);
    }
    out.freeze()
}

fn decode_group(value: Bytes) -> Result<GroupMetadata, OffsetsRecordError> {
    let mut value = Reader::new(value);
    let version = read_version(&mut value, GROUP_VALUE)?;
    let protocol_type = value.string("protocol_type")?;
    let generation = value.i32("generation")?;
    let protocol_name = value.nullable_string("protocol")?;
    let leader = value.nullable_string("leader")?;
    let state_unix_ms = if version >= 2 { value.i64("state_timestamp")? } else { -1 };
    let count = value.count(SMALLEST_MEMBER, "members")?;
    let members = (0..count).map(|_| decode_member(&mut value, version)).collect::<Result<_, _>>()?;
    value.finish()?;
    Ok(GroupMetadata { protocol_type, generation, protocol_name, leader, state_unix_ms, members })
}

fn decode_member(value: &mut Reader, version: i16) -> Result<MemberMetadata, FieldError> {
    let member_id = value.string("member_id")?;
    let group_instance_id = if version >= 3 { value.nullable_string("group_instance_id")? } else { None };
    let client_id = value.string("client_id")?;
    let client_host = value.string("client_host")?;
    // Version 0 knew one timeout only.
    let rebalance_timeout = if version >= 1 { Some(value.i32("rebalance_timeout")?) } else { None };
    let session_timeout_ms = value.i32("session_timeout")?;
    Ok(MemberMetadata {
        member_id,
        group_instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms: rebalance_timeout.unwrap_or(session_timeout_ms),
        session_timeout_ms,
        subscription: value.bytes("subscription")?,
        assignment: value.bytes("assignment")?,
    })
}

fn read_version(value: &mut Reader, newest: i16) -> Result<i16, OffsetsRecordError> {
    let version = value.i16("value version")?;
    if (0..=newest).contains(&version) {
        Ok(version)
    } else {
        Err(OffsetsRecordError::UnknownValue { version, newest })
    }
}
