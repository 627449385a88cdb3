//! The frame: 14 bytes of header, then the body.
//!
//! ```text
//!  0        4      6    7    8       10       14
//!  +--------+------+----+----+-------+--------+------ ... ------+
//!  | length | "LH" | v  |kind| flags | crc32c | body            |
//!  | u32    | u16  | u8 | u8 | u16   | u32    | length-10 bytes |
//!  +--------+------+----+----+-------+--------+------ ... ------+
//! ```
//! Big endian. `length` counts what follows it; the CRC covers version, kind, flags and body. A length
//! is compared with [`MAX_FRAME_BYTES`] before a byte is waited for, and nothing is reserved for it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    VERSION,
    body::{Hello, LaneOpened, OpenLane, Refusal, Subscribe, Welcome},
};

pub const HEADER_BYTES: usize = 14;

/// Largest frame, header included: a batch of `message.max.bytes` and room for its header.
pub const MAX_FRAME_BYTES: usize = 1_100_000;

/// Flag of a block: it was sent before, on this or an earlier connection.
pub const BLOCK_RESENT: u16 = 1;

const MAGIC: u16 = 0x4c48; // "LH"

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Hello(Hello),
    Welcome(Welcome),
    OpenLane(OpenLane),
    LaneOpened(LaneOpened),
    /// One Kafka v2 record batch.
    Block {
        resent: bool,
        batch: Bytes,
    },
    /// Everything up to and including this sequence is stored and synced.
    Ack {
        through_sequence: i32,
    },
    Refused(Refusal),
    Subscribe(Subscribe),
    /// Whole record batches of one partition; the next delivery starts at `next_offset`.
    Deliver {
        partition: i32,
        next_offset: i64,
        batches: Bytes,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("frame of {0} bytes: at most {MAX_FRAME_BYTES} are allowed")]
    TooLong(usize),
    #[error("frame of {0} bytes is shorter than its header")]
    TooShort(usize),
    #[error("not an edge frame: magic {0:#06x} instead of {MAGIC:#06x}")]
    Magic(u16),
    #[error("edge protocol version {0} is not known here (only {VERSION})")]
    Version(u8),
    #[error("frame kind {0} is not known in version {VERSION}")]
    Kind(u8),
    #[error("frame checksum does not match: the bytes changed on the way")]
    Checksum,
    #[error("body of frame kind {0} is malformed")]
    Body(u8),
}

/// Takes one frame off the front of `buffer`; `None` when more bytes are needed.
pub fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let total = (u32::from_be_bytes(*length) as usize).saturating_add(4);
    if total > MAX_FRAME_BYTES {
        return Err(DecodeError::TooLong(total));
    }
    if total < HEADER_BYTES {
        return Err(DecodeError::TooShort(total));
    }
    if buffer.len() < total {
        return Ok(None);
    }
    let mut bytes = buffer.split_to(total).freeze();
    bytes.advance(4);
    let magic = bytes.get_u16();
    if magic != MAGIC {
        return Err(DecodeError::Magic(magic));
    }
    let (version, kind, flags, crc) = (bytes.get_u8(), bytes.get_u8(), bytes.get_u16(), bytes.get_u32());
    if crc != checksum(version, kind, flags, &bytes) {
        return Err(DecodeError::Checksum);
    }
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    decode_body(kind, flags, bytes).map(Some)
}

fn decode_body(kind: u8, flags: u16, mut body: Bytes) -> Result<Frame, DecodeError> {
    let frame = match kind {
        1 => Frame::Hello(from_postcard(kind, &body)?),
        2 => Frame::Welcome(from_postcard(kind, &body)?),
        3 => Frame::OpenLane(from_postcard(kind, &body)?),
        4 => Frame::LaneOpened(from_postcard(kind, &body)?),
        5 => Frame::Block { resent: flags & BLOCK_RESENT != 0, batch: body },
        6 => {
            if body.len() != 4 {
                return Err(DecodeError::Body(kind));
            }
            Frame::Ack { through_sequence: body.get_i32() }
        }
        7 => Frame::Refused(from_postcard(kind, &body)?),
        8 => Frame::Subscribe(from_postcard(kind, &body)?),
        9 => {
            if body.len() < 12 {
                return Err(DecodeError::Body(kind));
            }
            Frame::Deliver { partition: body.get_i32(), next_offset: body.get_i64(), batches: body }
        }
        other => return Err(DecodeError::Kind(other)),
    };
    Ok(frame)
}

/// The whole body must be used: trailing bytes are another version's fields.
fn from_postcard<T: DeserializeOwned>(kind: u8, body: &[u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes::<T>(body) {
        Ok((value, [])) => Ok(value),
        _ => Err(DecodeError::Body(kind)),
    }
}

/// Appends the frame to `out`.
pub fn encode(frame: &Frame, out: &mut BytesMut) {
    let start = out.len();
    out.put_bytes(0, HEADER_BYTES);
    let (kind, flags) = match frame {
        Frame::Hello(body) => (put_postcard(body, out, 1), 0),
        Frame::Welcome(body) => (put_postcard(body, out, 2), 0),
        Frame::OpenLane(body) => (put_postcard(body, out, 3), 0),
        Frame::LaneOpened(body) => (put_postcard(body, out, 4), 0),
        Frame::Block { resent, batch } => {
            out.put_slice(batch);
            (5, if *resent { BLOCK_RESENT } else { 0 })
        }
        Frame::Ack { through_sequence } => {
            out.put_i32(*through_sequence);
            (6, 0)
        }
        Frame::Refused(body) => (put_postcard(body, out, 7), 0),
        Frame::Subscribe(body) => (put_postcard(body, out, 8), 0),
        Frame::Deliver { partition, next_offset, batches } => {
            out.put_i32(*partition);
            out.put_i64(*next_offset);
            out.put_slice(batches);
            (9, 0)
        }
    };
    let total = out.len() - start;
    assert!(total <= MAX_FRAME_BYTES, "a frame of {total} bytes: its sender must split it");
    let crc = checksum(VERSION, kind, flags, &out[start + HEADER_BYTES..]);
    let mut header = &mut out[start..start + HEADER_BYTES];
    header.put_u32((total - 4) as u32);
    header.put_u16(MAGIC);
    header.put_u8(VERSION);
    header.put_u8(kind);
    header.put_u16(flags);
    header.put_u32(crc);
}

fn put_postcard<T: Serialize>(body: &T, out: &mut BytesMut, kind: u8) -> u8 {
    let bytes = postcard::to_stdvec(body).expect("our own plain structs always encode");
    out.put_slice(&bytes);
    kind
}

fn checksum(version: u8, kind: u8, flags: u16, body: &[u8]) -> u32 {
    let [high, low] = flags.to_be_bytes();
    crc32c::crc32c_append(crc32c::crc32c(&[version, kind, high, low]), body)
}
