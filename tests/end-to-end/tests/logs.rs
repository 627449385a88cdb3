//! How logs live: by their topic's settings, through deletions, compactions, crashes and damage.

mod client;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use end_to_end::{
    Scene, command,
    http::{self, metric},
    kafka::Client,
    program, scene,
};
use kafka_wire::{
    ErrorCode,
    messages::init_producer_id::InitProducerIdRequest,
    record_batch::{self, BatchHeader, Compression, Producer, RecordsEncoder},
};

use client::{EARLIEST, LATEST, Topic, batch, large, now_ms};

/// Old segments go and logs are compacted without delay.
const QUICK_UPKEEP: &str = "[upkeep]\nretention_check = \"100ms\"\ncleaner_backoff = \"100ms\"\n";

const SMALLEST_SEGMENT: (&str, &str) = ("segment.bytes", "1048576");

#[test]
fn old_segments_go_by_size_and_who_asks_for_them_is_told() {
    scene(|scene| {
        let mut broker = scene.broker_configured(QUICK_UPKEEP)?;
        let mut topic = Topic::create(scene.kafka, "bounded", &[SMALLEST_SEGMENT])?;
        for number in 0..6 {
            topic.produce_ok(&large("k", number))?;
        }
        ensure!(topic.offset(EARLIEST)? == 0, "nothing is kept too short");
        topic.set("retention.bytes", "2097152")?;
        topic.until("two megabytes are left", |topic| Ok(topic.offset(EARLIEST)? >= 3))?;
        ensure!(topic.fetch(0)?.error_code == ErrorCode::OffsetOutOfRange);
        ensure!(topic.produce_ok(&large("k", 6))? == 6);
        broker.kill_and_start_again()?;
        topic.reconnect(scene.kafka)?;
        ensure!(topic.offset(EARLIEST)? >= 3 && topic.offset(LATEST)? == 7);
        broker.stop()
    });
}

#[test]
fn settings_of_a_topic_are_in_force_at_once() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "settings", &[])?;
        let before = now_ms();
        let small = |time_ms| batch("k", b"v", time_ms, Producer::NONE);

        ensure!(topic.produce(&small(before + 7_200_000))?.error_code == ErrorCode::InvalidTimestamp);
        topic.set("message.timestamp.before.max.ms", "1000")?;
        let refused = topic.produce(&small(before - 60_000))?;
        ensure!(refused.error_code == ErrorCode::InvalidTimestamp && refused.record_errors.len() == 1);

        topic.set("message.timestamp.type", "LogAppendTime")?;
        let produced = topic.produce(&small(1))?;
        ensure!(
            produced.error_code == ErrorCode::None && produced.log_append_time_ms >= before,
            "{produced:?}"
        );
        let header = header_at(&mut topic, produced.base_offset)?;
        ensure!(header.log_append_time() && header.max_timestamp == produced.log_append_time_ms);

        topic.set("compression.type", "gzip")?;
        let offset = topic.produce_ok(&batch("k", &[b'x'; 5_000], before, Producer::NONE))?;
        ensure!(header_at(&mut topic, offset)?.compression() == Ok(Compression::Gzip));

        topic.set("max.message.bytes", "1000")?;
        ensure!(topic.produce(&large("k", 0))?.error_code == ErrorCode::MessageTooLarge);
        topic.set("min.insync.replicas", "2")?;
        ensure!(topic.produce(&small(1))?.error_code == ErrorCode::NotEnoughReplicas);
        topic.set("min.insync.replicas", "1")?;
        topic.set("cleanup.policy", "compact")?;
        let refused = topic.produce(&without_key())?;
        ensure!(refused.error_code == ErrorCode::InvalidRecord && refused.record_errors.len() == 1);
        broker.stop()
    });
}

