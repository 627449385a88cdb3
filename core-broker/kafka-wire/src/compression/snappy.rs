//! Snappy as Kafka speaks it: the Java library's own framing around raw blocks. Some clients send
//! one raw block and no framing; it is read too.
//!
//! ```text
//! 82 "SNAPPY" 00 | version i32 | compatible i32 | (length i32 | raw block)*
//! ```

use std::io::{self, BufRead, Read};

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

/// Block by block.
pub struct Reader<'a> {
    rest: &'a [u8],
    is_framed: bool,
    /// Of what is left to come.
    limit: usize,
    most: usize,
    block: Vec<u8>,
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(packed: &'a [u8], limit: usize) -> Result<Self, BatchError> {
        let is_framed = packed.starts_with(MAGIC);
        let rest = if is_framed { packed.get(FRAME_HEADER_BYTES..).ok_or(CORRUPT)? } else { packed };
        Ok(Self { rest, is_framed, limit, most: limit, block: Vec::new(), at: 0 })
    }

    fn next_block(&mut self) -> Result<(), BatchError> {
        let mut block = std::mem::take(&mut self.rest);
        if self.is_framed {
            let (len, after) = block.split_first_chunk::<4>().ok_or(CORRUPT)?;
            let len = u32::from_be_bytes(*len) as usize;
            (block, self.rest) = after.split_at_checked(len).ok_or(CORRUPT)?;
        }
        let claimed = snap::raw::decompress_len(block).map_err(|_| CORRUPT)?;
        if claimed > self.limit {
            return Err(BatchError::TooLarge { limit: self.most });
        }
        if claimed > block.len().saturating_mul(MAX_RATIO) {
            return Err(CORRUPT);
        }
        self.at = 0;
        self.block.clear();
        self.block.resize(claimed, 0);
        let written = snap::raw::Decoder::new().decompress(block, &mut self.block).map_err(|_| CORRUPT)?;
        self.block.truncate(written);
        self.limit -= written;
        Ok(())
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.block.len() && !self.rest.is_empty() {
            self.next_block().map_err(io::Error::other)?;
        }
        Ok(&self.block[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?.read(buffer)?;
        self.consume(bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression;

    fn decompress(packed: &[u8], limit: usize) -> Result<Bytes, BatchError> {
        compression::decompress(Compression::Snappy, Bytes::copy_from_slice(packed), limit)
    }

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
