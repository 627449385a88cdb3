//! Whether a batch holds records, and their times, without keeping any of them: what was compressed is read a
//! piece at a time, so that few bytes which become many take time but no memory.

use std::io::BufRead;

use bytes::Bytes;

use super::{BatchError, BatchHeader, HEADER_BYTES, Record, decode::SMALLEST_HEADER};
use crate::{
    compression::{self, Compression},
    varint,
};

/// For a record without a time.
const NO_TIMESTAMP: i64 = -1;

/// Decoded, a record and a header take so much beside their bytes.
const RECORD_BYTES: usize = size_of::<Record>();
const HEADER_ENTRY_BYTES: usize = size_of::<(Bytes, Option<Bytes>)>();

/// What a batch may take decoded, beside its bytes, or so many times these: whoever decodes what is stored does not
/// have to expect more.
const MOST_DECODED_BYTES: usize = 64 << 20;
const MOST_DECODED_FACTOR: usize = 16;

/// Kafka's lengths, counts and offset deltas have 32 bits; its readers take no longer ones.
const MAX_BYTES_32: usize = 5;

/// From the earliest to the latest time of a batch's records, in ms; both -1 where none has a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTimes {
    pub earliest: i64,
    pub latest: i64,
}

/// Whether a validated batch holds records: as many as its header says, each whole, offsets counting up
/// from 0; and their times, whatever the header says of them. For a broker that takes batches from strangers:
/// what it stored without looking, no consumer could get past.
pub fn check_records(
    batch: &[u8],
    header: &BatchHeader,
    max_decompressed_bytes: usize,
) -> Result<RecordTimes, BatchError> {
    let section = &batch[HEADER_BYTES.min(batch.len())..header.size.min(batch.len())];
    let limit = max_decompressed_bytes;
    match header.compression()? {
        Compression::None => Walk::new(Compression::None, section, section.len(), limit).all(header),
        codec => compression::read(codec, section, limit, |reader| {
            Walk::new(codec, reader, section.len(), limit).all(header)
        }),
    }
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

/// One pass over records.
struct Walk<R> {
    codec: Compression,
    reader: R,
    /// Bytes behind us.
    at: usize,
    limit: usize,
    /// What the records so far take decoded, beside their bytes.
    decoded: usize,
    most_decoded: usize,
}

/// No record, or not of what the record's length allows.
enum Bad {
    Record,
    Batch(BatchError),
}

impl From<BatchError> for Bad {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl<R: BufRead> Walk<R> {
    fn new(codec: Compression, reader: R, packed: usize, limit: usize) -> Self {
        let most_decoded = MOST_DECODED_BYTES.max(packed.saturating_mul(MOST_DECODED_FACTOR));
        Self { codec, reader, at: 0, limit, decoded: 0, most_decoded }
    }

    fn all(mut self, header: &BatchHeader) -> Result<RecordTimes, BatchError> {
        let mut times = RecordTimes { earliest: NO_TIMESTAMP, latest: NO_TIMESTAMP };
        for index in 0..header.record_count {
            let timestamp_delta = self.record(index).map_err(|bad| match bad {
                Bad::Record => BatchError::BadRecord { index },
                Bad::Batch(error) => error,
            })?;
            times.note(header.base_timestamp.saturating_add(timestamp_delta));
        }
        let end = self.at;
        while self.skip_some(usize::MAX)? > 0 {}
        if self.at == end { Ok(times) } else { Err(BatchError::TrailingBytes { bytes: self.at - end }) }
    }

    /// The record's timestamp delta.
    fn record(&mut self, index: i32) -> Result<i64, Bad> {
        self.weigh(RECORD_BYTES)?;
        let len = self.length()?;
        let end = self.at.checked_add(len).ok_or(Bad::Record)?;
        self.skip(1, end)?; // attributes, unused
        let timestamp_delta = self.varint()?;
        if self.varint_32()? != i64::from(index) {
            return Err(Bad::Record);
        }
        let nullable = true;
        self.blob(nullable, end)?; // key
        self.blob(nullable, end)?; // value
        let headers = self.length()?;
        if headers > end.saturating_sub(self.at) / SMALLEST_HEADER {
            return Err(Bad::Record);
        }
        for _ in 0..headers {
            self.weigh(HEADER_ENTRY_BYTES)?;
            self.blob(false, end)?;
            self.blob(nullable, end)?;
        }
        if self.at == end { Ok(timestamp_delta) } else { Err(Bad::Record) }
    }

    fn blob(&mut self, nullable: bool, end: usize) -> Result<(), Bad> {
        match self.varint_32()? {
            -1 if nullable => Ok(()),
            len => self.skip(usize::try_from(len).map_err(|_| Bad::Record)?, end),
        }
    }

    fn length(&mut self) -> Result<usize, Bad> {
        usize::try_from(self.varint_32()?).map_err(|_| Bad::Record)
    }

    fn varint_32(&mut self) -> Result<i64, Bad> {
        let from = self.at;
        let value = self.varint()?;
        let is_short = self.at - from <= MAX_BYTES_32 && i32::try_from(value).is_ok();
        if is_short { Ok(value) } else { Err(Bad::Record) }
    }

    fn varint(&mut self) -> Result<i64, Bad> {
        let (value, taken) = match varint::read_signed(self.piece()?) {
            Some(read) => read,
            // Cut by the end of a piece, or none.
            None => return self.varint_by_bytes(),
        };
        self.pass(taken)?;
        Ok(value)
    }

    fn varint_by_bytes(&mut self) -> Result<i64, Bad> {
        let mut bytes = [0; varint::MAX_BYTES_64];
        for filled in 0..bytes.len() {
            bytes[filled] = *self.piece()?.first().ok_or(Bad::Record)?;
            self.pass(1)?;
            if let Some((value, _)) = varint::read_signed(&bytes[..=filled]) {
                return Ok(value);
            }
        }
        Err(Bad::Record)
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), BatchError> {
        self.decoded += bytes;
        let limit = self.most_decoded;
        if self.decoded > limit { Err(BatchError::TooLarge { limit }) } else { Ok(()) }
    }

    /// Not beyond `end`.
    fn skip(&mut self, bytes: usize, end: usize) -> Result<(), Bad> {
        if bytes > end.saturating_sub(self.at) {
            return Err(Bad::Record);
        }
        let mut left = bytes;
        while left > 0 {
            left -= match self.skip_some(left)? {
                0 => return Err(Bad::Record),
                some => some,
            };
        }
        Ok(())
    }

    fn skip_some(&mut self, most: usize) -> Result<usize, BatchError> {
        let some = self.piece()?.len().min(most);
        self.pass(some)?;
        Ok(some)
    }

    fn piece(&mut self) -> Result<&[u8], BatchError> {
        self.reader.fill_buf().map_err(|error| compression::failed(self.codec, error))
    }

    fn pass(&mut self, bytes: usize) -> Result<(), BatchError> {
        self.reader.consume(bytes);
        self.at += bytes;
        if self.at > self.limit { Err(BatchError::TooLarge { limit: self.limit }) } else { Ok(()) }
    }
}
