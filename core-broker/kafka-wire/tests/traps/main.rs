//! Differences on the wire that have broken brokers and clients before.

mod admin;
mod envelope;
mod fetched;
mod unknowns;

use kafka_wire::{Request, Response, encode_request, encode_response};

const PREFIX: usize = 4;

pub fn request_frame(request: impl Into<Request>, version: i16) -> Vec<u8> {
    encode_request(&request.into(), version, 7, None).unwrap().concat().split_off(PREFIX)
}

pub fn response_frame(response: impl Into<Response>, version: i16) -> Vec<u8> {
    encode_response(&response.into(), version, 7).unwrap().concat().split_off(PREFIX)
}
