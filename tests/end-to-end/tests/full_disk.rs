//! A full disk: nothing is acknowledged that is not stored, nobody dies, and freed space is enough to go on.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use end_to_end::{
    Process, Scene, http,
    kafka::{Client, PRODUCE, batch, create_topic_with, produce, produced},
    mqtt, scene, topic,
};
use kafka_wire::{
    ErrorCode,
    messages::{
        create_topics::{CreatableTopic, CreateTopicsRequest},
        metadata::{MetadataRequest, MetadataRequestTopic},
    },
};

const TOPIC: &str = "fleet/trucks/truck-1/gps";

/// Longer than a commit takes that succeeds.
const SILENCE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_agent_on_a_full_disk_acknowledges_nothing_it_cannot_keep_and_recovers() {
    scene(|scene| {
        let Some(disk) = SmallDisk::mount(&scene.path("small-disk"))? else { return Ok(()) };
        let data = disk.path.join("edge-agent");
        let mut agent = scene.agent_in(&data)?;
        let mut acknowledged = publish(scene, 0..200)?;
        ensure!(acknowledged.len() == 200, "on an empty disk {} of 200", acknowledged.len());

        disk.fill()?;
        // redb may have some room left in its file.
        let mut next = 200;
        loop {
            let now = publish(scene, next..next + 1_000)?;
            let all = now.len() == 1_000;
            acknowledged.extend(now);
            next += 1_000;
            if !all {
                break;
            }
            ensure!(next < 100_000, "the disk is full, and everything is acknowledged");
        }
        ensure!(agent.is_alive(), "the agent died of a full disk: {}", agent.last_words());

        disk.free()?;
        publish_until_acknowledged(scene, next, &mut acknowledged)?;
        let mut broker = scene.broker()?;
        check_all_arrive(scene, &acknowledged)?;
        agent.stop()?;
        broker.stop()
    });
}

#[test]
fn a_broker_on_a_full_disk_keeps_what_it_confirmed_and_takes_the_rest_when_there_is_room() {
    scene(|scene| {
        let Some(disk) = SmallDisk::mount(&scene.path("small-disk"))? else { return Ok(()) };
        let mut broker = scene.broker_in(&disk.path.join("core-broker"))?;
        let mut agent = scene.agent()?;
        let mut acknowledged = publish(scene, 0..200)?;
        check_all_arrive(scene, &acknowledged)?;

        disk.fill()?;
        // The agent has room: devices notice nothing.
        for first in [200, 1_200] {
            let now = publish(scene, first..first + 1_000)?;
            ensure!(now.len() == 1_000, "the agent acknowledged {} of 1000", now.len());
            acknowledged.extend(now);
        }
        broker.wait_for_log("ERROR", PATIENCE)?;
        let unready = http::wait_for(scene.admin, "/readyz", PATIENCE, |page| page.status == 503)?;
        ensure!(unready.body.contains("the log of trucks_gps-"), "{}", unready.body);
        check_stays_unready(scene, &broker)?;
        ensure!(http::get(scene.admin, "/healthz")?.status == 200);
        ensure!(broker.is_alive(), "the broker died of a full disk: {}", broker.last_words());

        disk.free()?;
        check_all_arrive(scene, &acknowledged)?;
        http::wait_for(scene.admin, "/readyz", PATIENCE, |page| page.status == 200)?;
        agent.stop()?;
        broker.stop()
    });
}

