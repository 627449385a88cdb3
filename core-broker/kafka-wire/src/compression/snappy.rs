//! Snappy as Kafka speaks it: the Java library's own framing around raw blocks. Some clients send
//! one raw block and no framing; it is read too.
//!
//! ```text
//! 82 "SNAPPY" 00 | version i32 | compatible i32 | (length i32 | raw block)*
//! ```

use bytes::{BufMut, Bytes};

use super::Compression;
use crate::record_batch::BatchError;

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const VERSION: u32 = 1;
const FRAME_HEADER_BYTES: usize = 16;
const BLOCK_BYTES: usize = 32 * 1024;
/// No snappy element makes more than 64 bytes from three, so a longer claim is a lie.
const MAX_RATIO: usize = 22;

const CORRUPT: BatchError = BatchError::BadCompression(Compression::Snappy);

pub fn compress(plain: &[u8]) -> Result<Bytes, BatchError> {
    let mut out = Vec::with_capacity(FRAME_HEADER_BYTES + plain.len() / 2);
    out.put_slice(MAGIC);
    out.put_u32(VERSION);
    out.put_u32(VERSION);
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(BLOCK_BYTES) {
        let packed = encoder.compress_vec(block).map_err(|_| CORRUPT)?;
        out.put_u32(packed.len() as u32);
        out.put_slice(&packed);
    }
    Ok(out.into())
}

pub fn decompress(packed: &[u8], limit: usize) -> Result<Bytes, BatchError> {
    let mut plain = Vec::new();
    if !packed.starts_with(MAGIC) {
        append_block(packed, &mut plain, limit)?;
        return Ok(plain.into());
    }
    let mut rest = packed.get(FRAME_HEADER_BYTES..).ok_or(CORRUPT)?;
    while !rest.is_empty() {
        let (len, after) = rest.split_first_chunk::<4>().ok_or(CORRUPT)?;
        let len = u32::from_be_bytes(*len) as usize;
        append_block(after.get(..len).ok_or(CORRUPT)?, &mut plain, limit)?;
        rest = &after[len..];
    }
    Ok(plain.into())
}

fn append_block(block: &[u8], plain: &mut Vec<u8>, limit: usize) -> Result<(), BatchError> {
    let claimed = snap::raw::decompress_len(block).map_err(|_| CORRUPT)?;
    if claimed > limit.saturating_sub(plain.len()) {
        return Err(BatchError::TooLarge { limit });
    }
    if claimed > block.len().saturating_mul(MAX_RATIO) {
        return Err(CORRUPT);
    }
    let start = plain.len();
    plain.resize(start + claimed, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut plain[start..]).map_err(|_| CORRUPT)?;
    plain.truncate(start + written);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_that_of_the_java_library() {
        let golden = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x05\x03\x08abc";
        assert_eq!(compress(b"abc").unwrap(), &golden[..]);
        assert_eq!(decompress(golden, 100).unwrap(), &b"abc"[..]);
    }

    #[test]
    fn blocks_of_a_long_text_are_joined() {
        let text = b"51.5,-0.1 ".repeat(10_000);
        assert_eq!(decompress(&compress(&text).unwrap(), text.len()).unwrap(), text);
        assert_eq!(
            decompress(&compress(&text).unwrap(), text.len() - 1),
            Err(BatchError::TooLarge { limit: text.len() - 1 })
        );
    }

    #[test]
    fn a_claim_no_block_can_meet_is_refused() {
        // 16 MiB from one byte.
        let refused = decompress(b"\x80\x80\x80\x08\x00", 1 << 30);
        assert_eq!(refused, Err(CORRUPT));
    }

    #[test]
    fn a_cut_frame_is_refused() {
        let frame = compress(b"abc").unwrap();
        for cut in 1..frame.len() {
            if cut != FRAME_HEADER_BYTES {
                assert!(decompress(&frame[..cut], 100).is_err(), "{cut}");
            }
        }
    }
}
