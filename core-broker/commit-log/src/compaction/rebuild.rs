//! A batch made anew from the records it keeps: same offsets, same producer, fewer records.

use bytes::{Bytes, BytesMut};
use kafka_wire::record_batch::{BatchError, BatchHeader, Compression, HEADER_BYTES, Record};

use super::Compress;

const DELETE_HORIZON: i16 = 1 << 6;
const CODEC: i16 = 0b111;
const NO_TIMESTAMP: i64 = -1;

/// From when on the batch's tombstones need not be kept, in ms, if a compaction has said so.
pub(super) fn delete_horizon(header: &BatchHeader) -> Option<i64> {
    (header.attributes & DELETE_HORIZON != 0).then_some(header.base_timestamp)
}

/// The whole `batch` without its other records, which are at least one of its own. `horizon` takes the place
/// of the base timestamp.
pub(super) fn with_records(
    batch: &[u8],
    header: &BatchHeader,
    kept: &[Record],
    horizon: Option<i64>,
    compress: Compress,
) -> Result<Bytes, BatchError> {
    let base_timestamp = horizon.unwrap_or(header.base_timestamp);
    let mut section = Vec::new();
    let mut record_bytes = Vec::new();
    for record in kept {
        encode(&mut record_bytes, record, header.base_offset, base_timestamp);
        put_varint(&mut section, record_bytes.len() as i64);
        section.append(&mut record_bytes);
    }
    let codec = header.compression()?;
    let section = match codec {
        Compression::None => Bytes::from(section),
        codec => compress(codec, section.into())?,
    };
    let max_timestamp = match header.log_append_time() {
        true => header.max_timestamp,
        false => kept.iter().map(|record| record.timestamp).max().unwrap_or(NO_TIMESTAMP),
    };
    let mark = if horizon.is_some() { DELETE_HORIZON } else { 0 };
    let attributes = header.attributes & !DELETE_HORIZON | mark;
    let stamp = Stamp { attributes, base_timestamp, max_timestamp, records: kept.len() };
    assemble(batch, &section, stamp)
}

/// The header of `batch` alone: its offsets and its producer's sequence.
pub(super) fn emptied(batch: &[u8], header: &BatchHeader) -> Result<Bytes, BatchError> {
    let attributes = header.attributes & !(DELETE_HORIZON | CODEC);
    let max_timestamp = header.max_timestamp;
    assemble(batch, &[], Stamp { attributes, base_timestamp: NO_TIMESTAMP, max_timestamp, records: 0 })
}

struct Stamp {
    attributes: i16,
    base_timestamp: i64,
    max_timestamp: i64,
    records: usize,
}

/// Fields as drawn in `kafka_wire::record_batch`; what is not stamped stays as it was.
fn assemble(batch: &[u8], section: &[u8], stamp: Stamp) -> Result<Bytes, BatchError> {
    let limit = i32::MAX as usize - HEADER_BYTES;
    if section.len() > limit {
        return Err(BatchError::TooLarge { limit });
    }
    let old = batch.get(..HEADER_BYTES);
    let old = old.ok_or(BatchError::Truncated { needed: HEADER_BYTES, available: batch.len() })?;
    let size = HEADER_BYTES + section.len();
    let mut new = BytesMut::with_capacity(size);
    new.extend_from_slice(old);
    new.extend_from_slice(section);
    new[8..12].copy_from_slice(&(size as i32 - 12).to_be_bytes());
    new[21..23].copy_from_slice(&stamp.attributes.to_be_bytes());
    new[27..35].copy_from_slice(&stamp.base_timestamp.to_be_bytes());
    new[35..43].copy_from_slice(&stamp.max_timestamp.to_be_bytes());
    new[57..61].copy_from_slice(&(stamp.records as i32).to_be_bytes());
    let crc = crc32c::crc32c(&new[21..]);
    new[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(new.freeze())
}

fn encode(out: &mut Vec<u8>, record: &Record, base_offset: i64, base_timestamp: i64) {
    out.push(0); // attributes, unused
    put_varint(out, record.timestamp.wrapping_sub(base_timestamp));
    put_varint(out, record.offset.wrapping_sub(base_offset));
    put_blob(out, record.key.as_deref());
    put_blob(out, record.value.as_deref());
    put_varint(out, record.headers.len() as i64);
    for (name, value) in &record.headers {
        put_blob(out, Some(name));
        put_blob(out, value.as_deref());
    }
}

fn put_blob(out: &mut Vec<u8>, blob: Option<&[u8]>) {
    match blob {
        Some(blob) => {
            put_varint(out, blob.len() as i64);
            out.extend_from_slice(blob);
        }
        None => put_varint(out, -1),
    }
}

/// Zigzag, seven bits per byte, low bits first.
fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}
