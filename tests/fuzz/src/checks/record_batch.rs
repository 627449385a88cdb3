//! Record batches, of producers and from the disk.

use bytes::Bytes;
use kafka_wire::record_batch::{
    BatchHeader, Compression, Producer, RecordsEncoder, assemble, batches, check_records, decode_records,
    set_create_time,
};

const MAX_DECOMPRESSED_BYTES: usize = 1 << 20;

/// As they are, and with a checksum that holds: by chance it never would.
pub fn check(data: &[u8]) {
    check_batch(Bytes::copy_from_slice(data));
    for found in batches(data).map_while(Result::ok) {
        assert!(found.1.end <= data.len(), "{found:?}");
    }
    let Ok(header) = BatchHeader::peek(data) else { return };
    if header.size <= data.len() {
        let mut sealed = data[..header.size].to_vec();
        set_create_time(&mut sealed, header.max_timestamp);
        check_batch(sealed.into());
    }
}

/// What is taken from a producer can be read by every consumer.
fn check_batch(batch: Bytes) {
    let decoded = decode_records(batch.clone(), MAX_DECOMPRESSED_BYTES);
    let Ok(header) = BatchHeader::validate(&batch) else { return };
    assert!(header.size <= batch.len());
    if header.size == batch.len() && check_records(&batch, &header, MAX_DECOMPRESSED_BYTES).is_ok() {
        let records = decoded.expect("a batch that was checked can be read");
        assert_eq!(records.len() as i32, header.record_count);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let batch = |codec| {
        let mut encoder = RecordsEncoder::new();
        encoder.push(1_700_000_000_000, Some(b"truck-7"), Some(b"51.5,-0.1"), &[("origin", b"gateway")]);
        encoder.push(1_700_000_000_005, None, Some(&[7; 300]), &[]);
        encoder.push(1_700_000_000_001, Some(b""), None, &[]);
        let producer = Producer { id: 4, epoch: 1, base_sequence: 9 };
        assemble(&encoder.finish(codec).expect("records"), producer).to_vec()
    };
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
        .into_iter()
        .map(batch)
        .collect()
}
