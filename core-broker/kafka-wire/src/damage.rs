//! Every message in every version, damaged in every way that a peer can think of: it is an error or
//! another message, and never more than was sent.

#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

use crate::api::{ApiKey, Response};
use crate::codec::{decode_request, decode_response, encode_request, encode_response};
use crate::error_code::ErrorCode;
use crate::sample::joined;

/// What is put where a length may be, in both forms: -1, -2, the largest and the smallest.
pub const LIES: &[&[u8]] = &[
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

/// Two tags that nobody has given a meaning, the larger one first.
pub const UNKNOWN_TAGS: &[u8] = b"\x02\xff\x7f\x01x\xc8\x01\x00";

/// All places in a message, but for the inside of a long one: there are the bytes of records.
pub fn places(message: &Bytes) -> impl Iterator<Item = usize> + use<> {
    let end = message.len();
    (0..end.min(400)).chain(end.saturating_sub(100).max(400)..end)
}

pub fn overwritten(message: &Bytes, at: usize, lie: &[u8]) -> Bytes {
    let end = message.len().min(at + lie.len());
    let mut bytes = BytesMut::from(&message[..]);
    bytes[at..end].copy_from_slice(&lie[..end - at]);
    bytes.freeze()
}

/// What was read can be written, is the same when read again, and takes no more bytes than came:
/// nothing was believed that was not there.
pub fn check_request(frame: Bytes) {
    let came = frame.len();
    let Ok((header, request)) = decode_request(frame) else { return };
    let chunks = encode_request(&request, header.version, header.correlation_id, header.client_id.as_deref());
    let again = joined(chunks.unwrap());
    assert!(again.len() <= came, "{header:?}: {came} bytes became {}", again.len());
    assert_eq!(decode_request(again), Ok((header, request)));
}

pub fn check_response(frame: Bytes, api: ApiKey, version: i16) {
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
