//! What a message may cost: no copy of records, no memory for what is not there.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_wire::messages::delete_topics::DeleteTopicsRequest;
use kafka_wire::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use kafka_wire::messages::join_group::JoinGroupResponse;
use kafka_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_wire::{
    EncodeError, Records, Request, RequestError, decode_request, encode_request, encode_response,
};

fn produce(records: Bytes) -> Request {
    let partition = PartitionProduceData { index: 0, records: Some(records) };
    let topic = TopicProduceData { partitions: vec![partition], ..Default::default() };
    ProduceRequest { topics: vec![topic], ..Default::default() }.into()
}

#[test]
fn fetched_records_are_sent_without_a_copy() {
    let pieces = [Bytes::from(vec![1; 1 << 20]), Bytes::from(vec![2; 1 << 20])];
    let partition = PartitionData { records: Records::from(pieces.to_vec()), ..Default::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..Default::default() };
    let response = FetchResponse { responses: vec![topic], ..Default::default() }.into();
    let chunks = encode_response(&response, 12, 1).unwrap();
    for piece in &pieces {
        assert!(chunks.iter().any(|chunk| chunk.as_ptr() == piece.as_ptr() && chunk.len() == piece.len()));
    }
    let size = u32::from_be_bytes(*chunks[0].first_chunk().unwrap()) as usize;
    assert_eq!(size + 4, chunks.iter().map(Bytes::len).sum());
}

#[test]
fn produced_records_are_a_slice_of_the_request() {
    let frame = Bytes::from(encode_request(&produce(vec![7; 100].into()), 9, 1, None).unwrap().concat());
    let (_, request) = decode_request(frame.slice(4..)).unwrap();
    let Request::Produce(request) = request else { panic!("another request") };
    let records = request.topics[0].partitions[0].records.clone().unwrap();
    assert!(frame.as_ptr_range().contains(&records.as_ptr()));
}

#[test]
fn seven_bytes_reserve_nothing() {
    let told = |version: u8, claim: i32| {
        let mut frame = BytesMut::new();
        frame.put_slice(&[0, 3, 0, version]); // Metadata
        frame.put_slice(b"\x00\x00\x00\x07\xff\xff");
        frame.put_i32(claim);
        match decode_request(frame.freeze()) {
            Err(RequestError::Malformed { source, .. }) => source.to_string(),
            other => panic!("{other:?}"),
        }
    };
    for (version, claim, error) in [
        (1, i32::MAX, "cut short: 2147483647 bytes needed, 0 there"),
        (1, 1, "cut short: 1 bytes needed, 0 there"),
        (1, -2, "length -2 is impossible"),
        (1, i32::MIN, "length -2147483648 is impossible"),
        (0, -1, "null is not allowed in this version"),
    ] {
        assert_eq!(told(version, claim), format!("MetadataRequest.topics: {error}"));
    }
}

#[test]
fn many_small_elements_meet_a_limit() {
    let names = |count| {
        let request = DeleteTopicsRequest { topic_names: vec![String::new(); count], ..Default::default() };
        Bytes::from(encode_request(&request.into(), 4, 1, None).unwrap().concat()).slice(4..)
    };
    assert!(decode_request(names(2_000_000)).is_ok());
    // Three million bytes that would take 72 MB.
    let refused = decode_request(names(3_000_000)).unwrap_err();
    assert!(refused.to_string().ends_with("arrays are larger than a decoded message may be"), "{refused}");
}

#[test]
fn null_is_written_only_where_the_version_has_it() {
    let nameless = |version| encode_response(&JoinGroupResponse::default().into(), version, 1);
    assert!(nameless(9).is_ok());
    assert!(nameless(5).is_ok(), "an empty name stands for none, as in Kafka");

    let partition = kafka_wire::messages::metadata::MetadataResponseTopic::default();
    let response =
        kafka_wire::messages::metadata::MetadataResponse { topics: vec![partition], ..Default::default() };
    let refused = encode_response(&response.into(), 11, 1);
    assert_eq!(refused, Err(EncodeError::Null { field: "MetadataResponseTopic.name", version: 11 }));
}

#[test]
fn a_version_out_of_range_is_not_written() {
    let refused = encode_request(&produce(Bytes::new()), 14, 1, None);
    assert_eq!(refused, Err(EncodeError::UnsupportedVersion(14)));
}

#[test]
fn a_string_longer_than_kafka_takes_is_neither_written_nor_read() {
    let named = |len| DeleteTopicsRequest { topic_names: vec!["x".repeat(len)], ..Default::default() }.into();
    let longest = i16::MAX as usize;
    let refused = encode_request(&named(longest + 1), 4, 1, None);
    assert_eq!(refused, Err(EncodeError::LongString(longest + 1)));

    let mut frame = BytesMut::from(&encode_request(&named(longest), 4, 1, None).unwrap().concat()[4..]);
    assert!(decode_request(frame.clone().freeze()).is_ok());
    assert_eq!(frame[12..15], [0x80, 0x80, 0x02], "length plus one");
    frame[12] = 0x81;
    let refused = decode_request(frame.freeze()).unwrap_err();
    assert!(refused.to_string().ends_with("length 32768 is impossible"), "{refused}");
}
