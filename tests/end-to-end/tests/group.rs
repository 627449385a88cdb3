//! A consumer group of processes: who owns what, while members come, go and die.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use end_to_end::{Process, Scene, scene, topic};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde::Deserialize;

const TOPIC: &str = "work";
const PARTITIONS: i32 = 6;
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn members_join_leave_and_die_and_no_partition_has_two_owners() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        create_topic(scene)?;
        let mut group = Group::default();
        group.join(scene, "first")?;
        group.until_owned_by(&["first"])?;
        group.join(scene, "second")?;
        group.join(scene, "third")?;
        group.until_owned_by(&["first", "second", "third"])?;
        produce(scene, 0..300)?;
        group.until_read(300)?;

        group.leave("second")?;
        group.until_owned_by(&["first", "third"])?;
        produce(scene, 300..600)?;
        group.until_read(600)?;

        // Its partitions are the others' when its session has run out.
        group.kill("third")?;
        group.until_owned_by(&["first"])?;
        produce(scene, 600..700)?;
        group.until_read(700)?;

        // What was committed is on the disk: nobody reads it again.
        broker.kill_and_start_again()?;
        produce(scene, 700..800)?;
        group.until_read(800)?;
        group.leave("first")?;
        group.check()?;
        broker.stop()
    });
}

/// Static members with cooperative assignment: one is gone for less than its session.
#[test]
fn trap_16_a_static_member_that_restarts_has_its_partitions_and_the_others_notice_nothing() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        create_topic(scene)?;
        let mut group = Group::default();
        let assignor = "partition.assignment.strategy=cooperative-sticky";
        group.join_with(scene, "stays", &[assignor, "group.instance.id=stays"])?;
        group.join_with(scene, "restarts", &[assignor, "group.instance.id=restarts"])?;
        group.until_owned_by(&["stays", "restarts"])?;
        let (owned, before) = (group.owned.clone(), group.rebalances("stays"));
        group.leave("restarts")?;
        group.join_with(scene, "restarts", &[assignor, "group.instance.id=restarts"])?;
        group.until_owned_by(&["stays", "restarts"])?;
        ensure!(group.owned == owned, "{:?} was {owned:?}", group.owned);
        produce(scene, 0..120)?;
        group.until_read(120)?;
        ensure!(group.rebalances("stays") == before, "the other one was disturbed");
        group.leave("restarts")?;
        group.leave("stays")?;
        group.check()?;
        broker.stop()
    });
}

