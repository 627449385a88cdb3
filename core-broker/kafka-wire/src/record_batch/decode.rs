//! Taking a batch apart into records, for consumers, tools and the compactor.

use bytes::{Buf, Bytes};

use super::{BatchError, BatchHeader, HEADER_BYTES};
use crate::{compression, varint};

/// Length, attributes, two deltas, two blob lengths and a header count: one byte each.
const SMALLEST_RECORD: usize = 7;
/// Two lengths.
const SMALLEST_HEADER: usize = 2;
/// For a record without a time.
const NO_TIMESTAMP: i64 = -1;

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

/// From the earliest to the latest time of a batch's records, in ms; both -1 where none has a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTimes {
    pub earliest: i64,
    pub latest: i64,
}

/// Whether a validated batch holds records: as many as its header says, each whole, offsets counting up
/// from 0; and their times, whatever the header says of them. For a broker that takes batches from strangers:
/// what it stored without looking, no consumer could get past. Keeps nothing; without compression it only
/// walks the bytes.
pub fn check_records(
    batch: &Bytes,
    header: &BatchHeader,
    max_decompressed_bytes: usize,
) -> Result<RecordTimes, BatchError> {
    let section = batch.slice(HEADER_BYTES.min(batch.len())..header.size.min(batch.len()));
    let section = compression::decompress(header.compression()?, section, max_decompressed_bytes)?;
    let mut rest = &section[..];
    let mut times = RecordTimes { earliest: NO_TIMESTAMP, latest: NO_TIMESTAMP };
    for index in 0..header.record_count {
        let (timestamp_delta, after) = walk_record(rest, index).ok_or(BatchError::BadRecord { index })?;
        rest = after;
        times.note(header.base_timestamp.saturating_add(timestamp_delta));
    }
    if rest.is_empty() { Ok(times) } else { Err(BatchError::TrailingBytes { bytes: rest.len() }) }
}

impl RecordTimes {
    fn note(&mut self, timestamp: i64) {
        if timestamp != NO_TIMESTAMP {
            let none_yet = self.latest == NO_TIMESTAMP;
            self.earliest = if none_yet { timestamp } else { self.earliest.min(timestamp) };
            self.latest = if none_yet { timestamp } else { self.latest.max(timestamp) };
        }
    }
}

/// The timestamp delta of the record at the front, and what follows it; `None` if that is none.
fn walk_record(bytes: &[u8], index: i32) -> Option<(i64, &[u8])> {
    let (len, bytes) = split_varint(bytes)?;
    let (record, rest) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
    let (timestamp_delta, record) = split_varint(record.get(1..)?)?; // behind the attributes, unused
    let (offset_delta, record) = split_varint(record)?;
    if offset_delta != i64::from(index) {
        return None;
    }
    let (key_and_value, nullable) = (2, true);
    let mut record = (0..key_and_value).try_fold(record, |record, _| after_blob(record, nullable))?;
    let header_count;
    (header_count, record) = split_varint(record)?;
    if usize::try_from(header_count).ok()? > record.len() / SMALLEST_HEADER {
        return None;
    }
    for _ in 0..header_count {
        record = after_blob(after_blob(record, false)?, nullable)?;
    }
    record.is_empty().then_some((timestamp_delta, rest))
}

fn split_varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (value, taken) = varint::read_signed(bytes)?;
    Some((value, bytes.get(taken..)?))
}

fn after_blob(bytes: &[u8], nullable: bool) -> Option<&[u8]> {
    match split_varint(bytes)? {
        (-1, rest) if nullable => Some(rest),
        (len, rest) => rest.get(usize::try_from(len).ok()?..),
    }
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
