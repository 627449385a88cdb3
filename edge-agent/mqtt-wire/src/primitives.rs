//! The fields packets are made of: integers, strings, binary data (section 1.5), read with every
//! length checked against what is there.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{DecodeError, EncodeError, PacketId};

/// The largest number four length bytes can say.
pub(crate) const MAX_VARIABLE: usize = 268_435_455;

const SHORT: DecodeError = DecodeError::Malformed("it ends in the middle of a field");

/// Reads fields off the body of one packet.
pub(crate) struct Reader(Bytes);

impl Reader {
    pub fn new(body: Bytes) -> Self {
        Self(body)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| SHORT)
    }

    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| SHORT)
    }

    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.0.try_get_u32().map_err(|_| SHORT)
    }

    /// A packet id, which is never 0. [MQTT-2.3.1-1]
    pub fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?).ok_or(DecodeError::Protocol("packet id 0"))
    }

    /// A variable byte integer in as few bytes as possible. [MQTT-1.5.5-1]
    pub fn variable(&mut self) -> Result<u32, DecodeError> {
        match read_variable(&self.0)? {
            None => Err(SHORT),
            Some((_, width)) if width.not_minimal => Err(NOT_MINIMAL),
            Some((value, width)) => {
                self.0.advance(width.bytes);
                Ok(value)
            }
        }
    }

    pub fn take(&mut self, bytes: usize) -> Result<Bytes, DecodeError> {
        if bytes > self.0.len() { Err(SHORT) } else { Ok(self.0.split_to(bytes)) }
    }

    pub fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let bytes = usize::from(self.u16()?);
        self.take(bytes)
    }

    /// A string: valid UTF-8 without U+0000. [MQTT-1.5.4-1], [MQTT-1.5.4-2]
    pub fn text(&mut self) -> Result<String, DecodeError> {
        let bytes = self.binary()?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| DecodeError::Malformed("a string is not UTF-8"))?;
        if text.contains('\0') {
            return Err(DecodeError::Malformed("a string holds U+0000"));
        }
        Ok(text.to_owned())
    }

    /// All that is left.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Malformed("bytes are left over at its end")) }
    }
}

pub(crate) const NOT_MINIMAL: DecodeError =
    DecodeError::Malformed("a length is written in more bytes than it needs");

/// How a variable byte integer was written.
pub(crate) struct Width {
    pub bytes: usize,
    pub not_minimal: bool,
}

/// The variable byte integer at the front of `bytes`; `None` when its end has not arrived.
pub(crate) fn read_variable(bytes: &[u8]) -> Result<Option<(u32, Width)>, DecodeError> {
    let mut value = 0_u32;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, Width { bytes: at + 1, not_minimal: at > 0 && *byte == 0 })));
        }
    }
    if bytes.len() < 4 {
        Ok(None)
    } else {
        Err(DecodeError::Malformed("a length goes on after its fourth byte"))
    }
}

pub(crate) fn put_binary(bytes: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    let length = u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong(bytes.len()))?;
    out.put_u16(length);
    out.put_slice(bytes);
    Ok(())
}

pub(crate) fn put_text(text: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    put_binary(text.as_bytes(), out)
}

pub(crate) fn put_variable(value: u32, out: &mut BytesMut) {
    let (bytes, width) = variable_bytes(value);
    out.put_slice(&bytes[..width]);
}

fn variable_bytes(mut value: u32) -> ([u8; 4], usize) {
    assert!(value as usize <= MAX_VARIABLE, "{value} does not fit four length bytes");
    let mut bytes = [0; 4];
    let mut width = 0;
    loop {
        bytes[width] = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return (bytes, width + 1);
        }
        bytes[width] |= 0x80;
        width += 1;
    }
}

/// Writes a body behind its own length. The length nearly always fits one byte, so room for one is
/// left, and only a longer body is moved up.
pub(crate) fn put_with_length(
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_u8(0);
    body(out)?;
    let bytes = out.len() - start - 1;
    if bytes > MAX_VARIABLE {
        return Err(EncodeError::PacketTooLarge(bytes));
    }
    let (length, width) = variable_bytes(bytes as u32);
    out.put_bytes(0, width - 1);
    out.copy_within(start + 1..start + 1 + bytes, start + width);
    out[start..start + width].copy_from_slice(&length[..width]);
    Ok(())
}
