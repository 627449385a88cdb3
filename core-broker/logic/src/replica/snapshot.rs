//! What is known of producers as bytes, so that opening a log reads only the headers behind them.
//!
//! ```text
//! version u8 = 1 | count i32 x producer          all numbers big-endian
//!
//! producer   id i64 | epoch i16 | last_seen_ms i64 | count u8, 1 to 5, x batch
//! batch      first_sequence i32 | last_sequence i32 | base_offset i64 | timestamp i64 |
//!            crc i64, -1 where it is not known
//! ```
//! The file around it has the checksum; see `commit_log`'s `*.snapshot`.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::producers::{MAX_PRODUCERS, Producer, Producers, REMEMBERED_BATCHES, Stored};
use crate::{
    fields::{FieldError, Reader, put_count},
    ids::Offset,
};

const VERSION: u8 = 1;
const UNKNOWN_CRC: i64 = -1;
const BATCH_BYTES: usize = 32;
const SMALLEST_PRODUCER: usize = 19 + BATCH_BYTES;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SnapshotError {
    #[error("a snapshot of producers in version {0}; this version of Longhaul reads {VERSION}")]
    UnknownVersion(u8),
    #[error("a snapshot of producers is damaged: {0}")]
    Damaged(#[from] FieldError),
    #[error("a snapshot of producers tells of {batches} batches of producer {id}")]
    BadCount { id: i64, batches: u8 },
    #[error("a snapshot of producers tells of {0} producers, more than are ever remembered")]
    TooMany(usize),
    #[error("a snapshot of producers does not name them in order")]
    OutOfOrder,
    #[error("a snapshot of producers has the checksum {0}, which is none")]
    BadChecksum(i64),
}

impl Producers {
    pub fn encode(&self) -> Bytes {
        let producers = &self.by_id;
        let mut out = BytesMut::with_capacity(5 + producers.len() * (SMALLEST_PRODUCER + BATCH_BYTES));
        out.put_u8(VERSION);
        put_count(&mut out, producers.len());
        for (id, producer) in producers {
            out.put_i64(*id);
            out.put_i16(producer.epoch);
            out.put_i64(producer.last_seen_ms);
            out.put_u8(producer.batches.len() as u8);
            for batch in &producer.batches {
                out.put_i32(batch.first_sequence);
                out.put_i32(batch.last_sequence);
                out.put_i64(batch.base_offset.0);
                out.put_i64(batch.timestamp);
                out.put_i64(batch.crc.map_or(UNKNOWN_CRC, i64::from));
            }
        }
        out.freeze()
    }

    pub fn decode(bytes: Bytes) -> Result<Producers, SnapshotError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(SnapshotError::UnknownVersion(version));
        }
        let count = reader.count(SMALLEST_PRODUCER, "producers")?;
        if count > MAX_PRODUCERS {
            return Err(SnapshotError::TooMany(count));
        }
        let mut producers = Producers::default();
        for _ in 0..count {
            let id = reader.i64("producer_id")?;
            if producers.by_id.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(SnapshotError::OutOfOrder);
            }
            producers.by_id.insert(id, read_producer(id, &mut reader)?);
        }
        reader.finish()?;
        Ok(producers)
    }
}

fn read_producer(id: i64, reader: &mut Reader) -> Result<Producer, SnapshotError> {
    let epoch = reader.i16("producer_epoch")?;
    let last_seen_ms = reader.i64("last_seen_ms")?;
    let count = reader.u8("batches")?;
    if !(1..=REMEMBERED_BATCHES as u8).contains(&count) {
        return Err(SnapshotError::BadCount { id, batches: count });
    }
    let mut batches = VecDeque::with_capacity(count.into());
    for _ in 0..count {
        batches.push_back(Stored {
            first_sequence: reader.i32("first_sequence")?,
            last_sequence: reader.i32("last_sequence")?,
            base_offset: Offset(reader.i64("base_offset")?),
            timestamp: reader.i64("timestamp")?,
            crc: match reader.i64("crc")? {
                UNKNOWN_CRC => None,
                crc => Some(u32::try_from(crc).map_err(|_| SnapshotError::BadChecksum(crc))?),
            },
        });
    }
    Ok(Producer { epoch, last_seen_ms, batches })
}

#[cfg(test)]
mod tests {
    use kafka_wire::record_batch::BatchHeader;
    use proptest::prelude::*;

    use super::*;

    fn batch(producer_id: i64, base_sequence: i32, attributes: i16) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            size: 61,
            partition_leader_epoch: 0,
            crc: 0xdead_beef,
            attributes,
            last_offset_delta: 1,
            base_timestamp: 900,
            max_timestamp: 1_000,
            producer_id,
            producer_epoch: 2,
            base_sequence,
            record_count: 2,
        }
    }

    fn producers() -> Producers {
        const LOG_APPEND_TIME: i16 = 1 << 3;
        let mut producers = Producers::default();
        for n in 0..7 {
            producers.remember(&batch(9, 2 * n, 0), Offset(10 * i64::from(n)), 5_000 + i64::from(n));
        }
        producers.remember(&batch(4_000, 6, LOG_APPEND_TIME), Offset(70), 6_000);
        producers
    }

    const GOLDEN: &str = "01000000020000000000000009000200000000000013\
        8e0500000004000000050000000000000014\
        00000000000003e800000000deadbeef\
        0000000600000007000000000000001e00000000000003e800000000deadbeef\
        0000000800000009000000000000002800000000000003e800000000deadbeef\
        0000000a0000000b000000000000003200000000000003e800000000deadbeef\
        0000000c0000000d000000000000003c00000000000003e800000000deadbeef\
        0000000000000fa000020000000000001770010000000600000007\
        000000000000004600000000000003e8ffffffffffffffff";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_bytes_are_these_and_say_the_same_again() {
        let bytes = producers().encode();
        assert_eq!(hex(&bytes), GOLDEN);
        let read = Producers::decode(bytes.clone()).unwrap();
        assert_eq!(read.encode(), bytes);
        assert_eq!(Producers::decode(Producers::default().encode()).unwrap().encode().len(), 5);
    }

    #[test]
    fn garbage_is_refused() {
        let good = producers().encode();
        for at in 0..good.len() {
            assert!(Producers::decode(good.slice(..at)).is_err(), "cut at {at}");
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = good.to_vec();
            bytes[at] = byte;
            Producers::decode(bytes.into()).err()
        };
        assert_eq!(with(0, 2), Some(SnapshotError::UnknownVersion(2)));
        assert!(matches!(with(1, 0x7f), Some(SnapshotError::Damaged(FieldError::BadLength { .. }))));
        assert_eq!(with(23, 0), Some(SnapshotError::BadCount { id: 9, batches: 0 }));
        assert_eq!(with(23, 6), Some(SnapshotError::BadCount { id: 9, batches: 6 }));
        let mut longer = good.to_vec();
        longer.push(0);
        assert!(Producers::decode(longer.into()).is_err());
        let mut twice = good.to_vec();
        twice[184..192].copy_from_slice(&9i64.to_be_bytes());
        assert_eq!(Producers::decode(twice.into()).err(), Some(SnapshotError::OutOfOrder));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Producers::decode(bytes.clone().into());
            let _ = Producers::decode([&[1, 0, 0, 0, 2][..], &bytes].concat().into());
        }
    }
}