#[test]
fn an_idempotent_producer_survives_kills_of_the_broker_without_a_duplicate() {
    scene(|scene| {
        const RECORDS: usize = 6_000;
        let mut broker = scene.broker()?;
        create_topic(scene)?;
        let producer = producer(scene)?;
        for number in 0..RECORDS {
            if number == RECORDS / 3 || number == 2 * RECORDS / 3 {
                // Some are answered, some are on their way, some wait.
                producer.poll(Duration::ZERO);
                broker.kill_and_start_again()?;
            }
            let (key, value) = (format!("{}", number % 7), number.to_string());
            let record =
                BaseRecord::to(TOPIC).partition(number as i32 % PARTITIONS).key(&key).payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(Duration::from_secs(60)).context("not everything was acknowledged")?;
        let records = topic::read(&scene.bootstrap(), &[TOPIC])?;
        for partition in 0..PARTITIONS {
            let here: Vec<String> = records
                .iter()
                .filter(|record| record.partition == partition)
                .map(|record| String::from_utf8_lossy(&record.value).into_owned())
                .collect();
            let sent: Vec<String> =
                (partition as usize..RECORDS).step_by(PARTITIONS as usize).map(|it| it.to_string()).collect();
            ensure!(here == sent, "partition {partition} holds {} of {} records", here.len(), sent.len());
        }
        broker.stop()
    });
}

/// What a member said, and when.
#[derive(Debug, Deserialize)]
struct Line {
    at: u64,
    what: String,
    detail: serde_json::Value,
}

#[derive(Debug)]
struct Event {
    at: u64,
    member: &'static str,
    what: What,
}

#[derive(Debug)]
enum What {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    /// Of this partition.
    Record(i32),
    Gone,
}

#[derive(Default)]
struct Group {
    members: BTreeMap<&'static str, Process>,
    owned: BTreeMap<&'static str, BTreeSet<i32>>,
    events: Vec<Event>,
    read: BTreeMap<(i32, i64), usize>,
}

impl Group {
    fn join(&mut self, scene: &Scene, name: &'static str) -> Result<()> {
        self.join_with(scene, name, &[])
    }

    fn join_with(&mut self, scene: &Scene, name: &'static str, settings: &[&str]) -> Result<()> {
        let path = PathBuf::from(env!("CARGO_BIN_EXE_group-member"));
        let bootstrap = scene.bootstrap();
        let args = [&[bootstrap.as_str(), "workers", TOPIC], settings].concat();
        let member = scene.start_path(name, path, &args)?;
        self.members.insert(name, member);
        Ok(())
    }

    fn leave(&mut self, name: &'static str) -> Result<()> {
        let mut member = self.members.remove(name).context("a member")?;
        member.signal("TERM")?;
        // Its last words count: it may have given partitions back and committed records.
        while let Ok(line) = member.next_line(PATIENCE) {
            self.note(name, &line)?;
        }
        ensure!(member.ended_within(PATIENCE)?.success(), "{name}: {}", member.last_words());
        self.gone(name)
    }

    fn kill(&mut self, name: &'static str) -> Result<()> {
        let mut member = self.members.remove(name).context("a member")?;
        member.kill()?;
        while let Ok(line) = member.next_line(PATIENCE) {
            self.note(name, &line)?;
        }
        self.gone(name)
    }

    /// How often the member was given partitions or gave some back.
    fn rebalances(&self, name: &str) -> usize {
        let changes = self.events.iter().filter(|event| {
            event.member == name && matches!(event.what, What::Assigned(_) | What::Revoked(_))
        });
        changes.count()
    }

    fn gone(&mut self, name: &'static str) -> Result<()> {
        self.owned.remove(name);
        let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
        self.events.push(Event { at, member: name, what: What::Gone });
        Ok(())
    }

    /// Until these members, and nobody else, own all partitions, each about as many.
    fn until_owned_by(&mut self, names: &[&'static str]) -> Result<()> {
        self.until(&format!("all partitions owned by {names:?}"), |group| {
            let counts: Vec<usize> =
                group.owned.values().map(BTreeSet::len).filter(|count| *count > 0).collect();
            let all: BTreeSet<i32> = group.owned.values().flatten().copied().collect();
            counts.len() == names.len()
                && all.len() == PARTITIONS as usize
                && counts.iter().all(|count| *count == PARTITIONS as usize / names.len())
        })
    }

    fn until_read(&mut self, records: usize) -> Result<()> {
        self.until(&format!("{records} records read"), |group| group.read.len() >= records)
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            ensure!(
                Instant::now() < until,
                "{what}: not within {PATIENCE:?}; owned: {:?}, read: {}",
                self.owned,
                self.read.len()
            );
            let names: Vec<&'static str> = self.members.keys().copied().collect();
            for name in names {
                let member = self.members.get_mut(name).context("a member")?;
                if let Ok(line) = member.next_line(Duration::from_millis(20)) {
                    self.note(name, &line)?;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, member: &'static str, line: &str) -> Result<()> {
        let Line { at, what, detail } = serde_json::from_str(line)?;
        let owned = self.owned.entry(member).or_default();
        let what = match what.as_str() {
            "assigned" => {
                let partitions: Vec<i32> = serde_json::from_value(detail)?;
                owned.extend(&partitions);
                What::Assigned(partitions)
            }
            "revoked" => {
                let partitions: Vec<i32> = serde_json::from_value(detail)?;
                owned.retain(|partition| !partitions.contains(partition));
                What::Revoked(partitions)
            }
            "record" => {
                let (partition, offset, _): (i32, i64, String) = serde_json::from_value(detail)?;
                *self.read.entry((partition, offset)).or_default() += 1;
                What::Record(partition)
            }
            _ => return Ok(()),
        };
        self.events.push(Event { at, member, what });
        Ok(())
    }

    /// The whole history in the order in which it happened.
    fn check(&mut self) -> Result<()> {
        self.events.sort_by_key(|event| event.at);
        let mut owners: BTreeMap<i32, &str> = BTreeMap::new();
        for event in &self.events {
            match &event.what {
                What::Assigned(partitions) => {
                    for partition in partitions {
                        let before = owners.insert(*partition, event.member);
                        ensure!(before.is_none(), "{partition} is {before:?}'s: {event:?}");
                    }
                }
                What::Revoked(partitions) => owners.retain(|partition, _| !partitions.contains(partition)),
                What::Record(partition) => {
                    ensure!(owners.get(partition) == Some(&event.member), "not the owner's: {event:?}");
                }
                What::Gone => owners.retain(|_, owner| *owner != event.member),
            }
        }
        // A record is said to be read once it is committed: the next owner begins behind it.
        let twice: Vec<_> = self.read.iter().filter(|(_, times)| **times > 1).take(5).collect();
        ensure!(twice.is_empty(), "read again although committed: {twice:?}");
        Ok(())
    }
}

fn create_topic(scene: &Scene) -> Result<()> {
    let (bootstrap, partitions) = (scene.bootstrap(), PARTITIONS.to_string());
    let args =
        ["topics", "--bootstrap", &bootstrap, "--create", "--topic", TOPIC, "--partitions", &partitions];
    let mut created = scene.start("topics", "core-broker", &args)?;
    ensure!(created.ended_within(PATIENCE)?.success(), "{}", created.last_words());
    Ok(())
}

fn producer(scene: &Scene) -> Result<BaseProducer> {
    let producer = ClientConfig::new()
        .set("bootstrap.servers", scene.bootstrap())
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "1")
        .set("batch.num.messages", "50")
        .set("message.timeout.ms", "60000")
        .set("reconnect.backoff.max.ms", "500")
        .create()?;
    Ok(producer)
}

fn produce(scene: &Scene, numbers: std::ops::Range<i32>) -> Result<()> {
    let producer = producer(scene)?;
    for number in numbers {
        let value = number.to_string();
        let record = BaseRecord::<(), str>::to(TOPIC).partition(number % PARTITIONS).payload(&value);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(PATIENCE)?)
}
