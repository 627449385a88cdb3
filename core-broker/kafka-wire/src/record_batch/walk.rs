//! Whether a batch holds records, and their times, without keeping any of them: what was compressed is read a
//! piece at a time, so that few bytes which become many take time but no memory.

use std::io::BufRead;

use super::{BatchError, BatchHeader, HEADER_BYTES, decode::SMALLEST_HEADER};
use crate::{
    compression::{self, Compression},
    varint,
};

/// For a record without a time.
const NO_TIMESTAMP: i64 = -1;

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
        Compression::None => Walk { codec: Compression::None, reader: section, at: 0, limit }.all(header),
        codec => compression::read(codec, section, limit, |reader| {
            Walk { codec, reader, at: 0, limit }.all(header)
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
        let len = usize::try_from(self.varint()?).map_err(|_| Bad::Record)?;
        let end = self.at.checked_add(len).ok_or(Bad::Record)?;
        self.skip(1, end)?; // attributes, unused
        let timestamp_delta = self.varint()?;
        if self.varint()? != i64::from(index) {
            return Err(Bad::Record);
        }
        let nullable = true;
        self.blob(nullable, end)?; // key
        self.blob(nullable, end)?; // value
        let headers = usize::try_from(self.varint()?).map_err(|_| Bad::Record)?;
        if headers > end.saturating_sub(self.at) / SMALLEST_HEADER {
            return Err(Bad::Record);
        }
        for _ in 0..headers {
            self.blob(false, end)?;
            self.blob(nullable, end)?;
        }
        if self.at == end { Ok(timestamp_delta) } else { Err(Bad::Record) }
    }

    fn blob(&mut self, nullable: bool, end: usize) -> Result<(), Bad> {
        match self.varint()? {
            -1 if nullable => Ok(()),
            len => self.skip(usize::try_from(len).map_err(|_| Bad::Record)?, end),
        }
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
