//! Every message in every version, against the `kafka-protocol` crate and against damage.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey as TheirApi, RequestKind, ResponseKind};
use proptest::prelude::*;

use crate::api::{ApiKey, Response, sample_request, sample_response};
use crate::codec::{decode_request, decode_response, encode_request, encode_response};
use crate::error_code::ErrorCode;
use crate::frame::LENGTH_BYTES;
use crate::sample::Source;

/// Versions of requests the oracle does not know; it was made from Kafka 4.1.
const TOO_NEW: &[(ApiKey, i16)] =
    &[(ApiKey::ListOffsets, 11), (ApiKey::OffsetCommit, 10), (ApiKey::OffsetFetch, 10)];

/// Fields of InitProducerId version 6, which Kafka 4.2 does not offer.
const NOT_SPOKEN: &[&str] =
    &["enable_2_pc", "keep_prepared_txn", "ongoing_txn_producer_id", "ongoing_txn_producer_epoch"];

fn each_version() -> impl Iterator<Item = (ApiKey, i16)> {
    ApiKey::ALL.iter().flat_map(|api| api.versions().map(|version| (*api, version)))
}

fn their_api(api: ApiKey) -> TheirApi {
    TheirApi::try_from(api.code()).expect("the oracle has every API")
}

fn joined(chunks: Vec<Bytes>) -> Bytes {
    chunks.concat().into()
}

fn ours_request(api: ApiKey, version: i16, entropy: &[u8]) -> Bytes {
    let request = sample_request(api, &mut Source::new(entropy, version));
    let frame = joined(encode_request(&request, version, 77, Some("truck")).unwrap());
    let (header, back) = decode_request(frame.slice(LENGTH_BYTES..)).unwrap();
    assert_eq!((header.api, header.version, header.correlation_id), (api, version, 77));
    assert_eq!(header.client_id.as_deref(), Some("truck"));
    assert_eq!(back, request);
    frame.slice(LENGTH_BYTES..)
}

fn ours_response(api: ApiKey, version: i16, entropy: &[u8]) -> Bytes {
    let mut response = sample_response(api, &mut Source::new(entropy, version));
    // This error alone is always written in version 0, see `tests/traps.rs`.
    if let Response::ApiVersions(answer) = &mut response
        && answer.error_code == ErrorCode::UnsupportedVersion
    {
        answer.error_code = ErrorCode::None;
    }
    let frame = joined(encode_response(&response, version, 77).unwrap());
    let back = decode_response(frame.slice(LENGTH_BYTES..), api, version).unwrap();
    assert_eq!(back, (77, response));
    frame.slice(LENGTH_BYTES..)
}

