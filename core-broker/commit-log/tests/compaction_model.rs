//! Compaction against a map of keys, under random histories: of every key the latest record is there, at its
//! offset, and what is not compacted is untouched.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use commit_log::{CompactionOrder, Log, MemDisk};
use kafka_wire::record_batch::{Compression, Producer, Record};
use proptest::prelude::*;

use crate::support::*;

#[derive(Debug, Clone)]
enum Step {
    /// Keys, and whether each has a value.
    Append(Vec<(u8, bool)>, bool),
    Roll,
    Compact {
        max_keys: usize,
        end: f64,
        later_ms: i64,
    },
    Crash,
    Close,
    DeleteBefore(f64),
    /// DeleteRecords.
    StartAt(f64),
    /// Of what is not compacted: a log is never cut below its high watermark.
    CutTo(f64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::collection::vec((0u8..8, prop::bool::weighted(0.8)), 1..5), any::<bool>())
            .prop_map(|(records, packed)| Step::Append(records, packed)),
        3 => Just(Step::Roll),
        3 => (1usize..12, 0.0..=1.0, 0i64..80)
            .prop_map(|(max_keys, end, later_ms)| Step::Compact { max_keys, end, later_ms }),
        1 => Just(Step::Crash),
        1 => Just(Step::Close),
        1 => (0.0..=1.0).prop_map(Step::DeleteBefore),
        1 => (0.0..=1.0).prop_map(Step::StartAt),
        1 => (0.0..=1.0).prop_map(Step::CutTo),
    ]
}

#[derive(Default)]
struct Model {
    all: Vec<Record>,
    start: i64,
}

fn check(log: &Log<MemDisk>, model: &Model) {
    assert_eq!((log.log_start(), log.log_end()), (model.start, model.all.len() as i64));
    let mut found = records(log);
    found.retain(|record| record.offset >= model.start); // the batch at the start may hold earlier ones
    assert!(found.is_sorted_by(|a, b| a.offset < b.offset));
    for record in &found {
        assert_eq!(Some(record), model.all.get(record.offset as usize), "as it was appended");
    }
    let latest: BTreeMap<&Option<Bytes>, &Record> =
        model.all.iter().map(|record| (&record.key, record)).collect();
    let offsets: BTreeSet<i64> = found.iter().map(|record| record.offset).collect();
    for (key, record) in latest.into_iter().filter(|(_, record)| record.offset >= model.start) {
        if record.value.is_some() {
            assert!(offsets.contains(&record.offset), "the latest of {key:?} is there");
        } else if !offsets.contains(&record.offset) {
            assert!(
                found.iter().all(|other| other.key != *key),
                "{key:?} is deleted, so nothing of it is left"
            );
        }
    }
    let cleaned_to = log.cleaned_to();
    let mut seen = BTreeSet::new();
    for record in found.iter().filter(|record| record.offset < cleaned_to) {
        assert!(seen.insert(&record.key), "{:?} stands twice below {cleaned_to}", record.key);
    }
    for offset in cleaned_to.max(model.start)..log.log_end() {
        assert!(offsets.contains(&offset), "{offset} is not compacted, so it is there");
    }
}

fn follow(steps: Vec<Step>) {
    let mut disk = MemDisk::new();
    let (mut log, _) = open(&disk);
    let mut model = Model::default();
    let mut now_ms = 0;
    for step in steps {
        match step {
            Step::Append(keys, packed) => {
                let base = log.log_end();
                let text = |(n, (key, live)): (usize, (u8, bool))| {
                    (Some(format!("k{key}")), live.then(|| format!("value {}", base + n as i64)))
                };
                let new: Vec<KeyValue> = keys.into_iter().enumerate().map(text).collect();
                let codec = if packed { Compression::Zstd } else { Compression::None };
                let bytes = keyed(base, base, Producer::NONE, codec, &new);
                log.append(&bytes).unwrap();
                log.sync().unwrap();
                let records = kafka_wire::record_batch::decode_records(bytes.into(), 1 << 20).unwrap();
                model.all.extend(records);
            }
            Step::Roll => log.roll().unwrap(),
            Step::Compact { max_keys, end, later_ms } => {
                now_ms += later_ms;
                let end = (log.log_end() as f64 * end) as i64;
                let order = CompactionOrder { end, max_keys, ..order(&log, now_ms) };
                let before = log.cleaned_to();
                let reached = compact(&mut log, order).unwrap();
                assert!(before <= reached && reached <= end.max(before));
            }
            Step::Crash => {
                disk = disk.crash(0);
                let (opened, recovered) = open(&disk);
                assert_eq!((recovered.truncated_bytes, recovered.corruption), (0, None));
                log = opened;
            }
            Step::Close => {
                log.close().unwrap();
                let (opened, recovered) = open(&disk);
                assert!(recovered.clean_shutdown);
                log = opened;
            }
            Step::DeleteBefore(part) => {
                let offset = (log.log_end() as f64 * part) as i64;
                model.start = log.delete_segments_before(offset).unwrap();
            }
            Step::StartAt(part) => {
                let offset = (log.log_end() as f64 * part) as i64;
                model.start = log.advance_log_start(offset).unwrap();
                assert!(model.start >= offset);
            }
            Step::CutTo(part) => {
                let from = log.cleaned_to().max(model.start);
                let offset = from + ((log.log_end() - from) as f64 * part) as i64;
                let end = log.truncate_to(offset).unwrap();
                assert!(model.start <= end && end <= offset);
                model.all.truncate(end as usize);
            }
        }
        check(&log, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_latest_of_every_key(steps in prop::collection::vec(step(), 1..50)) {
        follow(steps);
    }
}
