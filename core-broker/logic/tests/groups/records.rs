//! The bytes of `__consumer_offsets`, which foreign tools read too.

use broker_logic::groups::{
    CommittedOffset, Coordinator, GroupMetadata, MemberMetadata, OffsetsRecord, OffsetsRecordError,
};
use broker_logic::ids::{LeaderEpoch, Offset, TopicPartition};
use bytes::Bytes;
use proptest::prelude::*;

use crate::script::{prompt, some_instant};

fn bytes(hex: &str) -> Bytes {
    let hex: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
    hex.chunks(2).map(byte).collect()
}

fn offset_record(value: Option<CommittedOffset>) -> OffsetsRecord {
    OffsetsRecord::Offset { group_id: "g".into(), partition: TopicPartition::new("t", 7), value }
}

fn committed(leader_epoch: i32) -> CommittedOffset {
    CommittedOffset {
        offset: Offset(258),
        leader_epoch: LeaderEpoch(leader_epoch),
        metadata: "m".into(),
        commit_unix_ms: 1,
        expire_unix_ms: None,
    }
}

fn group_record(instance: Option<&str>, state_unix_ms: i64, rebalance_timeout_ms: i32) -> OffsetsRecord {
    let member = MemberMetadata {
        member_id: "m1".into(),
        group_instance_id: instance.map(Into::into),
        client_id: "c".into(),
        client_host: "/h".into(),
        rebalance_timeout_ms,
        session_timeout_ms: 10,
        subscription: Bytes::from_static(b"s"),
        assignment: Bytes::from_static(b"as"),
    };
    OffsetsRecord::Group {
        group_id: "g".into(),
        value: Some(GroupMetadata {
            protocol_type: "consumer".into(),
            generation: 3,
            protocol_name: Some("range".into()),
            leader: Some("m1".into()),
            state_unix_ms,
            members: vec![member],
        }),
    }
}

const OFFSET_KEY: &str = "0001 0001 67 0001 74 00000007";
const GROUP_KEY: &str = "0002 0001 67";
const CONSUMER: &str = "0008 636f6e73756d6572";
const PROTOCOL_AND_LEADER: &str = "0005 72616e6765 0002 6d31";

#[test]
fn records_have_kafkas_bytes() {
    let offset_value = "0003 0000000000000102 00000004 0001 6d 0000000000000001";
    let group_value = format!(
        "0003 {CONSUMER} 00000003 {PROTOCOL_AND_LEADER} 0000000000000009 00000001 \
         0002 6d31 0001 69 0001 63 0002 2f68 00000014 0000000a 00000001 73 00000002 6173"
    );
    let expiring_value = "0001 0000000000000102 0001 6d 0000000000000001 0000000000000002";
    let expiring = CommittedOffset { expire_unix_ms: Some(2), ..committed(-1) };
    let empty = GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 3,
        protocol_name: None,
        leader: None,
        state_unix_ms: 9,
        members: vec![],
    };
    let empty_value = format!("0003 {CONSUMER} 00000003 ffff ffff 0000000000000009 00000000");
    for (record, key, value) in [
        (offset_record(Some(committed(4))), OFFSET_KEY, Some(offset_value)),
        (offset_record(Some(expiring)), OFFSET_KEY, Some(expiring_value)),
        (offset_record(None), OFFSET_KEY, None),
        (group_record(Some("i"), 9, 20), GROUP_KEY, Some(group_value.as_str())),
        (OffsetsRecord::Group { group_id: "g".into(), value: Some(empty) }, GROUP_KEY, Some(&empty_value)),
        (OffsetsRecord::Group { group_id: "g".into(), value: None }, GROUP_KEY, None),
    ] {
        assert_eq!(record.encode(), (bytes(key), value.map(bytes)), "{record:?}");
        assert_eq!(OffsetsRecord::decode(bytes(key), value.map(bytes)), Ok(record));
    }
}

#[test]
fn older_versions_are_read() {
    let member_v0 = "0002 6d31 0001 63 0002 2f68 0000000a 00000001 73 00000002 6173";
    let member_v1 = "0002 6d31 0001 63 0002 2f68 00000014 0000000a 00000001 73 00000002 6173";
    let head = format!("{CONSUMER} 00000003 {PROTOCOL_AND_LEADER}");
    for (key, value, record) in [
        (
            OFFSET_KEY,
            "0000 0000000000000102 0001 6d 0000000000000001".to_owned(),
            offset_record(Some(committed(-1))),
        ),
        (
            OFFSET_KEY,
            "0001 0000000000000102 0001 6d 0000000000000001 ffffffffffffffff".to_owned(),
            offset_record(Some(committed(-1))),
        ),
        (
            OFFSET_KEY,
            "0002 0000000000000102 0001 6d 0000000000000001".to_owned(),
            offset_record(Some(committed(-1))),
        ),
        (GROUP_KEY, format!("0000 {head} 00000001 {member_v0}"), group_record(None, -1, 10)),
        (GROUP_KEY, format!("0001 {head} 00000001 {member_v1}"), group_record(None, -1, 20)),
        (GROUP_KEY, format!("0002 {head} 0000000000000009 00000001 {member_v1}"), group_record(None, 9, 20)),
    ] {
        assert_eq!(OffsetsRecord::decode(bytes(key), Some(bytes(&value))), Ok(record), "{value}");
    }
}

#[test]
fn an_unknown_version_is_refused_with_a_sentence() {
    let error = OffsetsRecord::decode(bytes("0003 0001 67"), None).expect_err("refused");
    assert_eq!(error, OffsetsRecordError::UnknownKey { version: 3 });
    let error = OffsetsRecord::decode(bytes(GROUP_KEY), Some(bytes("0004"))).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "offsets record with value version 4; this version of Longhaul reads 0 to 3"
    );
}

#[test]
fn a_bad_record_leaves_the_others_readable() {
    let now = some_instant();
    let mut coordinator = Coordinator::new(prompt(), now, 0);
    assert!(coordinator.replay(bytes("0063"), None, now).is_err());
    let (key, value) = group_record(Some("i"), 9, 20).encode();
    assert_eq!(coordinator.replay(key, value, now), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn any_bytes_are_a_record_or_an_error(
        version in 0..4u8,
        key in proptest::collection::vec(any::<u8>(), 0..20),
        value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
    ) {
        let key: Bytes = [&[0, version], key.as_slice()].concat().into();
        let _ = OffsetsRecord::decode(key, value.map(Bytes::from));
    }

    #[test]
    fn any_end_of_a_record_is_noticed(cut in 0..60usize) {
        let (key, value) = group_record(Some("i"), 9, 20).encode();
        let value = value.expect("a value");
        let outcome = OffsetsRecord::decode(key, Some(value.slice(..cut.min(value.len() - 1))));
        prop_assert!(outcome.is_err());
    }
}
