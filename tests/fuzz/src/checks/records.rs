//! What the broker keeps in logs of its own: metadata, groups, and what it knows of producers.

use broker_logic::{
    cluster::Record,
    groups::{CommittedOffset, GroupMetadata, MemberMetadata, OffsetsRecord},
    ids::{BrokerId, LeaderEpoch, Offset, ProducerId, TopicId, TopicPartition},
    replica::Producers,
};
use bytes::Bytes;
use kafka_wire::record_batch::BatchHeader;

use super::record_batch;

/// What was read is written as it was read.
pub fn check_metadata(data: &[u8]) {
    if let Ok(record) = Record::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(Record::decode(record.encode()), Ok(record));
    }
}

/// Two bytes with the length of the key, the key, the value; no value is a tombstone.
pub fn check_offsets(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let (key, value) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
    let value = (!value.is_empty()).then(|| Bytes::copy_from_slice(value));
    if let Ok(record) = OffsetsRecord::decode(Bytes::copy_from_slice(key), value) {
        let (key, value) = record.encode();
        assert_eq!(OffsetsRecord::decode(key, value), Ok(record));
    }
}

pub fn check_snapshot(data: &[u8]) {
    if let Ok(producers) = Producers::decode(Bytes::copy_from_slice(data)) {
        assert!(Producers::decode(producers.encode()).is_ok());
    }
}

pub fn metadata_seeds() -> Vec<Vec<u8>> {
    let topic_id = TopicId(Default::default());
    let records = [
        Record::Cluster { cluster_id: "c".into() },
        Record::Topic { name: "trucks_gps".into(), topic_id },
        Record::TopicConfig { topic_id, key: "retention.ms".into(), value: Some("1".into()) },
        Record::ProducerIdBlock { broker: BrokerId(1), first: ProducerId(1_000), count: 1_000 },
        Record::RemoveTopic { topic_id },
    ];
    records.iter().map(|record| record.encode().to_vec()).collect()
}

pub fn offsets_seeds() -> Vec<Vec<u8>> {
    let group_id = || "stream-apps".to_owned();
    let committed = CommittedOffset {
        offset: Offset(42),
        leader_epoch: LeaderEpoch(3),
        metadata: "note".into(),
        commit_unix_ms: 1_700_000_000_000,
        expire_unix_ms: None,
    };
    let member = MemberMetadata {
        member_id: "velocity-1".into(),
        group_instance_id: Some("one".into()),
        client_id: "velocity".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        subscription: Bytes::from_static(b"subscription"),
        assignment: Bytes::from_static(b"assignment"),
    };
    let group = GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 7,
        protocol_name: Some("range".into()),
        leader: Some("velocity-1".into()),
        state_unix_ms: 1_700_000_000_000,
        members: vec![member],
    };
    let partition = TopicPartition::new("trucks_gps", 3);
    let records = [
        OffsetsRecord::Offset { group_id: group_id(), partition: partition.clone(), value: Some(committed) },
        OffsetsRecord::Offset { group_id: group_id(), partition, value: None },
        OffsetsRecord::Group { group_id: group_id(), value: Some(group) },
        OffsetsRecord::Group { group_id: group_id(), value: None },
    ];
    let seed = |record: &OffsetsRecord| {
        let (key, value) = record.encode();
        [&(key.len() as u16).to_be_bytes()[..], &key, &value.unwrap_or_default()].concat()
    };
    records.iter().map(seed).collect()
}

pub fn snapshot_seeds() -> Vec<Vec<u8>> {
    let mut producers = Producers::default();
    for batch in record_batch::seeds() {
        let header = BatchHeader::peek(&batch).expect("a seed");
        producers.remember(&header, Offset(header.base_offset), 1_700_000_000_000);
    }
    vec![producers.encode().to_vec()]
}
