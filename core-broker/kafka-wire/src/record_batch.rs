//! Record batches, magic 2 (KIP-98): a header of 61 bytes and a section of records.
//!
//! ```text
//!  0 base_offset            i64   patched by the leader, outside the CRC
//!  8 batch_length           i32   bytes after this field
//! 12 partition_leader_epoch i32   patched by the leader, outside the CRC
//! 16 magic                  i8    2
//! 17 crc                    u32   CRC32C of everything from byte 21 on
//! 21 attributes             i16   0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon
//! 23 last_offset_delta      i32
//! 27 base_timestamp         i64   ms
//! 35 max_timestamp          i64   ms
//! 43 producer_id            i64
//! 51 producer_epoch         i16
//! 53 base_sequence          i32
//! 57 record_count           i32
//! 61 records, compressed together
//! ```
//! A broker checks and patches the header in place and never decodes the records: that is what
//! keeps the hot path cheap. Decoding is for consumers, tools and the compactor.

mod decode;
mod encode;
mod walk;

use std::ops::Range;

pub use crate::compression::{Compression, compress};
pub use decode::{Record, decode_records};
pub use encode::{Producer, RecordSet, RecordsEncoder, assemble, recompress};
pub use walk::{RecordTimes, check_records};

pub const HEADER_BYTES: usize = 61;

/// `base_offset` and `batch_length`, which `batch_length` does not count.
const LENGTH_END: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;
const MAGIC: i8 = 2;

const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    #[error("batch cut short: {needed} bytes needed, {available} there")]
    Truncated { needed: usize, available: usize },
    #[error("batch length {0} cannot hold a header")]
    BadLength(i32),
    #[error("message format {0} is not supported, only 2")]
    UnsupportedMagic(i8),
    #[error("checksum mismatch: header says {stored:08x}, bytes say {computed:08x}")]
    BadChecksum { stored: u32, computed: u32 },
    #[error("{record_count} records with a last offset delta of {last_offset_delta}")]
    BadCount { record_count: i32, last_offset_delta: i32 },
    #[error("timestamp {0} is before 1970 and is not -1")]
    BadTimestamp(i64),
    #[error("compression codec {0} does not exist")]
    UnknownCodec(i16),
    #[error("{0:?} is not built into this program")]
    CodecNotBuilt(Compression),
    #[error("{0:?} data is corrupt")]
    BadCompression(Compression),
    #[error("the limit of {limit} bytes is exceeded")]
    TooLarge { limit: usize },
    #[error("record {index} is malformed")]
    BadRecord { index: i32 },
    #[error("{bytes} bytes are left after the last record")]
    TrailingBytes { bytes: usize },
    #[error("a batch needs at least one record")]
    Empty,
}

