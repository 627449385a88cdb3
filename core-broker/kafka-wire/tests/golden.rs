//! Bytes worked out by hand from the protocol's schema files, field by field. What a released
//! client sends is not ours to change.

use kafka_wire::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use kafka_wire::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
};
use kafka_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use kafka_wire::messages::produce::{
    LeaderIdAndEpoch, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_wire::{
    ApiKey, ErrorCode, Records, Request, Response, decode_request, decode_response, encode_request,
    encode_response,
};

/// One string of hex per field or group of fields, the frame size first.
fn golden(fields: &[&str]) -> Vec<u8> {
    let digits: Vec<u8> = fields.concat().bytes().filter(u8::is_ascii_hexdigit).collect();
    let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(hex).collect()
}

fn check_request(request: impl Into<Request>, version: i16, client_id: Option<&str>, fields: &[&str]) {
    let (request, frame) = (request.into(), golden(fields));
    assert_eq!(encode_request(&request, version, 7, client_id).unwrap().concat(), frame);
    let (header, back) = decode_request(frame[4..].to_vec().into()).unwrap();
    assert_eq!((header.correlation_id, header.client_id.as_deref()), (7, client_id));
    assert_eq!(back, request);
}

fn check_response(response: impl Into<Response>, version: i16, fields: &[&str]) {
    let (response, frame) = (response.into(), golden(fields));
    assert_eq!(encode_response(&response, version, 7).unwrap().concat(), frame);
    let back = decode_response(frame[4..].to_vec().into(), response.api(), version).unwrap();
    assert_eq!(back, (7, response));
}

#[test]
fn api_versions_request_0_is_a_header_alone() {
    let fields = ["0000000a", "0012 0000 00000007", "ffff"];
    check_request(ApiVersionsRequest::default(), 0, None, &fields);
}

#[test]
fn api_versions_request_3_has_a_flexible_header_with_a_plain_client_id() {
    let request =
        ApiVersionsRequest { client_software_name: "cab".into(), client_software_version: "1".into() };
    let fields = ["00000014", "0012 0003 00000007", "0002 6b63", "00", "04 636162", "02 31", "00"];
    check_request(request, 3, Some("kc"), &fields);
}

#[test]
fn api_versions_response_3() {
    let response = ApiVersionsResponse {
        api_keys: vec![ApiVersion { api_key: 0, min_version: 0, max_version: 13 }],
        ..Default::default()
    };
    let fields = ["00000013", "00000007", "0000", "02", "0000 0000 000d 00", "00000000", "00"];
    check_response(response, 3, &fields);
}

#[test]
fn metadata_request_for_all_topics() {
    let all = MetadataRequest::default();
    check_request(all.clone(), 1, None, &["0000000e", "0003 0001 00000007", "ffff", "ffffffff"]);
    check_request(all, 12, None, &["0000000f", "0003 000c 00000007", "ffff 00", "00", "01", "00", "00"]);
}

#[test]
fn metadata_request_for_no_topic_and_for_one() {
    let none = MetadataRequest { topics: Some(vec![]), ..Default::default() };
    check_request(none, 1, None, &["0000000e", "0003 0001 00000007", "ffff", "00000000"]);

    let topic = MetadataRequestTopic { name: Some("gps".into()), ..Default::default() };
    let one = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let fields = [
        "00000024",
        "0003 000c 00000007",
        "ffff 00",
        "02",
        "00000000000000000000000000000000 04677073 00",
        "01",
        "00",
        "00",
    ];
    check_request(one, 12, None, &fields);
}

#[test]
fn fetch_request_4_as_the_oldest_clients_send_it() {
    let partition =
        FetchPartition { partition: 2, fetch_offset: 9, partition_max_bytes: 1024, ..Default::default() };
    let request = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 65536,
        topics: vec![FetchTopic { topic: "gps".into(), partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    };
    let fields = [
        "00000038",
        "0001 0004 00000007",
        "ffff",
        "ffffffff",
        "000001f4",
        "00000001",
        "00010000",
        "00",
        "00000001",
        "0003 677073",
        "00000001",
        "00000002 0000000000000009 00000400",
    ];
    check_request(request, 4, None, &fields);
}

#[test]
fn fetch_response_11() {
    let partition = PartitionData {
        partition_index: 2,
        high_watermark: 5,
        last_stable_offset: 5,
        log_start_offset: 0,
        aborted_transactions: None,
        records: Records::from(bytes::Bytes::from_static(b"xyz")),
        ..Default::default()
    };
    let topic =
        FetchableTopicResponse { topic: "gps".into(), partitions: vec![partition], ..Default::default() };
    let response = FetchResponse { responses: vec![topic], ..Default::default() };
    let fields = [
        "00000048",
        "00000007",
        "00000000",
        "0000",
        "00000000",
        "00000001",
        "0003 677073",
        "00000001",
        "00000002 0000 0000000000000005 0000000000000005 0000000000000000",
        "ffffffff",
        "ffffffff",
        "00000003 78797a",
    ];
    check_response(response, 11, &fields);
}

#[test]
fn produce_response_10_names_the_leader_in_a_tag() {
    let partition = PartitionProduceResponse {
        index: 1,
        error_code: ErrorCode::NotLeaderOrFollower,
        base_offset: -1,
        current_leader: LeaderIdAndEpoch { leader_id: 3, leader_epoch: 8 },
        ..Default::default()
    };
    let topic =
        TopicProduceResponse { name: "gps".into(), partitions: vec![partition], ..Default::default() };
    let response = ProduceResponse { topics: vec![topic], ..Default::default() };
    let fields = [
        "0000003d",
        "00000007 00",
        "02",
        "04 677073",
        "02",
        "00000001 0006 ffffffffffffffff ffffffffffffffff ffffffffffffffff",
        "01",
        "00",
        "01  00 09  00000003 00000008 00",
        "00",
        "00000000",
        "00",
    ];
    check_response(response, 10, &fields);
}

#[test]
fn every_api_has_its_number() {
    let numbers: Vec<i16> = ApiKey::ALL.iter().map(|api| api.code()).collect();
    assert_eq!(
        numbers,
        [
            0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 32, 33, 35, 37, 42, 43, 44,
            45, 46, 47, 60, 61, 74, 75
        ]
    );
}
