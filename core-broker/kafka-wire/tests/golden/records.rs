//! What every producer and consumer says.

use kafka_wire::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use kafka_wire::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
};
use kafka_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use kafka_wire::messages::produce::{
    LeaderIdAndEpoch, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_wire::{ErrorCode, Records};

use crate::{check_request, check_response};

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
