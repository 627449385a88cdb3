//! Reads packets written by hand. Tokens, separated by spaces:
//!
//! * `3c` a byte, `3c4d` several
//! * `_text` a string with its two length bytes
//! * `'text` the same without a length
//! * `*` the length of everything behind it, up to the matching `.` or the end

use bytes::BytesMut;
use mqtt_wire::{DecodeError, Limits, Packet, ProtocolVersion, ReasonCode, decode};

/// What a vector is to become.
#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// A packet that is written back as the same bytes.
    Takes,
    /// A packet that we write with other bytes.
    TakesOtherForm,
    /// Refused with this reason code.
    Refuses(u8),
}
pub use Expect::*;

/// What a packet is when its version is not settled yet.
pub fn version_of(name: &str, agreed: ProtocolVersion) -> Option<ProtocolVersion> {
    if name.contains("before CONNECT") { None } else { Some(agreed) }
}

/// Runs a table: every vector whole, and every taken one cut at each byte.
pub fn check(agreed: ProtocolVersion, table: &[(&str, &str, Expect)]) {
    let mut wrong = Vec::new();
    for (name, text, expect) in table {
        let bytes = bytes_of(text);
        let version = version_of(name, agreed);
        let outcome = decode_all(&bytes, version);
        let fine = match (expect, &outcome) {
            (Takes, Ok(Some(packet))) => {
                check_truncations(name, &bytes, version);
                written(packet, agreed) == bytes
            }
            (TakesOtherForm, Ok(Some(packet))) => written(packet, agreed) != bytes,
            (Refuses(code), Err(error)) => error.reason_code() == ReasonCode(*code),
            _ => false,
        };
        if !fine {
            wrong.push(format!("{name}: expected {expect:?}, got {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

fn decode_all(bytes: &[u8], version: Option<ProtocolVersion>) -> Result<Option<Packet>, DecodeError> {
    let mut buf = BytesMut::from(bytes);
    let packet = decode(&mut buf, version, &Limits::default())?;
    assert!(packet.is_none() || buf.is_empty(), "{} bytes were left", buf.len());
    Ok(packet)
}

/// Every prefix asks for more and touches nothing.
fn check_truncations(name: &str, bytes: &[u8], version: Option<ProtocolVersion>) {
    for cut in 0..bytes.len() {
        let mut buf = BytesMut::from(&bytes[..cut]);
        assert_eq!(decode(&mut buf, version, &Limits::default()), Ok(None), "{name}, cut at {cut}");
        assert_eq!(&buf[..], &bytes[..cut], "{name}, cut at {cut}");
    }
}

fn written(packet: &Packet, agreed: ProtocolVersion) -> Vec<u8> {
    let version = if let Packet::Connect(connect) = packet { connect.version } else { agreed };
    let mut out = BytesMut::new();
    mqtt_wire::encode(packet, version, &mut out).unwrap_or_else(|error| panic!("{packet:?}: {error}"));
    out.to_vec()
}

/// The bytes of a vector.
pub fn bytes_of(text: &str) -> Vec<u8> {
    let mut tokens = text.split_whitespace();
    let bytes = sequence(&mut tokens);
    assert_eq!(tokens.next(), None, "a '.' too many in {text}");
    bytes
}

fn sequence<'a>(tokens: &mut impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(token) = tokens.next() {
        if token == "." {
            return bytes;
        } else if token == "*" {
            let inner = sequence(tokens);
            bytes.extend(length(inner.len()));
            bytes.extend(inner);
        } else if let Some(text) = token.strip_prefix('_') {
            bytes.extend((text.len() as u16).to_be_bytes());
            bytes.extend(text.as_bytes());
        } else if let Some(text) = token.strip_prefix('\'') {
            bytes.extend(text.as_bytes());
        } else {
            let byte = |at: usize| u8::from_str_radix(&token[at..at + 2], 16).expect("two hex digits");
            bytes.extend((0..token.len()).step_by(2).map(byte));
        }
    }
    bytes
}

fn length(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
