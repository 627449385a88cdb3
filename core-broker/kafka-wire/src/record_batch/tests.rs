use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

#[cfg(feature = "all-codecs")]
const CODECS: &[Compression] =
    &[Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
#[cfg(not(feature = "all-codecs"))]
const CODECS: &[Compression] = &[Compression::None, Compression::Zstd];

fn batch_of(values: &[&str], codec: Compression) -> BytesMut {
    let mut records = RecordsEncoder::new();
    for (i, value) in values.iter().enumerate() {
        records.push(1_000 + i as i64, Some(b"truck-7"), Some(value.as_bytes()), &[("lane", b"live")]);
    }
    assemble(&records.finish(codec).unwrap(), Producer { id: 9, epoch: 2, base_sequence: 40 })
}

#[test]
fn header_says_what_was_written() {
    let mut batch = batch_of(&["a", "b", "c"], Compression::Zstd);
    set_base_offset_and_epoch(&mut batch, 500, 3);
    let header = BatchHeader::validate(&batch).unwrap();
    assert_eq!(
        header,
        BatchHeader {
            base_offset: 500,
            size: batch.len(),
            partition_leader_epoch: 3,
            crc: u32::from_be_bytes(batch[CRC_AT..CRC_AT + 4].try_into().unwrap()),
            attributes: 4,
            last_offset_delta: 2,
            base_timestamp: 1_000,
            max_timestamp: 1_002,
            producer_id: 9,
            producer_epoch: 2,
            base_sequence: 40,
            record_count: 3,
        }
    );
    assert_eq!((header.last_offset(), header.next_offset(), header.last_sequence()), (502, 503, 42));
    assert!(header.has_producer() && !header.is_control() && !header.is_transactional());
}

#[test]
fn golden_bytes_of_a_small_batch() {
    let mut records = RecordsEncoder::new();
    records.push(1_700_000_000_000, Some(b"k"), Some(b"v"), &[]);
    let batch = assemble(&records.finish(Compression::None).unwrap(), Producer::NONE);
    let hex: String = batch.iter().map(|byte| format!("{byte:02x}")).collect();
    // offset, length, epoch, magic, CRC, attributes, last delta, two times, producer, count; one record.
    let golden = [
        "0000000000000000 0000003a ffffffff 02 e99b8dd8 0000 00000000 0000018bcfe56800 0000018bcfe56800",
        "ffffffffffffffff ffff ffffffff 00000001",
        "10 00 00 00 02 6b 02 76 00",
    ];
    assert_eq!(hex, golden.concat().replace(' ', ""));
}

#[test]
fn sequence_wraps_to_zero_after_the_largest() {
    let mut header = BatchHeader::peek(&batch_of(&["a", "b", "c"], Compression::None)).unwrap();
    for (base, last) in [(i32::MAX - 2, i32::MAX), (i32::MAX - 1, 0), (i32::MAX, 1), (-1, -1)] {
        header.base_sequence = base;
        assert_eq!(header.last_sequence(), last);
    }
}

#[test]
fn log_append_time_is_the_time_of_every_record() {
    let mut batch = batch_of(&["a", "b"], Compression::Zstd);
    set_log_append_time(&mut batch, 77_000);
    let header = BatchHeader::validate(&batch).unwrap();
    assert!(header.log_append_time());
    let records = decode_records(batch.freeze(), LIMIT).unwrap();
    assert!(records.iter().all(|record| record.timestamp == 77_000));
}

#[test]
fn any_flipped_bit_under_the_checksum_is_found() {
    let batch = batch_of(&["position"], Compression::None);
    for bit in CRC_AT * 8..batch.len() * 8 {
        let mut bad = batch.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let refused = BatchHeader::validate(&bad);
        assert!(matches!(refused, Err(BatchError::BadChecksum { .. })), "bit {bit}: {refused:?}");
    }
}

#[test]
fn a_batch_cut_anywhere_is_refused() {
    let batch = batch_of(&["a", "b"], Compression::None);
    for cut in 0..batch.len() {
        let error = BatchHeader::validate(&batch[..cut]).unwrap_err();
        assert!(matches!(error, BatchError::Truncated { .. }), "{cut}: {error}");
        assert!(decode_records(Bytes::copy_from_slice(&batch[..cut]), LIMIT).is_err());
    }
}

/// Rewrites a field and the checksum, as a hostile producer would.
fn with(at: usize, bytes: &[u8]) -> BytesMut {
    let mut batch = batch_of(&["a", "b"], Compression::None);
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    write_checksum(&mut batch);
    batch
}

#[test]
fn headers_that_lie_are_refused() {
    for (batch, error) in [
        (with(8, &(-1i32).to_be_bytes()), BatchError::BadLength(-1)),
        (with(8, &48i32.to_be_bytes()), BatchError::BadLength(48)),
        (with(8, &i32::MIN.to_be_bytes()), BatchError::BadLength(i32::MIN)),
        (with(16, &[1]), BatchError::UnsupportedMagic(1)),
        (with(22, &[7]), BatchError::UnknownCodec(7)),
        (with(23, &5i32.to_be_bytes()), BatchError::BadCount { record_count: 2, last_offset_delta: 5 }),
        (with(57, &0i32.to_be_bytes()), BatchError::BadCount { record_count: 0, last_offset_delta: 1 }),
        (
            with(57, &i32::MIN.to_be_bytes()),
            BatchError::BadCount { record_count: i32::MIN, last_offset_delta: 1 },
        ),
        (with(27, &(-2i64).to_be_bytes()), BatchError::BadTimestamp(-2)),
    ] {
        assert_eq!(BatchHeader::validate(&batch), Err(error));
    }
    let whole_i32 = with(8, &i32::MAX.to_be_bytes());
    assert!(matches!(BatchHeader::validate(&whole_i32), Err(BatchError::Truncated { .. })));
}

#[test]
fn a_record_count_beyond_the_bytes_reserves_nothing() {
    let batch = with(57, &i32::MAX.to_be_bytes());
    assert!(matches!(decode_records(batch.freeze(), LIMIT), Err(BatchError::BadCount { .. })));
}

#[test]
fn records_that_do_not_fill_their_lengths_are_refused() {
    let good: &[u8] = b"\x10\x00\x00\x00\x02k\x02v\x00";
    let decode = |section: &[u8]| {
        let records = RecordSet {
            bytes: Bytes::copy_from_slice(section),
            compression: Compression::None,
            count: 1,
            base_timestamp: 5,
            max_timestamp: 5,
        };
        decode_records(assemble(&records, Producer::NONE).freeze(), LIMIT)
    };
    assert_eq!(decode(good).unwrap().len(), 1);
    assert_eq!(decode(&[good, b"\0"].concat()), Err(BatchError::TrailingBytes { bytes: 1 }));
    for bad in [
        &b"\x12\x00\x00\x00\x02k\x02v\x00\x00"[..], // a byte after the headers
        b"\x0e\x00\x00\x00\x02k\x02v\x00",          // the length ends before the headers
        b"\x10\x00\x00\x00\x02k\x02v\x7e",          // 63 headers
        b"\x10\x00\x00\x00\x02k\x02v\x01",          // -1 headers
        b"\x10\x00\x00\x00\x03k\x02v\x00",          // a key of -2 bytes
        b"\x12\x00\x00\x00\x02k\x02v\x02\x01",      // a header without a name
    ] {
        assert_eq!(decode(bad), Err(BatchError::BadRecord { index: 0 }), "{bad:x?}");
    }
}

#[test]
fn the_largest_timestamp_need_not_be_the_last() {
    let mut records = RecordsEncoder::new();
    for timestamp in [20, 30, 10] {
        records.push(timestamp, None, Some(b"late"), &[]);
    }
    let records = records.finish(Compression::None).unwrap();
    assert_eq!((records.base_timestamp, records.max_timestamp), (20, 30));
    let decoded = decode_records(assemble(&records, Producer::NONE).freeze(), LIMIT).unwrap();
    assert_eq!(decoded.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [20, 30, 10]);
}

#[test]
fn decompression_stops_at_the_limit() {
    let zeros = "0".repeat(200_000);
    for codec in CODECS {
        let batch = batch_of(&[&zeros], *codec).freeze();
        let refused = decode_records(batch.clone(), 100_000);
        assert_eq!(refused, Err(BatchError::TooLarge { limit: 100_000 }), "{codec:?}");
        assert_eq!(decode_records(batch, LIMIT).unwrap().len(), 1, "{codec:?}");
    }
}

#[cfg(not(feature = "all-codecs"))]
#[test]
fn a_codec_that_is_not_built_says_so() {
    let batch = with(22, &[1]);
    let refused = decode_records(batch.freeze(), LIMIT);
    assert_eq!(refused, Err(BatchError::CodecNotBuilt(Compression::Gzip)));
}

#[cfg(feature = "all-codecs")]
#[test]
fn snappy_without_framing_is_read() {
    let records = b"\x10\x00\x00\x00\x02k\x02v\x00";
    let raw = snap::raw::Encoder::new().compress_vec(records).unwrap();
    let set = RecordSet {
        bytes: raw.into(),
        compression: Compression::Snappy,
        count: 1,
        base_timestamp: 5,
        max_timestamp: 5,
    };
    let read = decode_records(assemble(&set, Producer::NONE).freeze(), LIMIT).unwrap();
    assert_eq!(read[0].value.as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_run_of_batches_is_walked_to_its_cut_end() {
    let one = batch_of(&["a"], Compression::None);
    let two = batch_of(&["b", "c"], Compression::Zstd);
    let run = [&one[..], &two[..], &one[..20]].concat();
    let walked: Vec<_> = batches(&run).collect();
    assert_eq!(walked.len(), 3);
    assert_eq!(walked[0].as_ref().unwrap().1, 0..one.len());
    assert_eq!(walked[1].as_ref().unwrap().1, one.len()..one.len() + two.len());
    assert!(matches!(walked[2], Err(BatchError::Truncated { .. })));
    assert_eq!(batches(&[]).count(), 0);
}

type Sample = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Vec<u8>)>);

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let blob = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let headers =
        proptest::collection::vec(("[a-z]{0,8}", proptest::collection::vec(any::<u8>(), 0..8)), 0..3);
    proptest::collection::vec((0i64..1 << 50, blob(), blob(), headers), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_come_back_as_they_were(samples in samples()) {
        for codec in CODECS {
            let mut encoder = RecordsEncoder::new();
            for (timestamp, key, value, headers) in &samples {
                let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
                encoder.push(*timestamp, key.as_deref(), value.as_deref(), &headers);
            }
            let batch = assemble(&encoder.finish(*codec).unwrap(), Producer::NONE).freeze();
            let header = BatchHeader::validate(&batch).unwrap();
            let times = samples.iter().map(|(timestamp, ..)| *timestamp).filter(|it| *it != -1);
            let expected = RecordTimes {
                earliest: times.clone().min().unwrap_or(-1),
                latest: times.max().unwrap_or(-1),
            };
            prop_assert_eq!(check_records(&batch, &header, LIMIT), Ok(expected));
            let records = decode_records(batch, LIMIT).unwrap();
            prop_assert_eq!(records.len(), samples.len());
            for (i, (record, (timestamp, key, value, headers))) in records.iter().zip(&samples).enumerate() {
                prop_assert_eq!(record.offset, i as i64);
                prop_assert_eq!(record.timestamp, *timestamp);
                prop_assert_eq!(record.key.as_deref(), key.as_deref());
                prop_assert_eq!(record.value.as_deref(), value.as_deref());
                prop_assert_eq!(record.headers.len(), headers.len());
                for ((name, value), (n, v)) in record.headers.iter().zip(headers) {
                    prop_assert_eq!(name, n.as_bytes());
                    prop_assert_eq!(value.as_deref(), Some(v.as_slice()));
                }
            }
        }
    }

    /// The checksum is made right after the damage, so that the decoder itself is tried.
    #[test]
    fn damaged_records_are_an_error_or_other_records(
        at in 0usize..200, byte: u8, codec in proptest::sample::select(CODECS)
    ) {
        let mut batch = batch_of(&["one", "two", "three"], codec);
        let at = CRC_FROM + at % (batch.len() - CRC_FROM);
        batch[at] = byte;
        write_checksum(&mut batch);
        let batch = batch.freeze();
        let checked = BatchHeader::intact(&batch).and_then(|header| check_records(&batch, &header, LIMIT));
        let decoded = decode_records(batch, LIMIT);
        prop_assert!(checked.is_err() || decoded.is_ok(), "taken, but {:?}", decoded);
    }
}

#[test]
fn a_batch_keeps_its_records_under_another_codec() {
    for from in CODECS {
        let batch = batch_of(&["one", "two", "two"], *from).freeze();
        let records = decode_records(batch.clone(), LIMIT).unwrap();
        for to in CODECS {
            let other = recompress(&batch, *to, LIMIT).unwrap();
            let header = BatchHeader::validate(&other).unwrap();
            assert_eq!((header.compression(), header.size), (Ok(*to), other.len()));
            assert_eq!((header.producer_id, header.base_sequence), (9, 40));
            assert_eq!(decode_records(other, LIMIT).unwrap(), records);
        }
        assert!(recompress(&batch, Compression::None, 10).is_err(), "no more than is allowed");
    }
}

#[test]
fn a_header_that_lies_about_time_is_put_right() {
    let mut batch = batch_of(&["one", "two"], Compression::None);
    set_log_append_time(&mut batch, 7);
    assert!(BatchHeader::validate(&batch).unwrap().log_append_time());
    set_create_time(&mut batch, 1_001);
    assert_eq!(batch, batch_of(&["one", "two"], Compression::None));
}

#[test]
fn a_valid_checksum_over_noise_or_over_a_lying_count_is_no_batch_of_records() {
    let mut noise = batch_of(&["one"], Compression::None);
    noise[HEADER_BYTES..].fill(0xff);
    let mut many = batch_of(&["one"], Compression::None);
    many[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    many[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    for mut batch in [noise, many] {
        write_checksum(&mut batch);
        let batch = batch.freeze();
        let header = BatchHeader::validate(&batch).unwrap();
        assert!(matches!(check_records(&batch, &header, LIMIT), Err(BatchError::BadRecord { .. })));
    }
}

#[test]
fn records_are_walked_wherever_the_pieces_end_that_they_are_decompressed_in() {
    // Pieces of 64 KiB and of 32 KiB end somewhere in the small records behind the long one.
    for piece in [64 << 10, 32 << 10] {
        for len in piece - 60..piece {
            let long = "x".repeat(len);
            for codec in CODECS {
                let batch = batch_of(&[&long, "two", "three"], *codec).freeze();
                let header = BatchHeader::validate(&batch).unwrap();
                let times = RecordTimes { earliest: 1_000, latest: 1_002 };
                assert_eq!(check_records(&batch, &header, LIMIT), Ok(times), "{codec:?}, {len}");
            }
        }
    }
}

#[test]
fn what_is_walked_has_an_end_and_a_limit() {
    for codec in CODECS {
        let batch = batch_of(&[&"x".repeat(70_000), "two"], Compression::None);
        let plain = batch.len() - HEADER_BYTES;
        let with = |section: Vec<u8>| {
            let mut other = BytesMut::from(&batch[..HEADER_BYTES]);
            other[CRC_FROM + 1] = codec.to_attributes() as u8;
            other.extend_from_slice(&compress(*codec, section.into()).unwrap());
            let length = (other.len() - LENGTH_END) as i32;
            other[LENGTH_END - 4..LENGTH_END].copy_from_slice(&length.to_be_bytes());
            write_checksum(&mut other);
            other.freeze()
        };
        let checked =
            |batch: &Bytes, limit| check_records(batch, &BatchHeader::validate(batch).unwrap(), limit);
        let section = batch[HEADER_BYTES..].to_vec();
        let whole = with(section.clone());
        assert!(checked(&whole, plain).is_ok(), "{codec:?}");
        assert_eq!(checked(&whole, plain - 1), Err(BatchError::TooLarge { limit: plain - 1 }), "{codec:?}");
        let cut = with(section[..plain - 1].to_vec());
        assert_eq!(checked(&cut, LIMIT), Err(BatchError::BadRecord { index: 1 }), "{codec:?}");
        let more = with([&section[..], &[0; 70_000]].concat());
        assert_eq!(checked(&more, LIMIT), Err(BatchError::TrailingBytes { bytes: 70_000 }), "{codec:?}");
    }
}

#[test]
fn zstd_of_the_highest_levels_is_read_where_the_limit_is_high_enough() {
    let section = batch_of(&["one", "two"], Compression::None)[HEADER_BYTES..].to_vec();
    for level in [1, 19, 20, 21, 22] {
        // As a stream that does not say beforehand how long it is, like Java's.
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level).unwrap();
        std::io::Write::write_all(&mut encoder, &section).unwrap();
        let packed = encoder.finish().unwrap();
        let records = RecordSet {
            bytes: packed.into(),
            compression: Compression::Zstd,
            count: 2,
            base_timestamp: 1_000,
            max_timestamp: 1_001,
        };
        let batch = assemble(&records, Producer::NONE).freeze();
        let header = BatchHeader::validate(&batch).unwrap();
        let small = check_records(&batch, &header, 128 << 10);
        assert!(small.is_ok() || matches!(small, Err(BatchError::TooLarge { .. })), "{level}: {small:?}");
        assert!(check_records(&batch, &header, 128 << 20).is_ok(), "{level}");
    }
}

#[test]
fn what_would_take_very_much_decoded_is_refused() {
    // Headers without names or values: two bytes each.
    let headers = 2_000_000;
    let mut record = vec![0, 0, 0, 1, 1];
    crate::varint::write_signed(&mut record, headers);
    record.resize(record.len() + 2 * headers as usize, 0);
    let mut section = Vec::new();
    crate::varint::write_signed(&mut section, record.len() as i64);
    section.extend_from_slice(&record);
    let records = RecordSet {
        bytes: compress(Compression::Zstd, section.into()).unwrap(),
        compression: Compression::Zstd,
        count: 1,
        base_timestamp: 0,
        max_timestamp: 0,
    };
    let batch = assemble(&records, Producer::NONE).freeze();
    let header = BatchHeader::validate(&batch).unwrap();
    assert_eq!(check_records(&batch, &header, 128 << 20), Err(BatchError::TooLarge { limit: 64 << 20 }));
}

#[test]
fn lengths_that_javas_consumer_does_not_read_are_refused() {
    let batch = batch_of(&["one"], Compression::None);
    let section = &batch[HEADER_BYTES..];
    // Its length, one byte, in five bytes and in six.
    for (padding, is_taken) in [(4, true), (5, false), (9, false)] {
        let mut long = vec![section[0] | 0x80];
        long.extend(std::iter::repeat_n(0x80, padding - 1));
        long.push(0);
        long.extend_from_slice(&section[1..]);
        let records = RecordSet {
            bytes: long.into(),
            compression: Compression::None,
            count: 1,
            base_timestamp: 1_000,
            max_timestamp: 1_000,
        };
        let batch = assemble(&records, Producer::NONE).freeze();
        let header = BatchHeader::validate(&batch).unwrap();
        assert_eq!(check_records(&batch, &header, LIMIT).is_ok(), is_taken, "{padding}");
    }
}
