//! Requests of clients, and the responses that the command line reads.

use bytes::Bytes;
use kafka_wire::{
    ApiKey, damage,
    sample::{each_version, request_frame, response_frame},
};

/// As long as a message of every kind has something in each of its fields.
const RICH_BYTES: usize = 200;

/// A frame as a client sends it, without its length.
pub fn check_request(data: &[u8]) {
    damage::check_request(Bytes::copy_from_slice(data));
}

/// The key of the API, the version, then the frame.
pub fn check_response(data: &[u8]) {
    let Some(([key @ .., version_high, version_low], frame)) = data.split_first_chunk::<4>() else { return };
    let Some(api) = ApiKey::from_code(i16::from_be_bytes(*key)) else { return };
    let version = i16::from_be_bytes([*version_high, *version_low]);
    damage::check_response(Bytes::copy_from_slice(frame), api, version);
}

pub fn request_seeds() -> Vec<Vec<u8>> {
    let of_version =
        |(api, version)| entropies().map(move |entropy| request_frame(api, version, &entropy).to_vec());
    each_version().flat_map(of_version).collect()
}

pub fn response_seeds() -> Vec<Vec<u8>> {
    let of_version = |(api, version): (ApiKey, i16)| {
        entropies().map(move |entropy| {
            let frame = response_frame(api, version, &entropy);
            [&api.code().to_be_bytes()[..], &version.to_be_bytes(), &frame].concat()
        })
    };
    each_version().flat_map(of_version).collect()
}

/// For a message of defaults, and one with much in it.
fn entropies() -> impl Iterator<Item = Vec<u8>> {
    let rich = (0..RICH_BYTES).map(|at| (at * 37 % 251) as u8).collect();
    [Vec::new(), rich].into_iter()
}
