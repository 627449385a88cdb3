//! A partition as its owner has it, on a disk that can be crashed: what its upkeep must never lose.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell's test

use std::path::PathBuf;

use broker_logic::{
    cluster::{CleanupPolicy, ClusterImage, Configs, Record, StaticConfigs, TimestampType, TopicSettings},
    ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition},
    replica::{Acks, AppendError, SequenceError},
};
use bytes::Bytes;
use commit_log::{Disk, LogError, MemDisk};
use core_broker::hosted::{AppendResult, DeleteRecordsError, Hosted, OpenPartition};
use kafka_wire::record_batch::{
    self, BatchHeader, Compression, Producer, RecordsEncoder, batches, decode_records,
};

const ME: BrokerId = BrokerId(1);
const DAY_MS: i64 = 86_400_000;
const NO_SPACE: i32 = 28;
const NEVER: u64 = 1 << 60;

type Log = Hosted<MemDisk, u64>;

/// Segments of two batches.
fn settings() -> TopicSettings {
    let mut image = ClusterImage::new();
    image.apply(&Record::Topic { name: "t".into(), topic_id: TopicId::default() }).unwrap();
    let topic = image.topic("t").unwrap();
    let defaults = Configs::new(&image, ME, &StaticConfigs::default()).topic_settings(topic);
    TopicSettings { segment_bytes: 200, ..defaults }
}

fn compacted() -> TopicSettings {
    let cleanup_policy = CleanupPolicy { delete: false, compact: true };
    TopicSettings { cleanup_policy, min_cleanable_dirty_ratio: 0.0, ..settings() }
}

fn partition(settings: TopicSettings) -> OpenPartition {
    OpenPartition {
        id: TopicPartition::new("t", 0),
        topic_id: TopicId::default(),
        folder: folder(),
        leader_epoch: LeaderEpoch(0),
        in_sync: vec![ME],
        settings,
    }
}

fn open(disk: &MemDisk, settings: TopicSettings) -> Log {
    Hosted::open(disk.clone(), ME, partition(settings), 0, |_| ()).unwrap().0
}

fn folder() -> PathBuf {
    PathBuf::from("/t-0")
}

