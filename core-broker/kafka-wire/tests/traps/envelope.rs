//! Versions, headers and tagged fields.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_wire::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use kafka_wire::messages::produce::ProduceRequest;
use kafka_wire::{ApiKey, ErrorCode, Request, RequestError, decode_request, decode_response};

use crate::{request_frame, response_frame};

mod trap_1_api_versions_is_answered_before_versions_are_known {
    use super::*;

    #[test]
    fn its_response_header_never_has_tagged_fields() {
        for version in ApiKey::ApiVersions.versions() {
            let refused = ApiVersionsResponse { error_code: ErrorCode::InvalidRequest, ..Default::default() };
            let frame = response_frame(refused, version);
            assert_eq!(frame[4..6], [0, 42], "the error follows the correlation id in version {version}");
        }
        let other = response_frame(FetchResponse::default(), 12);
        assert_eq!(other[4], 0, "others have an empty list of tags there");
    }

    #[test]
    fn an_unknown_version_still_says_who_asks() {
        let mut frame = request_frame(ApiVersionsRequest::default(), 4);
        frame[2..4].copy_from_slice(&99i16.to_be_bytes());
        let Err(RequestError::UnsupportedVersion { header }) = decode_request(frame.into()) else {
            panic!("version 99 is not served");
        };
        assert_eq!((header.api, header.version, header.correlation_id), (ApiKey::ApiVersions, 99, 7));
    }

    #[test]
    fn the_answer_in_version_0_is_read_whatever_was_asked() {
        let range = ApiVersion { api_key: 18, min_version: 0, max_version: 4 };
        let answer = ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion,
            api_keys: vec![range],
            ..Default::default()
        };
        let frame = Bytes::from(response_frame(answer.clone(), 0));
        for asked in ApiKey::ApiVersions.versions() {
            let back = decode_response(frame.clone(), ApiKey::ApiVersions, asked).unwrap();
            assert_eq!(back, (7, answer.clone().into()));
        }
    }

    #[test]
    fn produce_is_advertised_from_0_and_served_from_3() {
        assert_eq!(ApiKey::Produce.advertised_versions(), 0..=13);
        let mut frame = request_frame(ProduceRequest::default(), 3);
        frame[2..4].copy_from_slice(&2i16.to_be_bytes());
        let refused = decode_request(frame.into());
        assert!(matches!(refused, Err(RequestError::UnsupportedVersion { .. })));
    }
}

mod trap_2_tagged_fields {
    use super::*;

    fn fetch_with_directory(directory: u128, version: i16) -> Vec<u8> {
        let partition =
            FetchPartition { replica_directory_id: uuid::Uuid::from_u128(directory), ..Default::default() };
        let topic = FetchTopic { partitions: vec![partition], ..Default::default() };
        request_frame(FetchRequest { topics: vec![topic], ..Default::default() }, version)
    }

    #[test]
    fn a_default_is_not_written() {
        let plain = fetch_with_directory(0, 17);
        let tagged = fetch_with_directory(1, 17);
        assert_eq!(tagged.len() - plain.len(), 1 + 1 + 16, "tag, size, directory id");
    }

    #[test]
    fn a_value_the_version_does_not_have_is_not_written() {
        assert_eq!(fetch_with_directory(0, 16), fetch_with_directory(1, 16));
    }

    #[test]
    fn a_known_tag_from_before_its_version_is_skipped_without_losing_the_thread() {
        let mut frame = fetch_with_directory(1, 17);
        frame[2..4].copy_from_slice(&16i16.to_be_bytes());
        let (_, request) = decode_request(frame.into()).unwrap();
        let topic = FetchTopic { partitions: vec![FetchPartition::default()], ..Default::default() };
        assert_eq!(request, FetchRequest { topics: vec![topic], ..Default::default() }.into());
    }

    #[test]
    fn unknown_tags_are_skipped_in_headers_and_bodies() {
        let mut frame = BytesMut::new();
        frame.put_slice(b"\x00\x12\x00\x03\x00\x00\x00\x07\xff\xff"); // ApiVersions 3, no client id
        frame.put_slice(b"\x01\x2a\x03abc"); // header: tag 42
        frame.put_slice(b"\x02a\x02b"); // name, version
        frame.put_slice(b"\x02\x00\x01x\xff\x7f\x00"); // body: tag 0 and tag 16383, which is empty
        let (_, request) = decode_request(frame.freeze()).unwrap();
        let Request::ApiVersions(request) = request else { panic!("another request") };
        assert_eq!((&*request.client_software_name, &*request.client_software_version), ("a", "b"));
    }

    #[test]
    fn a_known_tag_with_bytes_to_spare_is_an_error() {
        let mut frame = BytesMut::new();
        frame.put_slice(b"\x00\x00\x00\x07\x00\x00\x01\x00\x00\x00\x00\x01\x03\x02\x01\x01");
        let error = decode_response(frame.freeze(), ApiKey::ApiVersions, 3).unwrap_err();
        assert!(error.to_string().ends_with("1 bytes are left over in a tagged field"), "{error}");
    }

    #[test]
    fn a_tag_larger_than_the_message_is_an_error() {
        for size in [&b"\x05"[..], b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff"] {
            let mut frame = BytesMut::new();
            frame.put_slice(b"\x00\x12\x00\x03\x00\x00\x00\x07\xff\xff\x00\x02a\x02b\x01\x00");
            frame.put_slice(size);
            assert!(matches!(decode_request(frame.freeze()), Err(RequestError::Malformed { .. })));
        }
    }
}

mod trap_3_order_of_tags {
    use super::*;

    fn all_tags() -> ApiVersionsResponse {
        ApiVersionsResponse {
            supported_features: vec![SupportedFeatureKey::default()],
            finalized_features_epoch: 5,
            finalized_features: vec![FinalizedFeatureKey::default()],
            zk_migration_ready: true,
            ..Default::default()
        }
    }

    #[test]
    fn tags_go_out_ascending() {
        let frame = response_frame(all_tags(), 3);
        let golden = [
            &b"\x00\x00\x00\x07\x00\x00\x01\x00\x00\x00\x00\x04"[..], // four tags
            b"\x00\x07\x02\x01\x00\x00\x00\x00\x00",
            b"\x01\x08\x00\x00\x00\x00\x00\x00\x00\x05",
            b"\x02\x07\x02\x01\x00\x00\x00\x00\x00",
            b"\x03\x01\x01",
        ];
        assert_eq!(frame, golden.concat());
    }

    #[test]
    fn tags_are_read_in_any_order() {
        let reversed = [
            &b"\x00\x00\x00\x07\x00\x00\x01\x00\x00\x00\x00\x04"[..],
            b"\x03\x01\x01",
            b"\x02\x07\x02\x01\x00\x00\x00\x00\x00",
            b"\x01\x08\x00\x00\x00\x00\x00\x00\x00\x05",
            b"\x00\x07\x02\x01\x00\x00\x00\x00\x00",
        ];
        let back = decode_response(reversed.concat().into(), ApiKey::ApiVersions, 3).unwrap();
        assert_eq!(back.1, all_tags().into());
    }
}