#[test]
fn trap_7_a_deleted_topic_is_gone_at_once_and_one_of_the_same_name_is_another() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "short-lived", &[])?;
        topic.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))?;
        // Waits for records that never come.
        let mut waiting = Topic::create(scene.kafka, "of-one-who-waits", &[])?;
        (waiting.name, waiting.id) = (topic.name.clone(), topic.id);
        waiting.ask_fetch(1, 30_000)?;

        ensure!(topic.delete()? == ErrorCode::None);
        ensure!(waiting.fetched()?.error_code == ErrorCode::UnknownTopicId, "a long poll is woken");
        ensure!(topic.delete()? == ErrorCode::UnknownTopicId);
        let late = topic.produce(&batch("k", b"v", now_ms(), Producer::NONE))?;
        ensure!(late.error_code == ErrorCode::UnknownTopicId, "{late:?}");

        let mut again = Topic::create(scene.kafka, "short-lived", &[])?;
        ensure!(again.id != topic.id && again.offset(LATEST)? == 0);
        ensure!(again.produce_ok(&batch("k", b"new", now_ms(), Producer::NONE))? == 0);
        ensure!(topic.fetch(0)?.error_code == ErrorCode::UnknownTopicId);
        for _ in 0..2 {
            broker.kill_and_start_again()?;
            again.reconnect(scene.kafka)?;
            let values: Vec<_> = again.read()?.into_iter().map(|record| record.value).collect();
            ensure!(values == [Some(Bytes::from_static(b"new"))], "{values:?}");
        }
        again.until("folders of deleted topics are removed", |_| {
            let folders = fs::read_dir(logs(scene))?.collect::<Result<Vec<_>, _>>()?;
            Ok(!folders.iter().any(|folder| folder.file_name().to_string_lossy().ends_with(".deleted")))
        })?;
        broker.stop()
    });
}

#[test]
fn records_are_deleted_up_to_an_offset_and_stay_deleted() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "shortened", &[])?;
        for value in ["a", "b", "c", "d"] {
            topic.produce_ok(&batch("k", value.as_bytes(), now_ms(), Producer::NONE))?;
        }
        for (offset, expected) in [
            (2, Ok(2)),
            (1, Ok(2)), // not back
            (5, Err(ErrorCode::OffsetOutOfRange)),
            (-2, Err(ErrorCode::OffsetOutOfRange)),
        ] {
            let deleted = topic.delete_records(offset)?;
            ensure!(deleted == expected, "{offset}: {deleted:?}");
        }
        broker.kill_and_start_again()?;
        topic.reconnect(scene.kafka)?;
        ensure!(topic.offset(EARLIEST)? == 2 && topic.read()?.len() == 2);
        ensure!(topic.delete_records(-1)? == Ok(4));
        ensure!(topic.read()?.is_empty() && topic.offset(EARLIEST)? == 4);
        topic.set("cleanup.policy", "compact")?;
        ensure!(topic.delete_records(-1)? == Err(ErrorCode::PolicyViolation));
        broker.stop()
    });
}

#[test]
fn a_compacted_topic_keeps_the_last_of_each_key_and_what_is_known_of_its_producer() {
    scene(|scene| {
        let mut broker = scene.broker_configured(QUICK_UPKEEP)?;
        let configs =
            [SMALLEST_SEGMENT, ("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01")];
        let mut topic = Topic::create(scene.kafka, "compacted", &configs)?;
        let producer = |base_sequence| Producer { id: 4_711, epoch: 0, base_sequence };
        let sent: Vec<Bytes> =
            (0..5).map(|number| batch("same", &[b'x'; 900_000], now_ms(), producer(number))).collect();
        for batch in &sent {
            topic.produce_ok(batch)?;
        }
        topic.until("old values of the key are gone", |topic| {
            let records = topic.read()?;
            ensure!(records.last().is_some_and(|last| last.offset == 4), "the last value is gone");
            Ok(records.len() <= 2)
        })?;
        broker.kill_and_start_again()?;
        topic.reconnect(scene.kafka)?;
        ensure!(topic.read()?.last().map(|last| last.offset) == Some(4));
        for (number, batch) in sent.iter().enumerate().rev() {
            ensure!(topic.produce_ok(batch)? == number as i64, "sent again");
        }
        ensure!(topic.produce_ok(&batch("other", b"v", now_ms(), producer(5)))? == 5);
        broker.stop()
    });
}

