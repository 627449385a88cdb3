//! Nulls, and what a Fetch says when it has nothing to give.

use bytes::Bytes;
use kafka_wire::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use kafka_wire::{ApiKey, ErrorCode, Response, decode_request, decode_response};

use crate::response_frame;

fn fetch_error(version: i16) -> Vec<u8> {
    let partition = PartitionData { error_code: ErrorCode::UnknownTopicId, ..Default::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..Default::default() };
    response_frame(FetchResponse { responses: vec![topic], ..Default::default() }, version)
}

mod trap_4_null_and_empty {
    use super::*;

    #[test]
    fn records_of_an_error_are_empty_and_not_null() {
        for version in ApiKey::Fetch.versions() {
            let frame = fetch_error(version);
            // Records come last, but for the tag counts of partition, topic and message.
            match ApiKey::Fetch.is_flexible(version) {
                true => assert!(frame.ends_with(&[1, 0, 0, 0]), "version {version}"),
                false => assert!(frame.ends_with(&[0, 0, 0, 0]), "version {version}"),
            }
        }
    }

    #[test]
    fn null_records_from_another_broker_are_read_as_empty() {
        let mut frame = fetch_error(11);
        let end = frame.len();
        frame[end - 4..].fill(0xff);
        let back = decode_response(frame.into(), ApiKey::Fetch, 11).unwrap().1;
        assert_eq!(back, decode_response(fetch_error(11).into(), ApiKey::Fetch, 11).unwrap().1);
    }

    #[test]
    fn null_where_there_is_none_is_an_error() {
        // Heartbeat 0 with a null group id.
        let frame = Bytes::from_static(b"\x00\x0c\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff");
        let error = decode_request(frame).unwrap_err();
        let told = "malformed Heartbeat request in version 0: \
                    HeartbeatRequest.group_id: null is not allowed in this version";
        assert_eq!(error.to_string(), told);
    }
}

mod trap_8_preferred_read_replica {
    use super::*;

    #[test]
    fn is_nobody_unless_set() {
        assert_eq!(PartitionData::default().preferred_read_replica, -1);
        let frame = fetch_error(11);
        let preferred = frame.len() - 8..frame.len() - 4;
        assert_eq!(frame[preferred], (-1i32).to_be_bytes());
    }

    #[test]
    fn is_nobody_in_versions_without_it() {
        let back = decode_response(fetch_error(10).into(), ApiKey::Fetch, 10).unwrap().1;
        let Response::Fetch(response) = back else { panic!("another response") };
        assert_eq!(response.responses[0].partitions[0].preferred_read_replica, -1);
    }
}
