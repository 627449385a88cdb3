//! Bytes worked out by hand from the protocol's schema files, field by field. What a released
//! client sends is not ours to change.

mod admin;
mod records;

use kafka_wire::{
    ApiKey, Request, Response, decode_request, decode_response, encode_request, encode_response,
};

/// One string of hex per field or group of fields, the frame size first.
fn golden(fields: &[&str]) -> Vec<u8> {
    let digits: Vec<u8> = fields.concat().bytes().filter(u8::is_ascii_hexdigit).collect();
    let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(hex).collect()
}

pub fn check_request(request: impl Into<Request>, version: i16, client_id: Option<&str>, fields: &[&str]) {
    let (request, frame) = (request.into(), golden(fields));
    assert_eq!(encode_request(&request, version, 7, client_id).unwrap().concat(), frame);
    let (header, back) = decode_request(frame[4..].to_vec().into()).unwrap();
    assert_eq!((header.correlation_id, header.client_id.as_deref()), (7, client_id));
    assert_eq!(back, request);
}

pub fn check_response(response: impl Into<Response>, version: i16, fields: &[&str]) {
    let (response, frame) = (response.into(), golden(fields));
    assert_eq!(encode_response(&response, version, 7).unwrap().concat(), frame);
    let back = decode_response(frame[4..].to_vec().into(), response.api(), version).unwrap();
    assert_eq!(back, (7, response));
}

#[test]
fn every_api_has_its_number() {
    let numbers: Vec<i16> = ApiKey::ALL.iter().map(|api| api.code()).collect();
    assert_eq!(
        numbers,
        [
            0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 32, 33, 35, 37, 42, 43, 44,
            45, 46, 47, 60, 61, 74, 75
        ]
    );
}
