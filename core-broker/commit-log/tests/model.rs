//! The log against a plain list of batches, under random histories.

use std::cmp::Reverse;

use commit_log::{Log, MemDisk, ReadError};
use proptest::prelude::*;

use crate::support::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        records: Vec<i64>,
        value_bytes: usize,
        timestamp: i64,
        epoch_up: bool,
    },
    Sync,
    Roll,
    Close,
    /// Loses what was not synced.
    Crash,
    /// Keeps what was not synced.
    Kill,
    CutTo(f64),
    DeleteBefore(f64),
    /// DeleteRecords.
    StartAt(f64),
    Read {
        at: f64,
        end: f64,
        max_bytes: usize,
        at_least_one: bool,
    },
    FindTimestamp(i64),
    /// Of the batches before this part of the log.
    FindLatest(f64),
}

fn step() -> impl Strategy<Value = Step> {
    let part = 0.0..=1.0;
    prop_oneof![
        6 => (prop::collection::vec(1i64..4, 1..4), 0usize..300, 0i64..1000, any::<bool>()).prop_map(
            |(records, value_bytes, timestamp, epoch_up)| Step::Append { records, value_bytes, timestamp, epoch_up }
        ),
        2 => Just(Step::Sync),
        1 => Just(Step::Roll),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
        1 => Just(Step::Kill),
        1 => part.clone().prop_map(Step::CutTo),
        1 => part.clone().prop_map(Step::DeleteBefore),
        1 => part.clone().prop_map(Step::StartAt),
        2 => part.clone().prop_map(Step::FindLatest),
        4 => (part.clone(), part, 0usize..2000, any::<bool>())
            .prop_map(|(at, end, max_bytes, at_least_one)| Step::Read { at, end, max_bytes, at_least_one }),
        2 => (-5i64..1005).prop_map(Step::FindTimestamp),
    ]
}

#[derive(Debug, Clone)]
struct Batch {
    base: i64,
    next: i64,
    epoch: i32,
    max_timestamp: i64,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Model {
    batches: Vec<Batch>,
    start: i64,
    synced: i64,
    epoch: i32,
    /// Since the log was closed.
    appended: bool,
}

impl Model {
    fn end(&self) -> i64 {
        self.batches.last().map_or(self.start, |batch| batch.next)
    }

    /// An offset that far between start and end.
    fn offset(&self, part: f64) -> i64 {
        self.start + ((self.end() - self.start) as f64 * part) as i64
    }

    fn read(&self, offset: i64, end: i64, max_bytes: usize, at_least_one: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        for batch in
            self.batches.iter().filter(|batch| batch.next > offset).take_while(|batch| batch.next <= end)
        {
            let welcome = at_least_one && bytes.is_empty();
            if bytes.len() + batch.bytes.len() > max_bytes && !welcome {
                break;
            }
            bytes.extend_from_slice(&batch.bytes);
        }
        bytes
    }

