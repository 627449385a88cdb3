//! What all tests of the log share: batches, a small configuration, and a look at a whole log.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use commit_log::{CompactionOrder, Disk, Log, LogConfig, LogError, LogReader, Recovered};
use kafka_wire::record_batch::{
    BatchError, BatchHeader, Compression, Producer, Record, RecordsEncoder, assemble, batches,
    decode_records, set_base_offset_and_epoch,
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

/// A batch of keyed records at `base_offset`, one ms apart from `timestamp` on. `None` is a tombstone.
pub fn keyed(
    base_offset: i64,
    timestamp: i64,
    producer: Producer,
    codec: Compression,
    records: &[KeyValue],
) -> Vec<u8> {
    let mut encoder = RecordsEncoder::new();
    for (n, (key, value)) in records.iter().enumerate() {
        let (key, value) = (key.as_deref(), value.as_deref());
        let headers: &[(&str, &[u8])] = &[("h", b"1")];
        encoder.push(timestamp + n as i64, key.map(str::as_bytes), value.map(str::as_bytes), headers);
    }
    let mut batch = assemble(&encoder.finish(codec).expect("records"), producer);
    set_base_offset_and_epoch(&mut batch, base_offset, 3);
    batch.to_vec()
}

/// Without a key it is a record that compaction cannot place, without a value a tombstone.
pub type KeyValue = (Option<String>, Option<String>);

/// An order for all sealed segments; tombstones stay 100 ms.
pub fn order<D: Disk>(log: &Log<D>, now_ms: i64) -> CompactionOrder {
    let segments = log.segments();
    let end = segments.last().expect("there is always an active segment").base_offset;
    CompactionOrder {
        end,
        now_ms,
        delete_retention_ms: 100,
        max_keys: 1000,
        max_decompressed_bytes: 1 << 20,
        producers: BTreeMap::new(),
        aborted: Vec::new(),
        compress: zstd_only,
    }
}

pub fn zstd_only(codec: Compression, section: Bytes) -> Result<Bytes, BatchError> {
    assert_eq!(codec, Compression::Zstd);
    zstd::bulk::compress(&section, 1).map(Bytes::from).map_err(|_| BatchError::BadCompression(codec))
}

/// A whole compaction; returns how far it came.
pub fn compact<D: Disk>(log: &mut Log<D>, order: CompactionOrder) -> Result<i64, LogError> {
    let mut compaction = log.begin_compaction(order);
    while let Some(rewritten) = compaction.rewrite_next()? {
        assert!(log.install(rewritten)?);
    }
    log.finish_compaction(compaction).map(|cleaned_to| cleaned_to.expect("begun on this log"))
}

/// Every record from the log's start on.
pub fn records<D: Disk>(log: &Log<D>) -> Vec<Record> {
    let mut all = Vec::new();
    let mut next = log.log_start();
    loop {
        let piece = log.reader().read(next, log.log_end(), 1, true).expect("what is in the log is readable");
        let Ok(header) = BatchHeader::peek(&piece) else { return all };
        next = header.next_offset();
        all.extend(decode_records(piece, 1 << 20).expect("records"));
    }
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
        // Compaction may have taken all that was left.
        let Some(last) = headers(&piece).last().copied() else { break };
        next = last.next_offset();
        all.extend_from_slice(&piece);
    }
    all
}

/// The headers of a run of whole batches, each with a checksum that holds.
pub fn headers(bytes: &[u8]) -> Vec<BatchHeader> {
    let found: Vec<_> = batches(bytes).map(|batch| batch.expect("whole batches")).collect();
    for (_, range) in &found {
        BatchHeader::intact(&bytes[range.clone()]).expect("an intact batch");
    }
    found.into_iter().map(|(header, _)| header).collect()
}