/// Every `name: number` and `name: bool` in the debug form of a message, in order of name. Both
/// sides name fields after Kafka's schema; fields a version lacks show their defaults.
fn named_numbers(message: &impl std::fmt::Debug) -> Vec<String> {
    let text = format!("{message:?}");
    let mut numbers: Vec<String> = text
        .split([',', '{', '}', '[', ']'])
        .filter_map(|part| {
            let (name, value) = part.trim().split_once(": ")?;
            // Theirs wraps some numbers in a type of their own.
            let value = value.split_once('(').map_or(value, |(_, inner)| inner).trim_end_matches(')');
            let is_number = value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok();
            // Our error codes are names, not numbers.
            let is_compared = !name.ends_with("error_code") && !NOT_SPOKEN.contains(&name);
            (is_number && is_compared).then(|| format!("{name}: {value}"))
        })
        .collect();
    numbers.sort();
    numbers
}

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Ours to theirs to ours again: the same bytes, so the same layout in both directions. And the
    /// same names for the same numbers: two fields of one size could change places unnoticed.
    #[test]
    fn requests_are_what_the_oracle_reads_and_writes(entropy in entropy()) {
        for (api, version) in each_version() {
            let ours = ours_request(api, version, &entropy);
            if TOO_NEW.contains(&(api, version)) {
                continue;
            }
            let mut rest = ours.clone();
            let header = kafka_protocol::protocol::decode_request_header_from_buffer(&mut rest).unwrap();
            prop_assert_eq!(header.correlation_id, 77);
            let body = rest.clone();
            let theirs = RequestKind::decode(their_api(api), &mut rest, version).unwrap();
            let (_, request) = decode_request(ours).unwrap();
            prop_assert_eq!(named_numbers(&request), named_numbers(&theirs), "{:?} {}", api, version);
            prop_assert!(rest.is_empty(), "{:?} {}: {} bytes unread", api, version, rest.len());
            let mut again = BytesMut::new();
            theirs.encode(&mut again, version).unwrap();
            prop_assert_eq!(&again[..], &body[..], "{:?} {}", api, version);
        }
    }

    #[test]
    fn responses_are_what_the_oracle_reads_and_writes(entropy in entropy()) {
        for (api, version) in each_version() {
            let ours = ours_response(api, version, &entropy);
            if api == ApiKey::ListOffsets && version == 11 {
                continue;
            }
            let header_bytes = match their_api(api).response_header_version(version) {
                0 => 4,
                _ => 5,
            };
            let body = ours.slice(header_bytes..);
            let mut rest = body.clone();
            let theirs = ResponseKind::decode(their_api(api), &mut rest, version).unwrap();
            let (_, response) = decode_response(ours, api, version).unwrap();
            prop_assert_eq!(named_numbers(&response), named_numbers(&theirs), "{:?} {}", api, version);
            prop_assert!(rest.is_empty(), "{:?} {}: {} bytes unread", api, version, rest.len());
            let mut again = BytesMut::new();
            theirs.encode(&mut again, version).unwrap();
            prop_assert_eq!(&again[..], &body[..], "{:?} {}", api, version);
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (api, version) in each_version() {
            let mut frame = BytesMut::new();
            frame.extend_from_slice(&api.code().to_be_bytes());
            frame.extend_from_slice(&version.to_be_bytes());
            frame.extend_from_slice(&bytes);
            let _ = decode_request(frame.freeze());
            let _ = decode_response(Bytes::copy_from_slice(&bytes), api, version);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn a_message_cut_anywhere_is_an_error(entropy in proptest::collection::vec(any::<u8>(), 60..120)) {
        for (api, version) in each_version() {
            let request = ours_request(api, version, &entropy);
            for cut in 0..request.len().min(600) {
                prop_assert!(decode_request(request.slice(..cut)).is_err(), "{:?} {} at {}", api, version, cut);
            }
            let response = ours_response(api, version, &entropy);
            for cut in 0..response.len().min(600) {
                let cut_short = decode_response(response.slice(..cut), api, version);
                prop_assert!(cut_short.is_err(), "{:?} {} at {}", api, version, cut);
            }
        }
    }

    /// Wherever a length may be, a lie is put there.
    #[test]
    fn a_length_that_lies_is_an_error_or_another_message(
        entropy in proptest::collection::vec(any::<u8>(), 60..120)
    ) {
        let lies: [&[u8]; 8] = [
            &[0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xfe],
            &[0x7f, 0xff, 0xff, 0xff],
            &[0x80, 0x00, 0x00, 0x00],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x7f, 0xff],
            &[0xff, 0xfe],
            &[0xff, 0xff, 0x7f],
        ];
        for (api, version) in each_version() {
            let request = ours_request(api, version, &entropy);
            let response = ours_response(api, version, &entropy);
            for lie in lies {
                for at in 0..request.len().min(300) {
                    let _ = decode_request(overwritten(&request, at, lie));
                }
                for at in 0..response.len().min(300) {
                    let _ = decode_response(overwritten(&response, at, lie), api, version);
                }
            }
        }
    }
}

fn overwritten(message: &Bytes, at: usize, lie: &[u8]) -> Bytes {
    let end = message.len().min(at + lie.len());
    let mut bytes = BytesMut::from(&message[..]);
    bytes[at..end].copy_from_slice(&lie[..end - at]);
    bytes.freeze()
}