/// The header of one batch, as read: nothing in it is trusted further than the constructor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// The whole batch in bytes, header and its first 12 bytes included.
    pub size: usize,
    pub partition_leader_epoch: i32,
    /// Of everything from the attributes on, as the header says it.
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header alone and checks magic and length. The rest of the batch need not be there.
    pub fn peek(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        // Magic 0 and 1 have shorter headers; they deserve their own error, not "cut short".
        if let Some(&magic) = bytes.get(MAGIC_AT)
            && magic as i8 != MAGIC
        {
            return Err(BatchError::UnsupportedMagic(magic as i8));
        }
        let header = bytes
            .first_chunk::<HEADER_BYTES>()
            .ok_or(BatchError::Truncated { needed: HEADER_BYTES, available: bytes.len() })?;
        let length = i32::from_be_bytes(field(header, 8));
        let size = usize::try_from(length).ok().and_then(|length| length.checked_add(LENGTH_END));
        let size = size.filter(|size| *size >= HEADER_BYTES).ok_or(BatchError::BadLength(length))?;
        Ok(BatchHeader {
            base_offset: i64::from_be_bytes(field(header, 0)),
            size,
            partition_leader_epoch: i32::from_be_bytes(field(header, 12)),
            crc: u32::from_be_bytes(field(header, CRC_AT)),
            attributes: i16::from_be_bytes(field(header, 21)),
            last_offset_delta: i32::from_be_bytes(field(header, 23)),
            base_timestamp: i64::from_be_bytes(field(header, 27)),
            max_timestamp: i64::from_be_bytes(field(header, 35)),
            producer_id: i64::from_be_bytes(field(header, 43)),
            producer_epoch: i16::from_be_bytes(field(header, 51)),
            base_sequence: i32::from_be_bytes(field(header, 53)),
            record_count: i32::from_be_bytes(field(header, 57)),
        })
    }

    /// One whole batch is at the front of `bytes` and its checksum holds. For a log or a follower:
    /// what compaction left may have fewer records than offsets.
    pub fn intact(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let header = Self::peek(bytes)?;
        let batch = bytes
            .get(..header.size)
            .ok_or(BatchError::Truncated { needed: header.size, available: bytes.len() })?;
        let stored = u32::from_be_bytes(field(batch, CRC_AT));
        let computed = crc32c::crc32c(&batch[CRC_FROM..]);
        if stored != computed {
            return Err(BatchError::BadChecksum { stored, computed });
        }
        Ok(header)
    }

    /// One whole batch as a producer may send it is at the front of `bytes`: intact, one offset
    /// per record, a codec that exists. Whether control or transactional batches are welcome is
    /// for the caller to say.
    pub fn validate(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let header = Self::intact(bytes)?;
        let BatchHeader { record_count, last_offset_delta, .. } = header;
        if record_count <= 0 || last_offset_delta != record_count - 1 {
            return Err(BatchError::BadCount { record_count, last_offset_delta });
        }
        header.compression()?;
        // Not `max >= base`: producers exist that leave the maximum at -1, and Kafka takes them.
        for timestamp in [header.base_timestamp, header.max_timestamp] {
            if timestamp < -1 {
                return Err(BatchError::BadTimestamp(timestamp));
            }
        }
        Ok(header)
    }

    pub fn compression(&self) -> Result<Compression, BatchError> {
        Compression::from_attributes(self.attributes)
    }

    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// The leader's clock stamped this batch: every record has `max_timestamp`.
    pub fn log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// The sequence number of the last record; after `i32::MAX` comes 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let sequences = i64::from(i32::MAX) + 1;
        (i64::from(self.base_sequence) + i64::from(self.last_offset_delta)).rem_euclid(sequences) as i32
    }

    /// Written by an idempotent or transactional producer.
    pub fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }
}

/// Puts a batch into its place in the log. Both fields lie outside the checksum.
///
/// `batch` is one that [`BatchHeader::validate`] or [`BatchHeader::intact`] accepted.
pub fn set_base_offset_and_epoch(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[0..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Stamps the batch with the leader's clock (`message.timestamp.type=LogAppendTime`) and rewrites
/// the checksum over `batch`, which is exactly one accepted batch.
pub fn set_log_append_time(batch: &mut [u8], timestamp_ms: i64) {
    let attributes = i16::from_be_bytes(field(batch, 21)) | LOG_APPEND_TIME;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
    write_checksum(batch);
}

/// Has the header of a batch say that its records carry the producer's times, of which this is the latest,
/// and rewrites the checksum over `batch`, which is exactly one accepted batch.
pub fn set_create_time(batch: &mut [u8], max_timestamp_ms: i64) {
    let attributes = i16::from_be_bytes(field(batch, 21)) & !LOG_APPEND_TIME;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[35..43].copy_from_slice(&max_timestamp_ms.to_be_bytes());
    write_checksum(batch);
}

fn write_checksum(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
}

/// Walks a run of batches: each header and where its batch lies. Checksums are not computed.
/// The walk ends after the first error; a last batch that is cut short is `Truncated`.
pub fn batches(bytes: &[u8]) -> impl Iterator<Item = Result<(BatchHeader, Range<usize>), BatchError>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let step = BatchHeader::peek(rest).and_then(|header| {
            if header.size > rest.len() {
                return Err(BatchError::Truncated { needed: header.size, available: rest.len() });
            }
            Ok((header, start..start + header.size))
        });
        start = step.as_ref().map_or(bytes.len(), |(_, range)| range.end);
        Some(step)
    })
}

/// `N` bytes at a fixed place in a header whose length the caller has checked.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests;
