//! The codecs of a record batch. zstd is always there; the others come with `all-codecs`.
//!
//! Whatever a batch claims, decompression stops at the caller's limit.

#[cfg(feature = "all-codecs")]
mod snappy;

use std::io::Read;

use bytes::Bytes;

use crate::record_batch::BatchError;

/// Level 1 is 784 MB/s on a batch of positions, and higher levels win little on such records.
const ZSTD_LEVEL: i32 = 1;
/// A frame makes its reader reserve its window: 8 MiB serves every level up to 19, 128 MiB all.
const ZSTD_WINDOW_LOG: std::ops::RangeInclusive<u32> = 23..=27;

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
        Compression::Zstd => zstd::bulk::compress(&plain, ZSTD_LEVEL).map(Bytes::from).map_err(failed),
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

pub(crate) fn decompress(codec: Compression, packed: Bytes, limit: usize) -> Result<Bytes, BatchError> {
    match codec {
        Compression::None if packed.len() > limit => Err(BatchError::TooLarge { limit }),
        Compression::None => Ok(packed),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&packed[..])
                .map_err(|_| BatchError::BadCompression(codec))?;
            let window_log = limit.checked_ilog2().map_or(0, |log| log + 1);
            decoder
                .window_log_max(window_log.clamp(*ZSTD_WINDOW_LOG.start(), *ZSTD_WINDOW_LOG.end()))
                .map_err(|_| BatchError::BadCompression(codec))?;
            read_bounded(codec, decoder, limit)
        }
        #[cfg(feature = "all-codecs")]
        Compression::Gzip => read_bounded(codec, flate2::bufread::MultiGzDecoder::new(&packed[..]), limit),
        #[cfg(feature = "all-codecs")]
        Compression::Snappy => snappy::decompress(&packed, limit),
        #[cfg(feature = "all-codecs")]
        Compression::Lz4 => read_bounded(codec, lz4_flex::frame::FrameDecoder::new(&packed[..]), limit),
        #[cfg(not(feature = "all-codecs"))]
        _ => Err(BatchError::CodecNotBuilt(codec)),
    }
}

fn read_bounded(codec: Compression, decoder: impl Read, limit: usize) -> Result<Bytes, BatchError> {
    let mut plain = Vec::new();
    // One byte over the limit is enough to know.
    let mut bounded = decoder.take(limit as u64 + 1);
    bounded.read_to_end(&mut plain).map_err(|_| BatchError::BadCompression(codec))?;
    if plain.len() > limit {
        return Err(BatchError::TooLarge { limit });
    }
    Ok(plain.into())
}
