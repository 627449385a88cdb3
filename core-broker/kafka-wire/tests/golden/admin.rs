//! What Kafka's tools say.

use kafka_wire::configs::{operation, resource_type, source, value_type};
use kafka_wire::messages::describe_configs::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_wire::messages::describe_groups::{DescribeGroupsResponse, DescribedGroup, DescribedGroupMember};
use kafka_wire::messages::describe_topic_partitions::{Cursor, DescribeTopicPartitionsRequest, TopicRequest};
use kafka_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use kafka_wire::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use crate::{check_request, check_response};

#[test]
fn offset_for_leader_epoch_request_2_has_no_replica_id() {
    let partition = OffsetForLeaderPartition { partition: 2, current_leader_epoch: 9, leader_epoch: 8 };
    let topic = OffsetForLeaderTopic { topic: "gps".into(), partitions: vec![partition] };
    let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
    let fields = [
        "00000023",
        "0017 0002 00000007",
        "ffff",
        "00000001",
        "0003 677073",
        "00000001",
        "00000002 00000009 00000008",
    ];
    check_request(request.clone(), 2, None, &fields);

    // A consumer says so from version 3 on; version 4 is flexible.
    let request = OffsetForLeaderEpochRequest { replica_id: -1, ..request };
    let fields = [
        "00000024",
        "0017 0004 00000007",
        "ffff 00",
        "ffffffff",
        "02",
        "04 677073",
        "02",
        "00000002 00000009 00000008 00",
        "00",
        "00",
    ];
    check_request(request, 4, None, &fields);
}

#[test]
fn describe_configs_response_4() {
    let synonym = DescribeConfigsSynonym {
        name: "log.retention.ms".into(),
        value: Some("9".into()),
        source: source::STATIC_BROKER,
    };
    let config = DescribeConfigsResourceResult {
        name: "retention.ms".into(),
        value: Some("9".into()),
        config_source: source::STATIC_BROKER,
        synonyms: vec![synonym],
        config_type: value_type::LONG,
        ..Default::default()
    };
    let result = DescribeConfigsResult {
        resource_type: resource_type::TOPIC,
        resource_name: "gps".into(),
        configs: vec![config],
        ..Default::default()
    };
    let response = DescribeConfigsResponse { results: vec![result], ..Default::default() };
    let fields = [
        "00000040",
        "00000007 00",
        "00000000",
        "02",
        "0000 00 02 04 677073",
        "02",
        "0d 726574656e74696f6e2e6d73",
        "02 39",
        "00 04 00",
        "02",
        "11 6c6f672e726574656e74696f6e2e6d73 02 39 04 00",
        "05 00 00",
        "00",
        "00",
    ];
    check_response(response, 4, &fields);
}

#[test]
fn incremental_alter_configs_request_0_deletes_with_a_null() {
    let config =
        AlterableConfig { name: "retention.ms".into(), config_operation: operation::DELETE, value: None };
    let resource = AlterConfigsResource {
        resource_type: resource_type::TOPIC,
        resource_name: "gps".into(),
        configs: vec![config],
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: true };
    let fields = [
        "0000002a",
        "002c 0000 00000007",
        "ffff",
        "00000001",
        "02 0003 677073",
        "00000001",
        "000c 726574656e74696f6e2e6d73 01 ffff",
        "01",
    ];
    check_request(request, 0, None, &fields);
}

#[test]
fn describe_topic_partitions_pages_end_with_a_null_cursor() {
    let topics = vec![TopicRequest { name: "gps".into() }];
    let first = DescribeTopicPartitionsRequest { topics, ..Default::default() };
    let fields = ["00000017", "004b 0000 00000007", "ffff 00", "02", "04 677073 00", "000007d0", "ff", "00"];
    check_request(first.clone(), 0, None, &fields);

    let cursor = Some(Cursor { topic_name: "gps".into(), partition_index: 2_000 });
    let next = DescribeTopicPartitionsRequest { cursor, ..first };
    let fields = [
        "00000020",
        "004b 0000 00000007",
        "ffff 00",
        "02",
        "04 677073 00",
        "000007d0",
        "01 04 677073 000007d0 00",
        "00",
    ];
    check_request(next, 0, None, &fields);
}

#[test]
fn describe_groups_response_0_as_the_oldest_clients_read_it() {
    let member = DescribedGroupMember {
        member_id: "m".into(),
        client_id: "c".into(),
        client_host: "/::1".into(),
        member_assignment: bytes::Bytes::from_static(b"xyz"),
        ..Default::default()
    };
    let group = DescribedGroup {
        group_id: "g".into(),
        group_state: "Stable".into(),
        protocol_type: "consumer".into(),
        protocol_data: "range".into(),
        members: vec![member],
        ..Default::default()
    };
    let response = DescribeGroupsResponse { groups: vec![group], ..Default::default() };
    let fields = [
        "00000041",
        "00000007",
        "00000001",
        "0000",
        "0001 67",
        "0006 537461626c65",
        "0008 636f6e73756d6572",
        "0005 72616e6765",
        "00000001",
        "0001 6d 0001 63 0004 2f3a3a31",
        "00000000",
        "00000003 78797a",
    ];
    check_response(response, 0, &fields);
}
