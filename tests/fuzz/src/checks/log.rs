//! The files of a partition's log, changed behind its back.

use std::path::Path;

use commit_log::{Disk, Log, LogConfig, MemDisk, verify};
use kafka_wire::record_batch::{
    Compression, Producer, RecordsEncoder, assemble, batches, set_base_offset_and_epoch,
};

const TOPIC: [u8; 16] = *b"sixteen byte id!";
const BATCHES: i64 = 12;

/// The first byte says which file; the rest is what stands in it.
pub fn check(data: &[u8]) {
    let Some((file, bytes)) = data.split_first() else { return };
    let disk = twelve_batches();
    let names = names(&disk);
    disk.overwrite(&dir().join(&names[usize::from(*file) % names.len()]), bytes.to_vec());
    // What is wrong is told, and not more than that.
    if let Ok(checked) = verify(disk.clone(), dir()) {
        for file in checked {
            drop(file);
        }
    }
    let Ok((mut log, recovered)) = Log::open(disk, dir(), config()) else { return };
    // What is served is whole batches, in their order. Whether each is intact, in a segment that was synced
    // before the last, is the scrub's to find and the consumer's to see.
    let read =
        log.reader().read(recovered.log_start, recovered.log_end, usize::MAX, true).unwrap_or_default();
    let mut next = recovered.log_start;
    for found in batches(&read) {
        let (header, _) = found.expect("a log serves whole batches");
        assert!(header.next_offset() > next, "{header:?} after {next}");
        next = header.next_offset();
    }
    // It takes an append, or says what it has against it: no checksum covers an epoch, and one from the far
    // future refuses all that follow.
    let end = log.log_end();
    match log.append(&batch(end, 9)) {
        Ok(()) => assert_eq!(log.log_end(), end + 1),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Every file of a good log.
pub fn seeds() -> Vec<Vec<u8>> {
    let disk = twelve_batches();
    let files = names(&disk).into_iter().zip(0u8..);
    let seed = |(name, number): (String, u8)| {
        let bytes = disk.bytes(&dir().join(name)).expect("it was listed");
        [&[number][..], &bytes].concat()
    };
    files.map(seed).collect()
}

/// In three segments, all synced, not closed.
fn twelve_batches() -> MemDisk {
    let disk = MemDisk::new();
    let (mut log, _) = Log::open(disk.clone(), dir(), config()).expect("an empty disk");
    for offset in 0..BATCHES {
        log.append(&batch(offset, offset as i32 / 5)).expect("a good disk");
    }
    log.sync().expect("a good disk");
    disk
}

fn batch(offset: i64, epoch: i32) -> Vec<u8> {
    let mut encoder = RecordsEncoder::new();
    encoder.push(1_700_000_000_000 + offset, Some(b"truck-7"), Some(&[offset as u8; 150]), &[]);
    let mut batch = assemble(&encoder.finish(Compression::None).expect("a record"), Producer::NONE).to_vec();
    set_base_offset_and_epoch(&mut batch, offset, epoch);
    batch
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 1_000, index_interval_bytes: 100, ..LogConfig::new(TOPIC) }
}

fn names(disk: &MemDisk) -> Vec<String> {
    disk.list(dir()).expect("the folder is there")
}

fn dir() -> &'static Path {
    Path::new("data/positions-0")
}