#[test]
fn flipped_bytes_in_an_old_segment_are_found_after_an_unclean_stop_and_by_log_verify() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "damaged", &[SMALLEST_SEGMENT])?;
        for number in 0..4 {
            topic.produce_ok(&large("k", number))?;
        }
        let in_use = verify(&logs(scene))?;
        ensure!(in_use.0 == Some(1) && in_use.1.contains("uses"), "{in_use:?}");
        broker.kill()?;
        let (code, said) = verify(&logs(scene))?;
        ensure!(code == Some(0) && said.contains("nothing is wrong"), "{said}");

        let file = logs(scene).join("damaged-0/00000000000000000001.log");
        let mut bytes = fs::read(&file).context("the second segment")?;
        bytes[500_000] ^= 1;
        fs::write(&file, bytes)?;
        for folder in [logs(scene).join("damaged-0"), logs(scene), scene.path("core-broker")] {
            let (code, said) = verify(&folder)?;
            ensure!(code == Some(1), "{said}");
            ensure!(said.contains("00000000000000000001.log: DAMAGED"), "{said}");
            ensure!(said.contains("at byte 0, offset 1: the checksum does not hold"), "{said}");
        }
        broker.start_again()?;
        topic.reconnect(scene.kafka)?;
        topic.until("the damage is in the broker's log", |_| {
            let log = broker.log();
            let told = log.lines().find(|line| line.contains("the log is damaged"));
            Ok(told.is_some_and(|line| line.contains("ERROR") && line.contains("00000000000000000001.log")))
        })?;
        ensure!(damages(scene)? == Some(1.0));
        // The rest goes on.
        ensure!(topic.produce_ok(&large("k", 9))? == 4);
        broker.stop()
    });
}

#[test]
fn a_log_whose_middle_is_missing_is_cut_there_and_what_is_behind_is_set_aside() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "torn", &[SMALLEST_SEGMENT])?;
        for number in 0..4 {
            topic.produce_ok(&large("k", number))?;
        }
        broker.kill()?;
        let folder = logs(scene).join("torn-0");
        fs::remove_file(folder.join("00000000000000000001.log"))?;
        broker.start_again()?;
        topic.reconnect(scene.kafka)?;
        ensure!(topic.offset(LATEST)? == 4, "no offset is given out again");
        ensure!(topic.read()?.len() == 1, "what stands before the hole is served");
        ensure!(broker.log().contains("ERROR"), "and the loss is told: {}", broker.last_words());
        let aside = |name: &fs::DirEntry| name.file_name().to_string_lossy().contains(".quarantine-");
        let kept =
            fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?.iter().filter(|it| aside(it)).count();
        ensure!(kept == 2, "{kept} segments are set aside");
        ensure!(topic.produce_ok(&large("k", 7))? == 4);
        broker.stop()
    });
}

#[test]
fn the_groups_topic_is_compacted_and_every_group_finds_its_offsets_after_a_kill() {
    scene(|scene| {
        let mut broker = scene.broker_configured(QUICK_UPKEEP)?;
        let mut topic = Topic::create(scene.kafka, "read-by-groups", &[])?;
        for _ in 0..3 {
            topic.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))?;
        }
        topic.commit("quiet", 1, "once")?;
        let mut offsets = Topic::of_groups(scene.kafka)?;
        for (key, value) in [SMALLEST_SEGMENT, ("min.cleanable.dirty.ratio", "0.01")] {
            offsets.set(key, value)?;
        }
        let metadata = "m".repeat(4_000);
        for number in 0..600 {
            topic.commit("busy", number % 4, &metadata)?;
        }
        topic.commit("busy", 3, "last")?;
        topic.until("the groups' topic is compacted", |_| {
            let compacted = |line: &str| line.contains("compacted") && line.contains("__consumer_offsets");
            Ok(broker.log().lines().any(compacted))
        })?;
        for _ in 0..2 {
            for (group, offset, metadata) in [("quiet", 1, "once"), ("busy", 3, "last")] {
                let committed = topic.committed(group)?;
                ensure!(committed == (offset, Some(metadata.to_owned())), "{group}: {committed:?}");
            }
            broker.kill_and_start_again()?;
            topic.reconnect(scene.kafka)?;
        }
        broker.stop()
    });
}

