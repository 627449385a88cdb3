//! What compaction writes is read by another implementation as it is here.

use bytes::Bytes;
use commit_log::MemDisk;
use kafka_protocol::records::{Compression as TheirCompression, RecordBatchDecoder, TimestampType};
use kafka_wire::record_batch::{Compression, Producer, batches, decode_records, set_log_append_time};

use crate::support::*;

const PRODUCER: Producer = Producer { id: 11, epoch: 3, base_sequence: 100 };

#[test]
fn another_decoder_reads_what_is_left_as_it_was() {
    let value = |key: &str, value: Option<&str>| (Some(key.to_owned()), value.map(str::to_owned));
    for (codec, append_time) in
        [(Compression::None, false), (Compression::Zstd, false), (Compression::None, true)]
    {
        let (mut log, _) = open(&MemDisk::new());
        let first = [value("a", Some("1")), value("b", None), value("c", Some("2")), value("d", None)];
        let mut first = keyed(0, 1_700_000_000_000, PRODUCER, codec, &first);
        if append_time {
            set_log_append_time(&mut first, 1_700_000_009_999);
        }
        log.append(&first).unwrap();
        let second = [value("a", Some("3")), value("c", Some("4"))];
        log.append(&keyed(4, 1_700_000_000_500, PRODUCER, codec, &second)).unwrap();
        log.roll().unwrap();
        let order = order(&log, 1_700_000_100_000);
        compact(&mut log, order).unwrap();

        let left = read_all(&log.reader(), 0, 1);
        let (header, range) = batches(&left).next().unwrap().unwrap();
        assert_eq!((header.record_count, header.last_offset_delta, header.base_sequence), (2, 3, 100));
        let batch = Bytes::copy_from_slice(&left[range]);
        let ours = decode_records(batch.clone(), 1 << 20).unwrap();
        let unpack = |packed: &mut Bytes, codec: TheirCompression| match codec {
            TheirCompression::Zstd => Ok(zstd::decode_all(&packed[..])?.into()),
            _ => Ok(packed.clone()),
        };
        let theirs = RecordBatchDecoder::decode_with_custom_compression(&mut batch.clone(), Some(unpack));
        let theirs = theirs.unwrap().records;
        let expected = match append_time {
            true => [(1, 1_700_000_009_999, "b"), (3, 1_700_000_009_999, "d")],
            false => [(1, 1_700_000_000_001, "b"), (3, 1_700_000_000_003, "d")],
        };
        assert_eq!((theirs.len(), ours.len()), (2, 2));
        for ((their, our), (offset, timestamp, key)) in theirs.iter().zip(&ours).zip(expected) {
            assert!(their.delete_horizon);
            assert_eq!((their.offset, their.key.as_deref()), (offset, Some(key.as_bytes())));
            assert_eq!(
                (our.offset, our.timestamp, our.key.as_deref()),
                (offset, timestamp, Some(key.as_bytes()))
            );
            assert_eq!((their.producer_id, their.producer_epoch), (11, 3));
            assert_eq!(their.sequence, 100 + offset as i32);
            assert_eq!(their.headers.len(), 1);
            // Of a batch stamped by the leader it tells the producers' times.
            match their.timestamp_type {
                TimestampType::Creation => assert_eq!(their.timestamp, timestamp),
                TimestampType::LogAppend => assert!(append_time),
            }
        }
    }
}
