//! The codecs of a record batch. zstd is always there; the others come with `all-codecs`.
//!
//! Whatever a batch claims, decompression stops at the caller's limit.

#[cfg(feature = "all-codecs")]
mod snappy;

mod zstd;

#[cfg(feature = "all-codecs")]
use std::io::BufReader;
use std::io::{self, BufRead, Read};

use bytes::Bytes;

use crate::record_batch::BatchError;

/// What is decompressed at a time: it stays in the processor's cache until it was looked at.
const PIECE_BYTES: usize = 64 << 10;

/// The codec in bits 0 to 2 of a batch's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    pub fn from_attributes(attributes: i16) -> Result<Compression, BatchError> {
        match attributes & 0b111 {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            codec => Err(BatchError::UnknownCodec(codec)),
        }
    }

    pub fn to_attributes(self) -> i16 {
        self as i16
    }
}

/// Compresses a section of records.
pub fn compress(codec: Compression, plain: Bytes) -> Result<Bytes, BatchError> {
    let failed = |_| BatchError::BadCompression(codec);
    match codec {
        Compression::None => Ok(plain),
        Compression::Zstd => zstd::compress(&plain).map(Bytes::from).map_err(failed),
        #[cfg(feature = "all-codecs")]
        Compression::Gzip => {
            let mut encoder = flate2::read::GzEncoder::new(&plain[..], flate2::Compression::default());
            let mut out = Vec::new();
            encoder.read_to_end(&mut out).map_err(failed)?;
            Ok(out.into())
        }
        #[cfg(feature = "all-codecs")]
        Compression::Snappy => snappy::compress(&plain),
        #[cfg(feature = "all-codecs")]
        Compression::Lz4 => {
            use std::io::Write;
            // Blocks that stand alone: the Java reader refuses linked ones.
            let info = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Independent);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(&plain).map_err(failed)?;
            Ok(encoder.finish().map_err(|_| BatchError::BadCompression(codec))?.into())
        }
        #[cfg(not(feature = "all-codecs"))]
        _ => Err(BatchError::CodecNotBuilt(codec)),
    }
}

/// Lends what `packed` was, a piece at a time. Of what it would become beyond `limit` the reader may hold nothing;
/// that it goes no further is for who reads.
pub(crate) fn read<T>(
    codec: Compression,
    packed: &[u8],
    limit: usize,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T, BatchError>,
) -> Result<T, BatchError> {
    match codec {
        Compression::None => read(&mut { packed }),
        Compression::Zstd => zstd::read(packed, limit, read),
        #[cfg(feature = "all-codecs")]
        Compression::Gzip => {
            read(&mut BufReader::with_capacity(PIECE_BYTES, flate2::bufread::MultiGzDecoder::new(packed)))
        }
        #[cfg(feature = "all-codecs")]
        Compression::Snappy => read(&mut snappy::Reader::new(packed, limit)?),
        #[cfg(feature = "all-codecs")]
        Compression::Lz4 => read(&mut lz4_flex::frame::FrameDecoder::new(packed)),
        #[cfg(not(feature = "all-codecs"))]
        _ => Err(BatchError::CodecNotBuilt(codec)),
    }
}

/// All of it, at most `limit` bytes.
pub(crate) fn decompress(codec: Compression, packed: Bytes, limit: usize) -> Result<Bytes, BatchError> {
    if codec == Compression::None && packed.len() <= limit {
        return Ok(packed);
    }
    read(codec, &packed, limit, |reader| {
        let mut plain = Vec::new();
        // One byte over the limit is enough to know.
        let mut bounded = reader.take(limit as u64 + 1);
        bounded.read_to_end(&mut plain).map_err(|error| failed(codec, error))?;
        if plain.len() > limit { Err(BatchError::TooLarge { limit }) } else { Ok(plain.into()) }
    })
}

/// What a reader told, as it is told of a batch.
pub(crate) fn failed(codec: Compression, error: io::Error) -> BatchError {
    error.downcast::<BatchError>().unwrap_or(BatchError::BadCompression(codec))
}
