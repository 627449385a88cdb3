use bytes::BytesMut;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment as TheirAssignment, ConsumerProtocolSubscription as TheirSubscription,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::prelude::*;

use super::*;
use crate::sample::{Sample, Source, entropy};

/// Two topics, one owned partition, generation 4, a rack: everything there is.
fn subscription() -> ConsumerProtocolSubscription {
    ConsumerProtocolSubscription {
        topics: vec!["gps".into(), "alert".into()],
        user_data: Some(Bytes::from_static(b"\x01\x02")),
        owned_partitions: vec![TopicPartition { topic: "gps".into(), partitions: vec![3] }],
        generation_id: 4,
        rack_id: Some("b".into()),
    }
}

fn assignment() -> ConsumerProtocolAssignment {
    let partitions = TopicPartition { topic: "gps".into(), partitions: vec![0, 3] };
    ConsumerProtocolAssignment { assigned_partitions: vec![partitions], user_data: None }
}

#[test]
fn each_version_adds_a_field_at_the_end() {
    let version_0 = b"\x00\x00\x00\x02\x00\x03gps\x00\x05alert\x00\x00\x00\x02\x01\x02";
    let owned = b"\x00\x00\x00\x01\x00\x03gps\x00\x00\x00\x01\x00\x00\x00\x03";
    let generation = b"\x00\x00\x00\x04";
    let rack = b"\x00\x01b";
    for (version, fields) in [
        (0u8, &[&version_0[..]][..]),
        (1, &[version_0, owned]),
        (2, &[version_0, owned, generation]),
        (3, &[version_0, owned, generation, rack]),
    ] {
        let bytes = [&[0, version][..], &fields.concat()].concat();
        assert_eq!(subscription().encode(version.into()).unwrap(), bytes);
    }
}

#[test]
fn an_assignment_is_the_same_in_every_version() {
    for version in 0..=NEWEST_VERSION {
        let bytes = assignment().encode(version).unwrap();
        assert_eq!(bytes[..2], version.to_be_bytes());
        assert_eq!(
            &bytes[2..],
            b"\x00\x00\x00\x01\x00\x03gps\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff"
        );
        assert_eq!(ConsumerProtocolAssignment::decode(bytes), Ok(assignment()));
    }
}

#[test]
fn a_newer_version_is_read_as_the_newest_known() {
    let newest = subscription().encode(NEWEST_VERSION).unwrap();
    let newer = [b"\x00\x09", &newest[2..], b"a field of version 9"].concat();
    assert_eq!(ConsumerProtocolSubscription::decode(newer.into()), Ok(subscription()));
}

#[test]
fn topics_are_read_from_a_version_whose_fields_are_missing() {
    let version_0 = subscription().encode(0).unwrap();
    let claims_1 = Bytes::from([b"\x00\x01", &version_0[2..]].concat());
    assert!(ConsumerProtocolSubscription::decode(claims_1.clone()).is_err());
    assert_eq!(ConsumerProtocolSubscription::decode_topics(claims_1), Ok(subscription().topics));
}

#[test]
fn no_bytes_are_no_assignment_but_no_subscription_either() {
    let nothing = ConsumerProtocolAssignment::default();
    assert_eq!(ConsumerProtocolAssignment::decode(Bytes::new()), Ok(nothing));
    let error = ConsumerProtocolSubscription::decode(Bytes::new()).unwrap_err();
    assert_eq!(error.to_string(), "ConsumerProtocol.version: cut short: 2 bytes needed, 0 there");
}

#[test]
fn versions_there_cannot_be_are_refused() {
    let error = ConsumerProtocolAssignment::decode(Bytes::from_static(b"\xff\xff\0\0\0\0")).unwrap_err();
    assert_eq!(error.to_string(), "ConsumerProtocol.version: version -1 is not supported");
    assert_eq!(assignment().encode(4), Err(EncodeError::UnsupportedVersion(4)));
}

#[test]
fn a_length_that_lies_reserves_nothing() {
    let error = ConsumerProtocolAssignment::decode(Bytes::from_static(b"\0\0\x7f\xff\xff\xff")).unwrap_err();
    let told = "ConsumerProtocolAssignment.assigned_partitions: \
                cut short: 2147483647 bytes needed, 0 there";
    assert_eq!(error.to_string(), told);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_messages_are_what_the_oracle_reads_and_writes(entropy in entropy(0..200)) {
        for version in 0..=NEWEST_VERSION {
            let ours = ConsumerProtocolSubscription::sample(&mut Source::new(&entropy, version), false);
            let bytes = ours.encode(version).unwrap();
            prop_assert_eq!(ConsumerProtocolSubscription::decode(bytes.clone()), Ok(ours));
            let theirs = TheirSubscription::decode(&mut bytes.slice(2..), version).unwrap();
            let mut again = BytesMut::new();
            theirs.encode(&mut again, version).unwrap();
            prop_assert_eq!(&again[..], &bytes[2..]);

            let ours = ConsumerProtocolAssignment::sample(&mut Source::new(&entropy, version), false);
            let bytes = ours.encode(version).unwrap();
            prop_assert_eq!(ConsumerProtocolAssignment::decode(bytes.clone()), Ok(ours));
            let theirs = TheirAssignment::decode(&mut bytes.slice(2..), version).unwrap();
            let mut again = BytesMut::new();
            theirs.encode(&mut again, version).unwrap();
            prop_assert_eq!(&again[..], &bytes[2..]);
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in entropy(0..100)) {
        let bytes = Bytes::from(bytes);
        let _ = ConsumerProtocolSubscription::decode(bytes.clone());
        let _ = ConsumerProtocolSubscription::decode_topics(bytes.clone());
        let _ = ConsumerProtocolAssignment::decode(bytes);
    }
}