fn batch(producer: Producer, time_ms: i64, key: &str, value: Option<&str>) -> Bytes {
    let mut records = RecordsEncoder::new();
    records.push(time_ms, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    record_batch::assemble(&records.finish(Compression::None).unwrap(), producer).freeze()
}

fn from(id: i64, base_sequence: i32) -> Producer {
    Producer { id, epoch: 0, base_sequence }
}

/// One batch, one turn.
fn append(log: &mut Log, batch: &Bytes, now_ms: i64) -> AppendResult {
    let (header, mut answers) = (BatchHeader::validate(batch).unwrap(), Vec::new());
    log.append(&header, batch, Acks::All, now_ms + 1_000, 7, now_ms, &mut answers);
    log.commit(now_ms, &mut answers);
    let (waiter, result) = answers.pop().expect("answered in its turn");
    assert_eq!((waiter, answers), (7, vec![]));
    result
}

/// A batch a second from a producer, each with another key unless it is told.
fn fill(log: &mut Log, id: i64, sequences: std::ops::Range<i32>, key: Option<&str>) {
    for sequence in sequences {
        let own = format!("key-{sequence}");
        let batch = batch(from(id, sequence), 1_000, key.unwrap_or(&own), Some(&format!("v{sequence}")));
        append(log, &batch, 1_000).unwrap();
    }
}

fn upkeep(log: &mut Log, now_ms: i64) -> usize {
    let mut answers = Vec::new();
    let removed = std::iter::from_fn(|| log.upkeep(now_ms, &mut answers)).count();
    assert!(answers.is_empty());
    removed
}

fn compact(log: &mut Log, now_ms: i64) {
    let mut compaction = log.begin_compaction(now_ms, &mut Vec::new()).unwrap().expect("due");
    while let Some(rewritten) = compaction.rewrite_next().unwrap() {
        assert!(log.install(rewritten, now_ms, &mut Vec::new()).unwrap());
    }
    log.finish_compaction(compaction, now_ms, &mut Vec::new()).unwrap();
}

/// All that a consumer sees: offset and value.
fn read(log: &Log) -> Vec<(i64, String)> {
    let (mut next, end) = (log.replica().log_start().0, log.replica().high_watermark().0);
    let mut seen = Vec::new();
    while next < end {
        let bytes = log.reader().read(next, end, 1 << 20, true).unwrap();
        if bytes.is_empty() {
            break;
        }
        for batch in batches(&bytes) {
            let (header, range) = batch.unwrap();
            next = header.next_offset();
            for record in decode_records(bytes.slice(range), 1 << 20).unwrap() {
                let value = record.value.map(|value| String::from_utf8_lossy(&value).into_owned());
                seen.push((record.offset, value.unwrap_or_default()));
            }
        }
    }
    seen
}

/// Each of the last five is known with its offset; what comes next must follow.
fn knows_producer(log: &mut Log, id: i64, last: i32, last_offset: i64) {
    let key = |sequence: i32| format!("key-{sequence}");
    for back in 0..5 {
        let again = batch(from(id, last - back), 1_000, &key(last - back), Some("again"));
        let appended = append(log, &again, 2_000).unwrap();
        assert_eq!(appended.base_offset, Offset(last_offset - i64::from(back)), "{back} before the last");
    }
    let early = batch(from(id, last + 2), 1_000, "k", Some("early"));
    assert_eq!(append(log, &early, 2_000), Err(AppendError::Sequence(SequenceError::OutOfOrder)));
}

#[test]
fn trap_13_what_is_known_of_producers_survives_retention_and_a_power_cut() {
    let disk = MemDisk::new();
    let mut log = open(&disk, TopicSettings { retention_ms: Some(DAY_MS), ..settings() });
    fill(&mut log, 9, 0..11, None);
    assert!(upkeep(&mut log, 3 * DAY_MS) > 3, "all that it holds is too old");
    assert_eq!((log.replica().log_start(), log.replica().log_end()), (Offset(11), Offset(11)));
    knows_producer(&mut log, 9, 10, 10);
    for seed in 0..4 {
        let mut log = open(&disk.crash(seed), settings());
        assert_eq!((log.replica().log_start(), log.replica().log_end()), (Offset(11), Offset(11)));
        knows_producer(&mut log, 9, 10, 10);
    }
}

#[test]
fn trap_13_what_is_known_of_producers_survives_compaction_and_a_power_cut() {
    let disk = MemDisk::new();
    let mut log = open(&disk, compacted());
    fill(&mut log, 9, 0..11, Some("always the same"));
    compact(&mut log, 2_000);
    let seen = read(&log);
    assert!(seen.len() < 5 && seen.last() == Some(&(10, "v10".to_owned())), "{seen:?}");
    knows_producer(&mut log, 9, 10, 10);
    for seed in 0..4 {
        let mut log = open(&disk.crash(seed), compacted());
        assert_eq!(read(&log), seen);
        knows_producer(&mut log, 9, 10, 10);
    }
}

#[test]
fn a_resend_of_a_batch_that_was_compacted_is_not_taken_for_somebody_elses() {
    let disk = MemDisk::new();
    let mut log = open(&disk, compacted());
    fill(&mut log, 8, 0..1, Some("k"));
    fill(&mut log, 9, 0..11, Some("k"));
    compact(&mut log, 2_000);
    // Without a snapshot there are only the headers of what is left, some of them without a record.
    for name in disk.list(&folder()).unwrap().iter().filter(|name| name.ends_with(".snapshot")) {
        disk.overwrite(&folder().join(name), b"garbage".to_vec());
    }
    let mut log = open(&disk, compacted());
    for (id, sequence, offset) in [(8, 0, 0), (9, 10, 11)] {
        let sent = batch(from(id, sequence), 1_000, "k", Some(&format!("v{sequence}")));
        let appended = append(&mut log, &sent, 2_000).unwrap();
        assert_eq!((appended.base_offset, appended.other_bytes), (Offset(offset), false));
    }
}

#[test]
fn trap_13_what_is_known_of_producers_survives_delete_records() {
    let disk = MemDisk::new();
    let mut log = open(&disk, settings());
    fill(&mut log, 9, 0..11, None);
    assert_eq!(log.delete_records(-1, 0, &mut Vec::new()).unwrap(), Offset(11));
    for log in [&mut log, &mut open(&disk.crash(3), settings())] {
        assert_eq!(read(log), []);
        knows_producer(log, 9, 10, 10);
    }
    for asked in [12, -2] {
        let refused = log.delete_records(asked, 0, &mut Vec::new());
        assert!(matches!(refused, Err(DeleteRecordsError::OutOfRange(_))), "{asked}");
    }
}

#[test]
fn opening_after_a_crash_reads_only_what_came_after_the_last_snapshot() {
    let disk = MemDisk::new();
    let mut log = open(&disk, settings());
    fill(&mut log, 9, 0..20, None);
    let snapshots = |disk: &MemDisk| -> Vec<String> {
        disk.list(&folder()).unwrap().into_iter().filter(|name| name.ends_with(".snapshot")).collect()
    };
    assert_eq!(snapshots(&disk).len(), 2, "one for each segment that was sealed, the newest two are kept");
    for damage in 0..3 {
        let crashed = disk.crash(0);
        for name in snapshots(&crashed).iter().rev().take(damage) {
            crashed.overwrite(&folder().join(name), b"garbage".to_vec());
        }
        // The older one serves, and without any the log is read from its start.
        knows_producer(&mut open(&crashed, settings()), 9, 19, 19);
    }
    log.close().unwrap();
    assert!(
        snapshots(&disk).contains(&format!("{:020}.snapshot", 20)),
        "a clean stop leaves nothing to read"
    );
    knows_producer(&mut open(&disk, settings()), 9, 19, 19);
}

#[test]
fn whatever_write_or_sync_fails_what_was_acknowledged_is_there_after_a_power_cut() {
    for failing in 1..40 {
        for sync in [false, true] {
            let disk = MemDisk::new();
            let mut log = open(&disk, settings());
            if sync {
                disk.fail_sync(failing, 5)
            } else {
                disk.fail_write(failing, NO_SPACE)
            };
            let values =
                |log: &Log| -> Vec<String> { read(log).into_iter().map(|(_, value)| value).collect() };
            let mut acknowledged = Vec::new();
            for sequence in 0..12 {
                let value = format!("v{sequence}");
                let batch = batch(from(9, sequence), 1_000, "k", Some(&value));
                if append(&mut log, &batch, 1_000).is_ok() {
                    acknowledged.push(value);
                } else if log.take_failure().is_some_and(|failure| failure.is_disk_full()) {
                    log.open_again(disk.clone(), 1_000, |_| ()).unwrap();
                    assert_eq!(values(&log), acknowledged, "opened again, {failing} {sync}");
                }
            }
            let after = values(&open(&disk.crash(1), settings()));
            assert!(after.starts_with(&acknowledged), "{failing} {sync}: {after:?}");
        }
    }
}

#[test]
fn a_leader_epoch_that_nobody_had_yet_is_damage_and_told_with_its_place() {
    let disk = MemDisk::new();
    let mut log = open(&disk, TopicSettings { segment_bytes: 1 << 20, ..settings() });
    fill(&mut log, 1, 0..3, None);
    let path = folder().join("00000000000000000000.log");
    let mut bytes = disk.bytes(&path).unwrap();
    let last = batches(&bytes).flatten().last().unwrap().1.start;
    bytes[last + 12] = 0x7f;
    disk.overwrite(&path, bytes);
    let again = OpenPartition { leader_epoch: LeaderEpoch(1), ..partition(settings()) };
    let told = Log::open(disk, ME, again, 0, |_| ()).err().expect("refused").to_string();
    assert!(told.starts_with("00000000000000000000.log in /t-0 has leader epoch 2130706432"), "{told}");
    assert!(told.contains("from offset 2 on"), "{told}");
}

#[test]
fn a_loss_is_told_although_the_log_cannot_be_led() {
    let disk = MemDisk::new();
    let mut log = open(&disk, TopicSettings { segment_bytes: 1 << 20, ..settings() });
    fill(&mut log, 1, 0..3, None);
    let path = folder().join("00000000000000000000.log");
    let mut bytes = disk.bytes(&path).unwrap();
    bytes[12] = 0x7f; // the leader epoch of the first: those behind it go back
    disk.overwrite(&path, bytes);
    let mut told = None;
    let again = OpenPartition { leader_epoch: LeaderEpoch(1), ..partition(settings()) };
    assert!(Log::open(disk, ME, again, 0, |recovered| told = recovered.corruption.clone()).is_err());
    assert_eq!(told.map(|lost| lost.offset), Some(1));
}

#[test]
fn a_segment_ends_by_the_age_of_its_first_batch() {
    let disk = MemDisk::new();
    let large = TopicSettings { segment_bytes: 1 << 20, segment_ms: DAY_MS, ..settings() };
    let mut log = open(&disk, large);
    let at = |time_ms| batch(Producer::NONE, time_ms, "k", Some("v"));
    for (time_ms, now_ms, active_base) in [
        (0, 0, 0),
        (DAY_MS, DAY_MS, 0),
        (DAY_MS + 1, DAY_MS + 1, 2), // it begins the next one
        (DAY_MS, 9 * DAY_MS, 2),     // a backlog is no segment for each batch
    ] {
        append(&mut log, &at(time_ms), now_ms).unwrap();
        assert_eq!(log.active_base(), active_base, "{time_ms} {now_ms}");
    }
    upkeep(&mut log, 9 * DAY_MS);
    assert_eq!(log.active_base(), 4, "nobody appends, and it ends by itself");

    let jitter = TopicSettings { segment_jitter_ms: DAY_MS, ..large };
    let mut ends = Vec::new();
    for n in 0..8 {
        let mut log = open(&MemDisk::new(), jitter);
        append(&mut log, &at(0), 0).unwrap();
        let ended = |at_ms: &i64| {
            upkeep(&mut log, *at_ms);
            log.active_base() > 0
        };
        ends.push((0..).map(|hour| hour * 3_600_000).find(ended).unwrap());
        assert!(ends[n] <= DAY_MS + 3_600_000);
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "the same log has the same jitter");
}

#[test]
fn the_leaders_clock_is_in_the_header_and_in_the_answer() {
    let disk = MemDisk::new();
    let stamped = TopicSettings { message_timestamp_type: TimestampType::LogAppendTime, ..settings() };
    let mut log = open(&disk, stamped);
    let sent = batch(from(9, 0), 1, "k", Some("v"));
    assert_eq!(append(&mut log, &sent, 5_000).unwrap().log_append_time_ms, Some(5_000));
    assert_eq!(append(&mut log, &sent, 6_000).unwrap().log_append_time_ms, Some(5_000), "a duplicate");
    let bytes = log.reader().read(0, 1, 1 << 20, true).unwrap();
    let header = BatchHeader::validate(&bytes).unwrap();
    assert!(header.log_append_time() && header.max_timestamp == 5_000);
    let mut again = open(&disk.crash(0), stamped);
    let appended = append(&mut again, &sent, 7_000).unwrap();
    assert_eq!((appended.log_append_time_ms, appended.other_bytes), (Some(5_000), false));
}

#[test]
fn relaxed_flush_shows_what_is_written_and_syncs_by_number_and_time() {
    let disk = MemDisk::new();
    let relaxed = TopicSettings { segment_bytes: 1 << 20, flush_messages: 4, flush_ms: 500, ..settings() };
    let mut log = open(&disk, relaxed);
    let synced = |disk: &MemDisk| read(&open(&disk.crash(0), settings())).len();
    for (sequence, on_disk) in [(0, 0), (1, 0), (2, 0), (3, 4), (4, 4)] {
        fill(&mut log, 9, sequence..sequence + 1, None);
        assert_eq!((read(&log).len() as i32, synced(&disk)), (sequence + 1, on_disk), "{sequence}");
    }
    assert_eq!(log.replica().deadline_ms(), Some(1_500));
    log.tick(1_500, &mut Vec::new());
    assert_eq!(synced(&disk), 5);
    fill(&mut log, 9, 5..6, None);
    log.configure(settings(), 1_600, &mut Vec::new());
    assert_eq!(synced(&disk), 6, "a stricter topic is on the disk at once");
}

#[test]
fn a_compaction_or_retention_that_finds_the_disk_full_leaves_the_log_taking_appends() {
    for failing in 1..30 {
        let disk = MemDisk::new();
        let mut log = open(&disk, compacted());
        fill(&mut log, 9, 0..11, Some("k"));
        disk.fail_write(failing, NO_SPACE);
        if let Ok(Some(mut compaction)) = log.begin_compaction(2_000, &mut Vec::new()) {
            while let Ok(Some(rewritten)) = compaction.rewrite_next() {
                let _ = log.install(rewritten, 2_000, &mut Vec::new());
            }
            let _ = log.finish_compaction(compaction, 2_000, &mut Vec::new());
        }
        disk.fail_write(NEVER, 0);
        if log.take_failure().is_some() {
            log.open_again(disk.clone(), 2_000, |_| ()).unwrap();
        }
        fill(&mut log, 9, 11..12, Some("k"));
        assert_eq!(read(&log).last(), Some(&(11, "v11".to_owned())), "{failing}");
    }
}

/// Until the disk has no room for another.
fn fill_disk(disk: &MemDisk, settings: TopicSettings, capacity: u64) -> (Log, Vec<(i64, String)>) {
    let mut log = open(disk, settings);
    disk.set_capacity(Some(capacity));
    for sequence in 0.. {
        let batch = batch(from(9, sequence), 1_000, "k", Some(&format!("v{sequence}")));
        if append(&mut log, &batch, 1_000).is_err() {
            break;
        }
    }
    assert!(log.take_failure().is_some_and(|failure| failure.is_disk_full()));
    // Perhaps of a snapshot that found no room.
    let _ = log.take_complaint();
    let acknowledged = read(&log);
    (log, acknowledged)
}

#[test]
fn retention_makes_room_on_a_disk_whose_fullness_has_stopped_the_log() {
    for capacity in 2_000..2_300 {
        let (disk, old) = (MemDisk::new(), TopicSettings { retention_ms: Some(DAY_MS), ..settings() });
        let (mut log, acknowledged) = fill_disk(&disk, old, capacity);
        let last = acknowledged.last().unwrap().0;
        assert_eq!(upkeep(&mut log, 1_000 + DAY_MS), 0, "nothing is too old yet");
        assert!(upkeep(&mut log, 3 * DAY_MS) > 3, "{capacity}");
        assert!(log.take_failure().is_none() && log.take_complaint().is_none());
        assert_eq!(log.upkeep(3 * DAY_MS, &mut Vec::new()).map(|segment| segment.bytes()), None);
        let left = read(&log);
        assert!(acknowledged.ends_with(&left), "{capacity}: {left:?}");
        let mut after_power_cut = open(&disk.crash(1), old);
        log.open_again(disk.clone(), 3 * DAY_MS, |_| ()).unwrap();
        for log in [&mut log, &mut after_power_cut] {
            assert_eq!(read(log), left, "{capacity}");
            knows_producer(log, 9, last as i32, last);
            fill(log, 9, last as i32 + 1..last as i32 + 2, None);
        }
    }
}

#[test]
fn delete_records_makes_room_on_a_disk_whose_fullness_has_stopped_the_log() {
    for capacity in 2_000..2_300 {
        let disk = MemDisk::new();
        let (mut log, acknowledged) = fill_disk(&disk, settings(), capacity);
        let last = acknowledged.last().unwrap().0;
        assert_eq!(log.delete_records(4, 1_000, &mut Vec::new()).unwrap(), Offset(4), "a segment's end");
        assert_eq!(log.delete_records(5, 1_000, &mut Vec::new()).unwrap(), Offset(5), "and there is room");
        // What no snapshot tells of waits for room.
        let all = log.delete_records(-1, 1_000, &mut Vec::new());
        assert!(matches!(all, Err(DeleteRecordsError::LogFailed)), "{capacity}: {all:?}");
        assert!(log.take_failure().is_none() && log.take_complaint().is_none(), "told once");
        let left = read(&log);
        assert!(acknowledged.ends_with(&left) && left.len() < 5, "{capacity}: {left:?}");
        log.open_again(disk.clone(), 1_000, |_| ()).unwrap();
        assert_eq!(read(&log), left, "{capacity}");
        knows_producer(&mut log, 9, last as i32, last);
        assert_eq!(log.delete_records(-1, 1_000, &mut Vec::new()).unwrap(), Offset(last + 1));
    }
}

#[test]
fn a_log_that_is_stopped_is_told_once() {
    let (mut log, acknowledged) = fill_disk(&MemDisk::new(), settings(), 2_000);
    let end = acknowledged.last().unwrap().0 + 1;
    for asked in [0, end, -1] {
        let _ = log.delete_records(asked, 1_000, &mut Vec::new());
        assert!(log.take_failure().is_none(), "{asked}");
    }
    let disk = MemDisk::new();
    let mut log = open(&disk, TopicSettings { retention_ms: Some(1), ..settings() });
    fill(&mut log, 9, 0..11, None);
    disk.fail_sync(1, 5);
    assert!(append(&mut log, &batch(from(9, 11), 1_000, "k", Some("v")), 1_000).is_err());
    assert!(log.take_failure().is_some_and(|failure| !failure.is_disk_full()));
    assert_eq!(upkeep(&mut log, 3 * DAY_MS), 0, "an error that is no lack of room leaves it as it is");
    assert!(matches!(log.delete_records(4, 1_000, &mut Vec::new()), Err(DeleteRecordsError::LogFailed)));
    assert!(log.take_failure().is_none());
    assert_eq!(log.replica().log_start(), Offset(0));
}

#[test]
fn a_compaction_ends_with_the_log_that_it_was_begun_on() {
    for deleted in [false, true] {
        let disk = MemDisk::new();
        let mut log = open(&disk, compacted());
        fill(&mut log, 9, 0..11, Some("k"));
        let mut compaction = log.begin_compaction(2_000, &mut Vec::new()).unwrap().expect("due");
        if deleted {
            log.delete(2_000, &mut Vec::new());
        } else {
            log.open_again(disk.clone(), 2_000, |_| ()).unwrap();
        }
        let files = disk.list(&folder()).unwrap();
        assert!(compaction.rewrite_next().unwrap().is_none(), "{deleted}");
        assert_eq!(disk.list(&folder()).unwrap(), files, "{deleted}");
    }
}

#[test]
fn a_segment_rewritten_for_a_log_that_was_opened_again_is_not_installed() {
    let disk = MemDisk::new();
    let mut log = open(&disk, compacted());
    fill(&mut log, 9, 0..11, Some("k"));
    let mut compaction = log.begin_compaction(2_000, &mut Vec::new()).unwrap().expect("due");
    let rewritten = compaction.rewrite_next().unwrap().expect("a key stands twice");
    log.open_again(disk.clone(), 2_000, |_| ()).unwrap();
    let (before, files) = (read(&log), disk.list(&folder()).unwrap());
    assert!(!log.install(rewritten, 2_000, &mut Vec::new()).unwrap());
    assert_eq!((read(&log), disk.list(&folder()).unwrap()), (before, files));
    assert!(log.take_failure().is_none());
}

#[test]
fn a_segment_rewritten_for_a_log_that_a_full_disk_has_stopped_gives_its_room_back() {
    let disk = MemDisk::new();
    let mut log = open(&disk, compacted());
    fill(&mut log, 9, 0..11, Some("k"));
    let mut compaction = log.begin_compaction(2_000, &mut Vec::new()).unwrap().expect("due");
    let rewritten = compaction.rewrite_next().unwrap().expect("a key stands twice");
    disk.fail_write(1, NO_SPACE);
    assert!(append(&mut log, &batch(from(9, 11), 1_000, "k", Some("v")), 1_000).is_err());
    let installed = log.install(rewritten, 2_000, &mut Vec::new());
    assert!(matches!(installed, Err(LogError::Stopped { .. })), "{installed:?}");
    let files = disk.list(&folder()).unwrap();
    assert!(!files.iter().any(|name| name.ends_with(".tmp")), "{files:?}");
}

#[test]
fn a_log_that_was_opened_again_is_not_marked_by_a_compaction_of_before() {
    let disk = MemDisk::new();
    let mut log = open(&disk, compacted());
    fill(&mut log, 9, 0..11, Some("k"));
    let before = log.cleaned_to();
    let mut compaction = log.begin_compaction(2_000, &mut Vec::new()).unwrap().expect("due");
    log.open_again(disk.clone(), 2_000, |_| ()).unwrap();
    assert!(compaction.rewrite_next().unwrap().is_none());
    assert_eq!(log.finish_compaction(compaction, 2_000, &mut Vec::new()).unwrap(), None);
    assert_eq!(log.cleaned_to(), before);
    compact(&mut log, 3_000);
    assert!(log.cleaned_to() > before, "as due as it was");
}

#[test]
fn retention_keeps_young_records_when_a_full_disk_breaks_off_an_install() {
    let cleanup_policy = CleanupPolicy { delete: true, compact: true };
    let both =
        TopicSettings { cleanup_policy, retention_ms: Some(DAY_MS), segment_bytes: 400, ..compacted() };
    for nth in 1.. {
        let disk = MemDisk::new();
        // One batch a segment, small enough to become one: the first is old, the others are of today.
        let mut log = open(&disk, TopicSettings { segment_bytes: 100, ..both });
        for sequence in 0..5 {
            let (time_ms, key) =
                (if sequence == 0 { 1_000 } else { 3 * DAY_MS }, format!("k{}", sequence.max(1)));
            append(&mut log, &batch(from(9, sequence), time_ms, &key, Some("v")), 1_000).unwrap();
        }
        log.configure(both, 1_000, &mut Vec::new());
        let young: Vec<_> = read(&log).into_iter().filter(|(offset, _)| *offset > 0).collect();
        let mut compaction = log.begin_compaction(3 * DAY_MS, &mut Vec::new()).unwrap().expect("due");
        let rewritten = compaction.rewrite_next().unwrap().expect("a key stands twice");
        disk.fail_write(nth, NO_SPACE);
        let installed = log.install(rewritten, 3 * DAY_MS, &mut Vec::new());
        if installed.is_ok() {
            assert!(nth > 2);
            break;
        }
        disk.fail_write(NEVER, 0);
        upkeep(&mut log, 3 * DAY_MS);
        log.open_again(disk.clone(), 3 * DAY_MS, |recovered| assert_eq!(recovered.corruption, None)).unwrap();
        assert!(read(&log).ends_with(&young), "{nth}: {:?}", read(&log));
    }
}