#[test]
fn a_partition_that_cannot_be_opened_is_told_and_keeps_nobody_from_the_others() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut lost = Topic::create(scene.kafka, "lost", &[])?;
        let mut other = Topic::create(scene.kafka, "other", &[])?;
        for topic in [&mut lost, &mut other] {
            topic.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))?;
        }
        broker.stop()?;
        fs::remove_file(logs(scene).join("lost-0/partition.metadata"))?;
        broker.start_again()?;
        for topic in [&mut lost, &mut other] {
            topic.reconnect(scene.kafka)?;
        }
        let told = broker.log();
        let told = told.lines().find(|line| line.contains("is not served")).context("silence")?;
        ensure!(told.contains("lost-0") && told.contains("partition.metadata"), "{told}");
        ensure!(lost.fetch(0)?.error_code == ErrorCode::KafkaStorageError);
        ensure!(other.read()?.len() == 1);
        broker.stop()
    });
}

#[test]
fn a_topic_whose_partition_cannot_be_opened_can_be_deleted_and_made_again() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut lost = Topic::create(scene.kafka, "lost", &[])?;
        lost.produce_ok(&batch("k", b"old", now_ms(), Producer::NONE))?;
        broker.stop()?;
        fs::remove_file(logs(scene).join("lost-0/partition.metadata"))?;
        broker.start_again()?;
        lost.reconnect(scene.kafka)?;
        ensure!(lost.delete()? == ErrorCode::None);
        ensure!(!logs(scene).join("lost-0").exists(), "the folder stays");
        let mut again = Topic::create(scene.kafka, "lost", &[])?;
        ensure!(again.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))? == 0);
        broker.stop()
    });
}

#[test]
fn a_folder_without_logs_is_no_log_that_is_in_order() {
    scene(|scene| {
        let folder = scene.path("programs");
        let below = folder.join("deep/lost-0");
        fs::create_dir_all(&below)?;
        for (file, said) in [
            (folder.join("install.log"), "holds no log"),
            (folder.join("0000.log"), "holds no log"),
            (below.join("partition.metadata"), "no segment"),
        ] {
            fs::write(file, b"")?;
            let (code, told) = verify(&folder)?;
            ensure!(code == Some(1) && told.contains(said), "{code:?}: {told}");
        }
        Ok(())
    });
}

#[test]
fn what_is_gone_after_a_clean_stop_is_told_and_no_offset_is_given_out_again() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "emptied", &[])?;
        for _ in 0..5 {
            topic.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))?;
        }
        broker.stop()?;
        fs::remove_file(logs(scene).join("emptied-0/00000000000000000000.log"))?;
        let (code, said) = verify(&logs(scene))?;
        ensure!(code == Some(1) && said.contains("all segments are gone"), "{said}");
        broker.start_again()?;
        topic.reconnect(scene.kafka)?;
        ensure!(broker.log().contains("the log had reached offset 5"), "{}", broker.last_words());
        ensure!(damages(scene)? == Some(1.0));
        ensure!(topic.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))? == 5);
        ensure!(topic.fetch(0)?.error_code == ErrorCode::OffsetOutOfRange);
        broker.stop()
    });
}

#[test]
fn metadata_that_lost_their_end_are_refused_by_every_start() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "kept", &[])?;
        topic.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))?;
        broker.stop()?;
        let log = scene.path("core-broker/metadata/00000000000000000000.log");
        let whole = fs::read(&log)?;
        copy_folder(&scene.path("core-broker/metadata"), &scene.path("copy"))?;
        fs::write(&log, &whole[..whole.len() - 10])?;
        for _ in 0..2 {
            ensure!(broker.start_again().is_err(), "it starts without the end of its metadata");
            broker.ended_within(Duration::from_secs(10))?;
            ensure!(
                broker.last_words().contains("restore the folder from a copy"),
                "{}",
                broker.last_words()
            );
        }
        // As an operator who has a copy does.
        fs::remove_dir_all(scene.path("core-broker/metadata"))?;
        fs::rename(scene.path("copy"), scene.path("core-broker/metadata"))?;
        broker.start_again()?;
        topic.reconnect(scene.kafka)?;
        ensure!(topic.read()?.len() == 1);
        broker.stop()
    });
}

