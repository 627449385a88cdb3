//! What all tests of the log share: batches, a small configuration, and a look at a whole log.

use std::path::Path;

use commit_log::{Disk, Log, LogConfig, LogReader, Recovered};
use kafka_wire::record_batch::{
    BatchHeader, Compression, Producer, RecordsEncoder, assemble, batches, set_base_offset_and_epoch,
};

pub const TOPIC: [u8; 16] = *b"sixteen byte id!";

pub fn dir() -> &'static Path {
    Path::new("data/positions-0")
}

/// Segments of a few batches, an index entry for nearly every batch.
pub fn small() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 100, ..LogConfig::new(TOPIC) }
}

pub fn open<D: Disk>(disk: &D) -> (Log<D>, Recovered) {
    Log::open(disk.clone(), dir(), small()).expect("the log opens")
}

/// A batch of `records` records at `base_offset`, one ms apart; the values differ from offset to offset.
pub fn batch(base_offset: i64, epoch: i32, timestamp: i64, records: i64, value_bytes: usize) -> Vec<u8> {
    let mut encoder = RecordsEncoder::new();
    for n in 0..records {
        let value: Vec<u8> = (0..value_bytes).map(|at| noise(base_offset + n, at)).collect();
        encoder.push(timestamp + n, None, Some(&value), &[]);
    }
    let set = encoder.finish(Compression::None).expect("records");
    let mut batch = assemble(&set, Producer::NONE);
    set_base_offset_and_epoch(&mut batch, base_offset, epoch);
    batch.to_vec()
}

fn noise(offset: i64, at: usize) -> u8 {
    let mixed = (offset as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed.wrapping_add((at as u64).wrapping_mul(0xd134_2543_de82_ef95)) >> 29) as u8
}

/// Everything from `from` to the log's end, read in pieces of at most `max_bytes`.
pub fn read_all<D: Disk>(reader: &LogReader<D>, from: i64, max_bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut next = from;
    while next < reader.log_end() {
        let piece =
            reader.read(next, reader.log_end(), max_bytes, true).expect("what is in the log is readable");
        next = headers(&piece).last().expect("a read below the log's end gives a batch").next_offset();
        all.extend_from_slice(&piece);
    }
    all
}

/// The headers of a run of whole batches, each with a checksum that holds.
pub fn headers(bytes: &[u8]) -> Vec<BatchHeader> {
    let found: Vec<_> = batches(bytes).map(|batch| batch.expect("whole batches")).collect();
    for (_, range) in &found {
        BatchHeader::validate(&bytes[range.clone()]).expect("an intact batch");
    }
    found.into_iter().map(|(header, _)| header).collect()
}
