//! Every message in every version, damaged in every way that a peer can think of: it is an error or
//! another message, and never more than was sent.

use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::api::{ApiKey, Response};
use crate::codec::{RequestError, decode_request, decode_response, encode_request, encode_response};
use crate::error_code::ErrorCode;
use crate::primitives::{DecodeError, Problem};
use crate::sample::{each_version, entropy, joined, request_frame, response_frame};

/// What is put where a length may be, in both forms: -1, -2, the largest and the smallest.
const LIES: &[&[u8]] = &[
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xfe",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\x7f\xff",
    b"\xff\xfe",
    // As varints, which count from one: null, 2^31 - 1, 2^32 - 2, 2^21 - 2, and one without an end.
    b"\x00",
    b"\x80\x80\x80\x80\x08",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// All places in a message, but for the inside of a long one: there are the bytes of records.
fn places(message: &Bytes) -> impl Iterator<Item = usize> + use<> {
    let end = message.len();
    (0..end.min(400)).chain(end.saturating_sub(100).max(400)..end)
}

fn overwritten(message: &Bytes, at: usize, lie: &[u8]) -> Bytes {
    let end = message.len().min(at + lie.len());
    let mut bytes = BytesMut::from(&message[..]);
    bytes[at..end].copy_from_slice(&lie[..end - at]);
    bytes.freeze()
}

/// What was read can be written, is the same when read again, and takes no more bytes than came:
/// nothing was believed that was not there.
fn check_request(frame: Bytes) {
    let came = frame.len();
    let Ok((header, request)) = decode_request(frame) else { return };
    let chunks = encode_request(&request, header.version, header.correlation_id, header.client_id.as_deref());
    let again = joined(chunks.unwrap());
    assert!(again.len() <= came, "{header:?}: {came} bytes became {}", again.len());
    assert_eq!(decode_request(again), Ok((header, request)));
}

fn check_response(frame: Bytes, api: ApiKey, version: i16) {
    let came = frame.len();
    let Ok((correlation_id, response)) = decode_response(frame, api, version) else { return };
    // This error alone is always written in version 0, see `tests/traps`.
    let version = match &response {
        Response::ApiVersions(answer) if answer.error_code == ErrorCode::UnsupportedVersion => 0,
        _ => version,
    };
    let again = joined(encode_response(&response, version, correlation_id).unwrap());
    assert!(again.len() <= came, "{api:?} {version}: {came} bytes became {}", again.len());
    assert_eq!(decode_response(again, api, version), Ok((correlation_id, response)));
}

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

/// Two tags that nobody has given a meaning, the larger one first.
const UNKNOWN_TAGS: &[u8] = b"\x02\xff\x7f\x01x\xc8\x01\x00";

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
