use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{LIES, UNKNOWN_TAGS, check_request, check_response, overwritten, places};
use crate::api::ApiKey;
use crate::codec::{RequestError, decode_request, decode_response};
use crate::primitives::{DecodeError, Problem};
use crate::sample::{each_version, entropy, request_frame, response_frame};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in entropy(0..200)) {
        for (api, version) in each_version() {
            let mut frame = BytesMut::new();
            frame.extend_from_slice(&api.code().to_be_bytes());
            frame.extend_from_slice(&version.to_be_bytes());
            frame.extend_from_slice(&bytes);
            check_request(frame.freeze());
            check_response(Bytes::copy_from_slice(&bytes), api, version);
        }
    }

    #[test]
    fn garbage_after_a_message_is_not_part_of_it(entropy in entropy(0..200), garbage in entropy(1..50)) {
        let followed = |frame: &Bytes| Bytes::from([&frame[..], &garbage].concat());
        for (api, version) in each_version() {
            let request = request_frame(api, version, &entropy);
            prop_assert_eq!(decode_request(followed(&request)), decode_request(request));
            let response = response_frame(api, version, &entropy);
            let same = decode_response(followed(&response), api, version);
            prop_assert_eq!(same, decode_response(response, api, version));
        }
    }
}

/// A frame that ends with an empty list of tags, with `UNKNOWN_TAGS` instead.
fn tagged(frame: &Bytes) -> Bytes {
    let (end, rest) = frame.split_last().unwrap();
    assert_eq!(*end, 0);
    [rest, UNKNOWN_TAGS].concat().into()
}

#[test]
fn unknown_tags_in_any_order_are_skipped_in_every_flexible_version() {
    // Where a message has tags of its own, `tests/traps` has the bytes.
    let has_own_tags = |api| matches!(api, ApiKey::Fetch | ApiKey::ApiVersions);
    let without_tags =
        each_version().filter(|(api, version)| api.is_flexible(*version) && !has_own_tags(*api));
    for (api, version) in without_tags {
        let request = request_frame(api, version, &[]);
        assert_eq!(decode_request(tagged(&request)), decode_request(request));
        let response = response_frame(api, version, &[]);
        let same = decode_response(tagged(&response), api, version);
        assert_eq!(same, decode_response(response, api, version));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn a_message_cut_anywhere_is_an_error(entropy in entropy(60..120)) {
        for (api, version) in each_version() {
            let request = request_frame(api, version, &entropy);
            for cut in places(&request) {
                let cut_short = decode_request(request.slice(..cut));
                prop_assert!(cut_short.is_err(), "{:?} {} at {}", api, version, cut);
            }
            let response = response_frame(api, version, &entropy);
            for cut in places(&response) {
                let cut_short = decode_response(response.slice(..cut), api, version);
                prop_assert!(cut_short.is_err(), "{:?} {} at {}", api, version, cut);
            }
        }
    }

    /// Every place, so every length is among them.
    #[test]
    fn a_length_that_lies_is_an_error_or_another_message(entropy in entropy(60..120)) {
        for (api, version) in each_version() {
            let request = request_frame(api, version, &entropy);
            let response = response_frame(api, version, &entropy);
            for lie in LIES {
                for at in places(&request) {
                    check_request(overwritten(&request, at, lie));
                }
                for at in places(&response) {
                    check_response(overwritten(&response, at, lie), api, version);
                }
            }
        }
    }
}

#[test]
fn versions_outside_the_range_are_named_and_not_read() {
    let outside = |range: RangeInclusive<i16>| [i16::MIN, range.start() - 1, range.end() + 1, i16::MAX];
    for api in ApiKey::ALL {
        for version in outside(api.versions()) {
            let frame = [api.code().to_be_bytes(), version.to_be_bytes()].concat();
            let frame = [&frame, &b"\x00\x00\x00\x07\xff\xff"[..]].concat();
            let Err(RequestError::UnsupportedVersion { header }) = decode_request(frame.into()) else {
                panic!("{api:?} is not served in version {version}");
            };
            assert_eq!((header.api, header.version, header.correlation_id), (*api, version, 7));
            let refused = decode_response(Bytes::from_static(&[0; 100]), *api, version);
            let problem = Problem::UnsupportedVersion(version);
            assert_eq!(refused, Err(DecodeError { field: "", problem }));
        }
    }
}

#[test]
fn a_key_that_is_not_spoken_is_named() {
    let spoken: Vec<i16> = ApiKey::ALL.iter().map(|api| api.code()).collect();
    for key in (i16::MIN..=i16::MAX).filter(|key| !spoken.contains(key)) {
        let frame = [&key.to_be_bytes()[..], b"\x00\x01\x00\x00\x00\x07"].concat();
        let unknown = RequestError::UnknownApi { key, version: 1, correlation_id: 7 };
        assert_eq!(decode_request(frame.into()), Err(unknown));
    }
}