#[test]
fn a_broker_on_a_full_disk_makes_topics_when_there_is_room() {
    scene(|scene| {
        let Some(disk) = SmallDisk::mount(&scene.path("small-disk"))? else { return Ok(()) };
        let mut broker = scene.broker_in(&disk.path.join("core-broker"))?;
        disk.fill()?;
        // Whether its record found room or not: the answer says it.
        let answered = create(scene, "first")?;
        let exists = topic_exists(scene, "first")?;
        let expected = if exists { ErrorCode::None } else { ErrorCode::KafkaStorageError };
        ensure!(answered == expected, "{answered:?}, and the topic exists: {exists}");
        disk.free()?;
        let until = Instant::now() + PATIENCE;
        loop {
            let code = create(scene, "first")?;
            if matches!(code, ErrorCode::None | ErrorCode::TopicAlreadyExists) {
                break;
            }
            ensure!(Instant::now() < until, "{code:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        while topic::count(&scene.bootstrap(), &["first"]).is_err() {
            ensure!(Instant::now() < until, "the topic is there and not served");
            std::thread::sleep(Duration::from_millis(100));
        }
        broker.stop()
    });
}

#[test]
fn a_broker_on_a_disk_that_it_has_filled_itself_goes_on_by_retention_alone() {
    const CONFIG: &str = "[upkeep]\nretention_check = \"500ms\"\n";
    const SECONDS: [(&str, &str); 3] =
        [("segment.bytes", "1048576"), ("retention.ms", "3000"), ("message.timestamp.type", "LogAppendTime")];
    scene(|scene| {
        let Some(_disk) = SmallDisk::mount(&scene.path("core-broker"))? else { return Ok(()) };
        let mut broker = scene.broker_configured(CONFIG)?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic_with(&mut client, "t", 1, &SECONDS)?;
        let (full, until) = (vec![7; 100_000], Instant::now() + PATIENCE);
        while append(&mut client, &full)? == ErrorCode::None {
            ensure!(Instant::now() < until, "8 MiB take more than that");
        }
        broker.wait_for_log("the disk is full", PATIENCE)?;
        while append(&mut client, &full)? != ErrorCode::None {
            ensure!(Instant::now() < until, "the disk stays full: {}", broker.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        broker.stop()
    });
}

fn append(client: &mut Client, value: &[u8]) -> Result<ErrorCode> {
    let answer = client.call(produce("t", &[0], batch(value)), PRODUCE)?;
    Ok(produced(&answer)?.error_code)
}

/// Longer than the broker waits between two looks at the room.
fn check_stays_unready(scene: &Scene, broker: &Process) -> Result<()> {
    let until = Instant::now() + SILENCE;
    while Instant::now() < until {
        let page = http::get(scene.admin, "/readyz")?;
        ensure!(page.status == 503, "ready on a full disk: {}", page.body);
    }
    let log = broker.log();
    let mut said: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("the disk is full")?.1.split("partition=").nth(1))
        .collect();
    said.sort_unstable();
    let partitions = said.windows(2).filter(|pair| pair[0] != pair[1]).count() + 1;
    ensure!(said.len() == partitions, "it is said once for each partition, not {said:?}");
    ensure!(!log.contains("the log was opened again"), "{log}");
    Ok(())
}

fn create(scene: &Scene, name: &str) -> Result<ErrorCode> {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let created = Client::connect(scene.kafka)?.call(request, 7)?.topics.pop();
    Ok(created.context("no answer for the topic")?.error_code)
}

fn topic_exists(scene: &Scene, name: &str) -> Result<bool> {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
    let told = Client::connect(scene.kafka)?.call(request, 12)?.topics.pop();
    Ok(told.context("no answer for the topic")?.error_code != ErrorCode::UnknownTopicOrPartition)
}

/// A disk of 8 MiB that a test may fill. Unmounted when dropped.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    fn mount(path: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(path)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "longhaul-test"]).arg(path);
        match mount.output() {
            Ok(output) if output.status.success() => Ok(Some(Self { path: path.to_owned() })),
            Ok(output) => {
                println!("skipped: no small disk: {}", String::from_utf8_lossy(&output.stderr).trim());
                Ok(None)
            }
            Err(error) => {
                println!("skipped: no small disk: {error}");
                Ok(None)
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// To the last byte.
    fn fill(&self) -> Result<()> {
        let mut file = File::create(self.filler())?;
        let zeros = [0; 4096];
        while file.write_all(&zeros).is_ok() {}
        Ok(())
    }

    fn free(&self) -> Result<()> {
        std::fs::remove_file(self.filler()).context("the filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there is about to be killed.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// A valid fix that is like no other, and hard to compress.
fn fix(number: u32) -> Vec<u8> {
    let noise: String = (0..40u32)
        .map(|position| {
            let mixed = (number * 40 + position).wrapping_mul(2_654_435_761).rotate_left(16);
            let mixed = mixed.wrapping_mul(2_246_822_519) >> 8;
            char::from(b'a' + (mixed % 26) as u8)
        })
        .collect();
    let (minute, second) = (number / 60 % 60, number % 60);
    format!(
        "{{\"v\":1,\"vehicle_id\":\"truck-1\",\"ts\":\"2026-03-02T{:02}:{minute:02}:{second:02}Z\",\
         \"lat\":50.1,\"lon\":8.6,\"boot_id\":\"{noise}\",\"seq\":{number}}}",
        number / 3_600 % 24
    )
    .into_bytes()
}

/// On a connection of its own; the payloads that were acknowledged before it ended or fell silent.
fn publish(scene: &Scene, numbers: std::ops::Range<u32>) -> Result<BTreeSet<Vec<u8>>> {
    let fixes: Vec<Vec<u8>> = numbers.map(fix).collect();
    // While the disk is full the agent does not even greet.
    match mqtt::Device::connect(scene.mqtt, mqtt::V3_1_1, "truck-1") {
        Ok(mut device) => device.publish_all(TOPIC, &fixes, SILENCE),
        Err(_) => Ok(BTreeSet::new()),
    }
}

fn publish_until_acknowledged(scene: &Scene, first: u32, acknowledged: &mut BTreeSet<Vec<u8>>) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    for number in first.. {
        let now = publish(scene, number..number + 1)?;
        if !now.is_empty() {
            acknowledged.extend(now);
            return Ok(());
        }
        if Instant::now() > until {
            bail!("nothing is acknowledged {PATIENCE:?} after space was freed");
        }
    }
    Ok(())
}

fn check_all_arrive(scene: &Scene, acknowledged: &BTreeSet<Vec<u8>>) -> Result<()> {
    let records = topic::read_until(&scene.bootstrap(), &["trucks_gps"], PATIENCE, |records| {
        let values: BTreeSet<&Vec<u8>> = records.iter().map(|record| &record.value).collect();
        acknowledged.iter().all(|value| values.contains(value))
    })?;
    let values: BTreeSet<&Vec<u8>> = records.iter().map(|record| &record.value).collect();
    ensure!(values.len() == records.len(), "{} records, {} of them different", records.len(), values.len());
    Ok(())
}
