//! What a version cannot say must be read as "not known", never as zero.

use bytes::Bytes;
use kafka_wire::consumer_protocol::ConsumerProtocolAssignment;
use kafka_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use kafka_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use kafka_wire::messages::metadata::MetadataRequest;
use kafka_wire::messages::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_wire::messages::offset_for_leader_epoch::EpochEndOffset;
use kafka_wire::messages::sync_group::SyncGroupResponse;
use kafka_wire::{ApiKey, Call, Request, Response, decode_request, decode_response};

use crate::{request_frame, response_frame};

fn request_back(request: impl Into<Request>, version: i16) -> Request {
    decode_request(request_frame(request, version).into()).unwrap().1
}

fn response_back<C: Call>(response: C::Response, version: i16) -> C::Response
where
    Response: From<C::Response>,
{
    let (_, back) = decode_response(response_frame(response, version).into(), C::API, version).unwrap();
    back.try_into().unwrap()
}

mod trap_7_topic_ids {
    use super::*;

    #[test]
    fn a_topic_has_a_name_or_an_id_and_the_other_is_empty() {
        let topic_id = uuid::Uuid::from_u128(1);
        let topic = FetchTopic { topic: "gps".into(), topic_id, ..Default::default() };
        let request = FetchRequest { topics: vec![topic], ..Default::default() };
        for version in ApiKey::Fetch.versions() {
            let Request::Fetch(back) = request_back(request.clone(), version) else {
                panic!("another request");
            };
            let named = (back.topics[0].topic.as_str(), back.topics[0].topic_id);
            let expected = if version < 13 { ("gps", uuid::Uuid::nil()) } else { ("", topic_id) };
            assert_eq!(named, expected, "version {version}");
        }
    }
}

mod trap_10_epoch_of_an_offset {
    use super::*;

    #[test]
    fn is_not_known_unless_set() {
        assert_eq!(ListOffsetsPartitionResponse::default().leader_epoch, -1);
        assert_eq!(EpochEndOffset::default().leader_epoch, -1);
        assert_eq!(EpochEndOffset::default().end_offset, -1);
    }

    #[test]
    fn comes_back_from_version_4_on_and_is_not_known_below() {
        let partition = ListOffsetsPartitionResponse { leader_epoch: 6, ..Default::default() };
        let topic = ListOffsetsTopicResponse { partitions: vec![partition], ..Default::default() };
        let response = ListOffsetsResponse { topics: vec![topic], ..Default::default() };
        for version in ApiKey::ListOffsets.versions() {
            let back = response_back::<ListOffsetsRequest>(response.clone(), version);
            let epoch = back.topics[0].partitions[0].leader_epoch;
            assert_eq!(epoch, if version < 4 { -1 } else { 6 }, "version {version}");
        }
    }
}

mod trap_11_committed_epoch_and_metadata {
    use kafka_wire::messages::offset_fetch::OffsetFetchRequest;

    use super::*;

    /// One committed offset, in the form of the old versions and in that of the batches.
    fn committed() -> OffsetFetchResponse {
        let (metadata, epoch) = (Some("note".to_owned()), 6);
        let one = OffsetFetchResponsePartition {
            committed_leader_epoch: epoch,
            metadata: metadata.clone(),
            ..Default::default()
        };
        let in_group =
            OffsetFetchResponsePartitions { committed_leader_epoch: epoch, metadata, ..Default::default() };
        let topic = OffsetFetchResponseTopics { partitions: vec![in_group], ..Default::default() };
        let group = OffsetFetchResponseGroup { topics: vec![topic], ..Default::default() };
        OffsetFetchResponse {
            topics: vec![OffsetFetchResponseTopic { partitions: vec![one], ..Default::default() }],
            groups: vec![group],
            ..Default::default()
        }
    }

    #[test]
    fn come_back_in_every_version_that_has_them() {
        for version in ApiKey::OffsetFetch.versions() {
            let back = response_back::<OffsetFetchRequest>(committed(), version);
            let (epoch, metadata) = if version < 8 {
                let partition = &back.topics[0].partitions[0];
                (partition.committed_leader_epoch, partition.metadata.as_deref())
            } else {
                let partition = &back.groups[0].topics[0].partitions[0];
                (partition.committed_leader_epoch, partition.metadata.as_deref())
            };
            assert_eq!(metadata, Some("note"), "version {version}");
            assert_eq!(epoch, if version < 5 { -1 } else { 6 }, "version {version}");
        }
    }
}

mod trap_12_current_epoch {
    use super::*;

    #[test]
    fn of_a_client_too_old_to_say_it_is_not_known() {
        // Zero would be fenced as soon as the leader has moved once.
        let partition = FetchPartition { current_leader_epoch: 6, ..Default::default() };
        let topic = FetchTopic { partitions: vec![partition], ..Default::default() };
        let request = FetchRequest { topics: vec![topic], ..Default::default() };
        for version in ApiKey::Fetch.versions() {
            let Request::Fetch(back) = request_back(request.clone(), version) else {
                panic!("another request");
            };
            let epoch = back.topics[0].partitions[0].current_leader_epoch;
            assert_eq!(epoch, if version < 9 { -1 } else { 6 }, "version {version}");
        }

        let partition = ListOffsetsPartition { current_leader_epoch: 6, ..Default::default() };
        let topic = ListOffsetsTopic { partitions: vec![partition], ..Default::default() };
        let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
        for version in ApiKey::ListOffsets.versions() {
            let Request::ListOffsets(back) = request_back(request.clone(), version) else {
                panic!("another request");
            };
            let epoch = back.topics[0].partitions[0].current_leader_epoch;
            assert_eq!(epoch, if version < 4 { -1 } else { 6 }, "version {version}");
        }
    }
}

mod trap_17_empty_assignment {
    use super::*;

    #[test]
    fn is_empty_and_not_null_and_assigns_nothing() {
        for version in ApiKey::SyncGroup.versions() {
            let frame = response_frame(SyncGroupResponse::default(), version);
            match ApiKey::SyncGroup.is_flexible(version) {
                true => assert!(frame.ends_with(&[1, 0]), "version {version}"),
                false => assert!(frame.ends_with(&[0, 0, 0, 0]), "version {version}"),
            }
        }
        let nothing = ConsumerProtocolAssignment::decode(Bytes::new()).unwrap();
        assert_eq!(nothing.assigned_partitions, []);
    }
}

mod trap_19_all_topics_and_no_topic {
    use super::*;

    #[test]
    fn are_two_requests_from_version_1_on_and_one_in_version_0() {
        for version in ApiKey::Metadata.versions() {
            let topics = |topics| {
                let request = MetadataRequest { topics, ..Default::default() };
                let Request::Metadata(back) = request_back(request, version) else {
                    panic!("another request");
                };
                back.topics
            };
            let all = if version == 0 { Some(vec![]) } else { None };
            assert_eq!(topics(None), all, "version {version}");
            assert_eq!(topics(Some(vec![])), Some(vec![]), "version {version}");
        }
    }
}