#[test]
fn metadata_from_a_copy_give_out_no_producer_id_that_a_log_knows() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "known", &[])?;
        broker.stop()?;
        let (metadata, copy) = (scene.path("core-broker/metadata"), scene.path("copy"));
        copy_folder(&metadata, &copy)?;
        broker.start_again()?;
        topic.reconnect(scene.kafka)?;
        let before = new_producer(scene)?;
        topic.produce_ok(&batch("k", b"v", now_ms(), before))?;
        broker.stop()?;
        fs::remove_dir_all(&metadata)?;
        fs::rename(&copy, &metadata)?;
        broker.start_again()?;
        topic.reconnect(scene.kafka)?;
        let after = new_producer(scene)?;
        ensure!(after.id > before.id, "{} is given out twice", after.id);
        ensure!(topic.produce_ok(&batch("k", b"other", now_ms(), after))? == 1);
        ensure!(broker.log().contains("producer ids that the metadata have not given out"));
        broker.stop()
    });
}

fn new_producer(scene: &Scene) -> Result<Producer> {
    let answer = Client::connect(scene.kafka)?.call(InitProducerIdRequest::default(), 1)?;
    ensure!(answer.error_code == ErrorCode::None, "{answer:?}");
    Ok(Producer { id: answer.producer_id, epoch: answer.producer_epoch, base_sequence: 0 })
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

#[test]
fn a_partition_without_its_folder_is_told_as_what_it_can_be() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        Topic::create(scene.kafka, "young", &[])?;
        broker.kill()?;
        fs::remove_dir_all(logs(scene).join("young-0"))?;
        broker.start_again()?;
        // A kill may come between what the metadata say and what is done.
        ensure!(broker.log().contains("it was being created when the broker ended, or its folder is lost"));
        ensure!(damages(scene)? == Some(0.0));
        broker.stop()?;
        fs::remove_dir_all(logs(scene).join("young-0"))?;
        broker.start_again()?;
        ensure!(broker.log().contains("the partition's folder is missing, and its records with it"));
        ensure!(damages(scene)? == Some(1.0));
        broker.stop()
    });
}

#[test]
fn a_broker_refuses_to_start_without_its_metadata_or_its_logs() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut topic = Topic::create(scene.kafka, "kept", &[])?;
        topic.produce_ok(&batch("k", b"v", now_ms(), Producer::NONE))?;
        broker.stop()?;
        for (folder, told) in [("metadata", "there is no metadata"), ("logs", "is missing or empty")] {
            let (place, aside) = (scene.path("core-broker").join(folder), scene.path(folder));
            fs::rename(&place, &aside)?;
            ensure!(broker.start_again().is_err(), "it starts without its {folder}");
            broker.ended_within(Duration::from_secs(10))?;
            ensure!(broker.log().contains(told), "{}", broker.last_words());
            if place.exists() {
                fs::remove_dir_all(&place)?;
            }
            fs::rename(&aside, &place)?;
        }
        broker.start_again()?;
        topic.reconnect(scene.kafka)?;
        ensure!(topic.read()?.len() == 1);
        broker.stop()
    });
}

fn without_key() -> Bytes {
    let mut records = RecordsEncoder::new();
    records.push(1, None, Some(b"v"), &[]);
    let records = records.finish(Compression::None).expect("one record");
    record_batch::assemble(&records, Producer::NONE).freeze()
}

fn damages(scene: &Scene) -> Result<Option<f64>> {
    Ok(metric(&http::get(scene.admin, "/metrics")?, "longhaul_broker_log_damages_total"))
}

fn logs(scene: &Scene) -> PathBuf {
    scene.path("core-broker").join("logs")
}

/// Exit code and what was said.
fn verify(folder: &PathBuf) -> Result<(Option<i32>, String)> {
    let mut tool = Command::new(program("core-broker"));
    let output = command::run(tool.args(["log", "verify"]).arg(folder), b"")?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8(said)?))
}

fn header_at(topic: &mut Topic, offset: i64) -> Result<BatchHeader> {
    let bytes = topic.fetch(offset)?.records.into_bytes();
    Ok(BatchHeader::intact(&bytes)?)
}
