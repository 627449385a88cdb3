//! Taking a batch apart into records, for consumers, tools and the compactor. A broker that only wants to know
//! whether a batch is one keeps nothing of it: see `walk`.

use bytes::{Buf, Bytes};

use super::{BatchError, BatchHeader, HEADER_BYTES};
use crate::{compression, varint};

/// Length, attributes, two deltas, two blob lengths and a header count: one byte each.
const SMALLEST_RECORD: usize = 7;
/// Two lengths.
pub(super) const SMALLEST_HEADER: usize = 2;

/// One record, its key and value slices of the batch (or of its decompressed records).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    /// Milliseconds since 1970, -1 for none.
    pub timestamp: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// Decodes the one batch at the front of `batch`, whose checksum must hold.
pub fn decode_records(batch: Bytes, max_decompressed_bytes: usize) -> Result<Vec<Record>, BatchError> {
    let header = BatchHeader::intact(&batch)?;
    let compressed = batch.slice(HEADER_BYTES..header.size);
    let mut section = compression::decompress(header.compression()?, compressed, max_decompressed_bytes)?;

    let most = section.len() / SMALLEST_RECORD;
    let count = usize::try_from(header.record_count).ok().filter(|count| *count <= most).ok_or(
        BatchError::BadCount {
            record_count: header.record_count,
            last_offset_delta: header.last_offset_delta,
        },
    )?;
    let mut records = Vec::with_capacity(count);
    for index in 0..header.record_count {
        records.push(read_record(&mut section, &header).ok_or(BatchError::BadRecord { index })?);
    }
    if section.has_remaining() {
        return Err(BatchError::TrailingBytes { bytes: section.len() });
    }
    Ok(records)
}

/// `None` if the bytes are not a record.
fn read_record(section: &mut Bytes, header: &BatchHeader) -> Option<Record> {
    let len = usize::try_from(read_varint(section)?).ok()?;
    let mut bytes = take(section, len)?;
    take(&mut bytes, 1)?; // Attributes, unused.
    let timestamp_delta = read_varint(&mut bytes)?;
    let offset_delta = i64::from(i32::try_from(read_varint(&mut bytes)?).ok()?);
    let key = read_blob(&mut bytes)?;
    let value = read_blob(&mut bytes)?;

    let header_count = usize::try_from(read_varint(&mut bytes)?).ok()?;
    if header_count > bytes.len() / SMALLEST_HEADER {
        return None;
    }
    let mut headers = Vec::with_capacity(header_count);
    for _ in 0..header_count {
        let name = read_blob(&mut bytes)??;
        headers.push((name, read_blob(&mut bytes)?));
    }
    if bytes.has_remaining() {
        return None;
    }
    Some(Record {
        offset: header.base_offset.checked_add(offset_delta)?,
        timestamp: match header.log_append_time() {
            true => header.max_timestamp,
            false => header.base_timestamp.checked_add(timestamp_delta)?,
        },
        key,
        value,
        headers,
    })
}

fn read_varint(bytes: &mut Bytes) -> Option<i64> {
    let (value, taken) = varint::read_signed(bytes)?;
    bytes.advance(taken);
    Some(value)
}

/// The inner `None` is a null blob, the outer one a malformed record.
fn read_blob(bytes: &mut Bytes) -> Option<Option<Bytes>> {
    match read_varint(bytes)? {
        -1 => Some(None),
        len => Some(Some(take(bytes, usize::try_from(len).ok()?)?)),
    }
}

fn take(bytes: &mut Bytes, len: usize) -> Option<Bytes> {
    (len <= bytes.len()).then(|| bytes.split_to(len))
}