    fn forget_from(&mut self, end: i64) {
        self.batches.retain(|batch| batch.next <= end);
        self.synced = self.synced.min(self.end());
    }
}

fn reopened(disk: MemDisk, model: &Model, clean: bool) -> (MemDisk, Log<MemDisk>) {
    let (log, recovered) = open(&disk);
    assert_eq!((recovered.log_start, recovered.log_end), (model.start, model.end()));
    assert_eq!((recovered.clean_shutdown, recovered.truncated_bytes, recovered.corruption), (clean, 0, None));
    (disk, log)
}

/// The mark of a clean shutdown stands until something is written.
fn is_marked(disk: &MemDisk, model: &Model) -> bool {
    let marked = disk.bytes(&dir().join("clean-shutdown")).is_some();
    assert!(!marked || !model.appended, "it vouches for what it has never seen");
    marked
}

fn follow(steps: Vec<Step>) {
    let mut model = Model::default();
    let (mut disk, mut log) = reopened(MemDisk::new(), &model, true);
    for step in steps {
        match step {
            Step::Append { records, value_bytes, timestamp, epoch_up } => {
                model.epoch += i32::from(epoch_up);
                let mut all = Vec::new();
                for records in records {
                    let base = model.end();
                    let bytes = batch(base, model.epoch, timestamp, records, value_bytes);
                    all.extend_from_slice(&bytes);
                    let (next, max_timestamp) = (base + records, timestamp + records - 1);
                    model.batches.push(Batch { base, next, epoch: model.epoch, max_timestamp, bytes });
                }
                log.append(&all).unwrap();
                model.appended = true;
            }
            Step::Sync => {
                model.synced = model.end();
                assert_eq!(log.sync().unwrap(), model.synced);
            }
            Step::Roll => log.roll().unwrap(),
            Step::Close => {
                log.close().unwrap();
                model.synced = model.end();
                model.appended = false;
                (disk, log) = reopened(disk, &model, true);
            }
            Step::Crash => {
                // A roll syncs of its own accord.
                assert!(log.flushed_end() >= model.synced);
                model.forget_from(log.flushed_end());
                model.synced = model.end();
                let clean = is_marked(&disk, &model);
                (disk, log) = reopened(disk.crash(0), &model, clean);
            }
            Step::Kill => {
                model.synced = model.end();
                drop(log);
                let clean = is_marked(&disk, &model);
                (disk, log) = reopened(disk, &model, clean);
            }
            Step::CutTo(part) => {
                model.forget_from(model.offset(part));
                assert_eq!(log.truncate_to(model.end()).unwrap(), model.end());
            }
            Step::DeleteBefore(part) => {
                let asked = model.offset(part);
                let start = log.delete_segments_before(asked).unwrap();
                assert!((model.start..=asked).contains(&start));
                model.start = start;
                model.batches.retain(|batch| batch.next > start);
            }
            Step::StartAt(part) => {
                let asked = model.offset(part);
                assert_eq!(log.advance_log_start(asked).unwrap(), asked);
                model.start = asked;
                model.synced = if log.flushed_end() == model.end() { model.end() } else { model.synced };
                model.batches.retain(|batch| batch.next > asked);
            }
            Step::FindLatest(part) => {
                let end = model.offset(part);
                let within = model.batches.iter().filter(|batch| batch.next <= end);
                let expected = within.max_by_key(|batch| (batch.max_timestamp, Reverse(batch.base)));
                let found = log.reader().max_timestamp(end).unwrap();
                assert_eq!(found.map(|header| header.base_offset), expected.map(|batch| batch.base));
            }
            Step::Read { at, end, max_bytes, at_least_one } => {
                let (offset, end) = (model.offset(at), model.offset(end));
                let read = log.reader().read(offset, end, max_bytes, at_least_one).unwrap();
                let all = model.read(offset, end, max_bytes, at_least_one);
                // A read ends where a segment ends, so it may be shorter, but not empty.
                assert!(all.starts_with(&read), "read({offset}, {end}, {max_bytes}, {at_least_one})");
                assert_eq!(read.is_empty(), all.is_empty());
                headers(&read);
            }
            Step::FindTimestamp(timestamp) => {
                let found = log.reader().offset_for_timestamp(timestamp).unwrap();
                let expected = model.batches.iter().find(|batch| batch.max_timestamp >= timestamp);
                assert_eq!(found.map(|header| header.base_offset), expected.map(|batch| batch.base));
            }
        }
        check(&model, &log);
    }
}

fn check(model: &Model, log: &Log<MemDisk>) {
    let reader = log.reader();
    assert_eq!((log.log_start(), log.log_end()), (model.start, model.end()));
    let below = reader.read(model.start - 1, 0, 0, true);
    assert!(matches!(below, Err(ReadError::OffsetOutOfRange { .. })));
    assert_eq!(read_all(&reader, model.start, 700), model.read(0, i64::MAX, usize::MAX, true));
    let found: Vec<i64> = reader.headers(model.start).map(|header| header.unwrap().base_offset).collect();
    assert_eq!(found, model.batches.iter().map(|batch| batch.base).collect::<Vec<_>>());
    for batch in &model.batches {
        assert_eq!(reader.epoch_at(batch.base.max(model.start)), Some(batch.epoch));
        let after = model.batches.iter().find(|later| later.epoch > batch.epoch);
        let end = reader.epoch_end(batch.epoch).unwrap();
        assert_eq!((end.epoch, end.end_offset), (batch.epoch, after.map_or(model.end(), |later| later.base)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_as_a_list_would(steps in prop::collection::vec(step(), 1..40)) {
        follow(steps);
    }
}
