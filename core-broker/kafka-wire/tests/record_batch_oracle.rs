//! Record batches against the `kafka-protocol` crate, in both directions.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression as TheirCompression, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use kafka_wire::record_batch::{
    BatchHeader, Compression, Producer, Record, RecordsEncoder, assemble, decode_records,
    set_base_offset_and_epoch,
};
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;
const PRODUCER: Producer = Producer { id: 11, epoch: 3, base_sequence: 100 };

type Blob = Option<Vec<u8>>;

fn samples() -> impl Strategy<Value = Vec<(i64, Blob, Blob, Vec<u8>)>> {
    let blob = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let lane = proptest::collection::vec(any::<u8>(), 0..8);
    proptest::collection::vec((0i64..1 << 50, blob(), blob(), lane), 1..20)
}

fn their_record(at: usize, (timestamp, key, value, lane): (i64, Blob, Blob, Vec<u8>)) -> TheirRecord {
    TheirRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 5,
        producer_id: PRODUCER.id,
        producer_epoch: PRODUCER.epoch,
        timestamp_type: TimestampType::Creation,
        offset: 1_000 + at as i64,
        sequence: PRODUCER.base_sequence + at as i32,
        timestamp,
        key: key.map(Bytes::from),
        value: value.map(Bytes::from),
        headers: IndexMap::from_iter([(StrBytes::from_static_str("lane"), Some(lane.into()))]),
    }
}

fn as_ours(record: &TheirRecord) -> Record {
    Record {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned().into(), value.clone()))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_oracle_reads_what_is_written_here(samples in samples()) {
        for codec in [Compression::None, Compression::Zstd] {
            let mut records = RecordsEncoder::new();
            for (timestamp, key, value, lane) in &samples {
                records.push(*timestamp, key.as_deref(), value.as_deref(), &[("lane", lane.as_slice())]);
            }
            let mut batch = assemble(&records.finish(codec).unwrap(), PRODUCER);
            set_base_offset_and_epoch(&mut batch, 1_000, 5);
            let unpack = |packed: &mut Bytes, _| match codec {
                Compression::None => Ok(packed.clone()),
                _ => Ok(zstd::decode_all(&packed[..])?.into()),
            };
            let mut bytes = batch.freeze();
            let theirs = RecordBatchDecoder::decode_with_custom_compression(&mut bytes, Some(unpack)).unwrap();
            let expected: Vec<_> =
                samples.iter().cloned().enumerate().map(|(at, sample)| their_record(at, sample)).collect();
            prop_assert_eq!(theirs.records, expected);
        }
    }

    #[test]
    fn what_the_oracle_writes_is_read_here(samples in samples()) {
        let records: Vec<_> =
            samples.into_iter().enumerate().map(|(at, sample)| their_record(at, sample)).collect();
        let options = RecordEncodeOptions { version: 2, compression: TheirCompression::None };
        let mut bytes = BytesMut::new();
        RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();

        let header = BatchHeader::validate(&bytes).unwrap();
        prop_assert_eq!((header.base_offset, header.partition_leader_epoch), (1_000, 5));
        prop_assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (11, 3, 100));
        let expected: Vec<_> = records.iter().map(as_ours).collect();
        prop_assert_eq!(decode_records(bytes.freeze(), LIMIT).unwrap(), expected);
    }
}
