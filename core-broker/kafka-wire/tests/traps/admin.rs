//! What Kafka's tools trip over.

use kafka_wire::configs::{resource_type, source, value_type};
use kafka_wire::messages::describe_configs::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_wire::messages::fetch::{
    FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use kafka_wire::{ApiKey, Response, decode_request, decode_response};

use crate::{request_frame, response_frame};

mod trap_26_every_config {
    use super::*;

    #[test]
    fn says_where_its_value_comes_from_in_every_version() {
        let synonym = DescribeConfigsSynonym {
            name: "log.retention.ms".into(),
            value: Some("1".into()),
            source: source::DEFAULT,
        };
        let config = DescribeConfigsResourceResult {
            name: "retention.ms".into(),
            value: Some("1".into()),
            config_source: source::DYNAMIC_TOPIC,
            synonyms: vec![synonym],
            config_type: value_type::LONG,
            documentation: Some("How long".into()),
            ..Default::default()
        };
        for version in ApiKey::DescribeConfigs.versions() {
            let result = DescribeConfigsResult { configs: vec![config.clone()], ..Default::default() };
            let response = DescribeConfigsResponse { results: vec![result], ..Default::default() };
            let frame = response_frame(response, version);
            let (_, back) = decode_response(frame.into(), ApiKey::DescribeConfigs, version).unwrap();
            let Response::DescribeConfigs(back) = back else { panic!("another response") };
            let expected = match version {
                ..3 => {
                    DescribeConfigsResourceResult { config_type: 0, documentation: None, ..config.clone() }
                }
                _ => config.clone(),
            };
            assert_eq!(back.results[0].configs, [expected], "version {version}");
        }
    }
}

mod trap_27_alterations {
    use super::*;

    #[test]
    fn of_a_kind_that_is_not_known_are_read_and_left_to_the_broker_to_refuse() {
        for (resource_type, config_operation) in [(resource_type::TOPIC, 9), (99, 0), (-1, i8::MIN)] {
            let config =
                AlterableConfig { name: "cleanup.policy".into(), config_operation, value: Some("x".into()) };
            let resource =
                AlterConfigsResource { resource_type, configs: vec![config], ..Default::default() };
            let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
            for version in ApiKey::IncrementalAlterConfigs.versions() {
                let (_, back) = decode_request(request_frame(request.clone(), version).into()).unwrap();
                assert_eq!(back, request.clone().into());
            }
        }
    }
}

mod trap_30_leader_hints {
    use super::*;

    fn moved(leader_id: i32, endpoints: Vec<NodeEndpoint>) -> FetchResponse {
        let current_leader = LeaderIdAndEpoch { leader_id, leader_epoch: leader_id };
        let partition = PartitionData { current_leader, ..Default::default() };
        let topic = FetchableTopicResponse { partitions: vec![partition], ..Default::default() };
        FetchResponse { responses: vec![topic], node_endpoints: endpoints, ..Default::default() }
    }

    #[test]
    fn go_to_clients_that_know_them_and_cost_the_others_nothing() {
        let endpoint = NodeEndpoint { node_id: 3, host: "b".into(), port: 9092, rack: None };
        for version in ApiKey::Fetch.versions() {
            let plain = response_frame(moved(-1, vec![]), version).len();
            let hinted = response_frame(moved(3, vec![endpoint.clone()]), version).len();
            let leader = 1 + 1 + (4 + 4 + 1);
            let endpoints = 1 + 1 + (1 + 4 + 2 + 4 + 1 + 1);
            let expected = match version {
                ..12 => 0,
                12..16 => leader,
                _ => leader + endpoints,
            };
            assert_eq!(hinted - plain, expected, "version {version}");
        }
    }
}
