//! Every message in every version, against the `kafka-protocol` crate.

use bytes::BytesMut;
use kafka_protocol::messages::{ApiKey as TheirApi, RequestKind, ResponseKind};
use proptest::prelude::*;

use crate::api::ApiKey;
use crate::codec::{decode_request, decode_response};
use crate::sample::{each_version, entropy, request_frame, response_frame};

/// Versions of requests the oracle does not know; it was made from Kafka 4.1.
const TOO_NEW: &[(ApiKey, i16)] =
    &[(ApiKey::ListOffsets, 11), (ApiKey::OffsetCommit, 10), (ApiKey::OffsetFetch, 10)];

/// Fields of InitProducerId version 6, which Kafka 4.2 does not offer.
const NOT_SPOKEN: &[&str] =
    &["enable_2_pc", "keep_prepared_txn", "ongoing_txn_producer_id", "ongoing_txn_producer_epoch"];

fn their_api(api: ApiKey) -> TheirApi {
    TheirApi::try_from(api.code()).expect("the oracle has every API")
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Ours to theirs to ours again: the same bytes, so the same layout in both directions. And the
    /// same names for the same numbers: two fields of one size could change places unnoticed.
    #[test]
    fn requests_are_what_the_oracle_reads_and_writes(entropy in entropy(0..400)) {
        for (api, version) in each_version() {
            let ours = request_frame(api, version, &entropy);
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
    fn responses_are_what_the_oracle_reads_and_writes(entropy in entropy(0..400)) {
        for (api, version) in each_version() {
            let ours = response_frame(api, version, &entropy);
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
}
