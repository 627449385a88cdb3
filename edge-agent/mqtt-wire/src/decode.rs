//! One packet off the front of a read buffer.

use bytes::{Buf, BytesMut};

use crate::packet::Kind;
use crate::primitives::{NOT_MINIMAL, Reader, read_variable};
use crate::{DecodeError, Packet, ProtocolVersion};

/// What a peer may ask for.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest packet, fixed header included. Before CONNECT a listener may want a smaller one.
    pub max_packet_bytes: usize,
}

impl Default for Limits {
    /// 256 KiB: a fix is 200 bytes, the rest is room for a tracker that sends its whole backlog at once.
    fn default() -> Self {
        Self { max_packet_bytes: 256 * 1024 }
    }
}

/// Takes the first packet out of `buf`; `None` when its end has not arrived. `version` is what the
/// connection agreed on, `None` before CONNECT, when nothing else is taken. [MQTT-3.1.0-1]
///
/// After an error the connection is over, and what is left in `buf` means nothing.
pub fn decode(
    buf: &mut BytesMut,
    version: Option<ProtocolVersion>,
    limits: &Limits,
) -> Result<Option<Packet>, DecodeError> {
    let Some((&first, after_first)) = buf.split_first() else { return Ok(None) };
    // What is already wrong in the first byte is said before anything more is waited for.
    let kind = Kind::from_first_byte(first, version)?;
    let Some((body_bytes, width)) = read_variable(after_first)? else { return Ok(None) };
    let header_bytes = 1 + width.bytes;
    let packet_bytes = header_bytes + body_bytes as usize;
    if packet_bytes > limits.max_packet_bytes {
        return Err(DecodeError::PacketTooLarge { packet_bytes, max_packet_bytes: limits.max_packet_bytes });
    }
    if width.not_minimal && version.is_some_and(ProtocolVersion::has_properties) {
        return Err(NOT_MINIMAL);
    }
    if buf.len() < packet_bytes {
        return Ok(None);
    }
    let mut packet = buf.split_to(packet_bytes).freeze();
    packet.advance(header_bytes);
    let mut body = Reader::new(packet);
    let packet = Packet::decode_body(kind, first & 0x0f, version, &mut body)?;
    body.finish()?;
    // Only now is it known that a first packet was version 5, which alone forbids the longer form.
    match &packet {
        Packet::Connect(connect) if width.not_minimal && connect.version.has_properties() => Err(NOT_MINIMAL),
        _ => Ok(Some(packet)),
    }
}
