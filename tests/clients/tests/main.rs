//! Each client against the broker, then all of them against Apache Kafka.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // processes, files, clocks

mod groups;
mod tools;

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Error, Result, ensure};
use clients::{ApacheKafka, CLIENTS, Client, Program, codecs_on_disk};
use end_to_end::scene;

#[test]
fn confluent_kafka() {
    check("confluent-kafka");
}

#[test]
fn franz_go() {
    check("franz-go");
}

#[test]
fn java() {
    check("java");
}

#[test]
fn kafkajs() {
    check("kafkajs");
}

#[test]
fn sarama() {
    check("sarama");
}

#[test]
fn aiokafka() {
    check("aiokafka");
}

#[test]
fn kafka_python_3() {
    check("kafka-python-3");
}

#[test]
fn kafka_python_2() {
    check("kafka-python-2");
}

#[test]
fn kafka_go() {
    check("kafka-go");
}

#[test]
fn platformatic() {
    check("platformatic");
}

#[test]
fn java_finds_the_details_of_apache_kafka() {
    let client = Client::named("java");
    let Some(program) = client.program() else { return };
    scene(|scene| {
        let mut broker = scene.broker()?;
        client.check_details(&program.run(&["details", &scene.bootstrap(), "java", &an_hour_ago()?])?)?;
        broker.stop()
    });
}

#[test]
fn admins_are_told_what_apache_kafka_tells_them() {
    for client in CLIENTS.iter().filter(|client| client.has_admins()) {
        let Some(program) = client.program() else { continue };
        scene(|scene| {
            let mut broker = scene.broker()?;
            client.check_admins(&program.run_admins(&scene.bootstrap())?)?;
            broker.stop()
        });
    }
}

/// The broker is killed between the two halves.
fn check(folder: &str) {
    let client = Client::named(folder);
    let Some(program) = client.program() else { return };
    scene(|scene| {
        let mut broker = scene.broker()?;
        client.check_before(&program.run(&["before", &scene.bootstrap(), folder, &an_hour_ago()?])?)?;
        let partition = scene.path("core-broker/logs").join(format!("{folder}-letters-0"));
        let asked: BTreeSet<u8> = client.codecs.iter().map(|codec| *codec as u8).collect();
        let found = codecs_on_disk(&partition)?;
        ensure!(found == asked, "asked to compress as {asked:?}, found on disk {found:?}");
        broker.kill_and_start_again()?;
        client.check_after(&program.run(&["after", &scene.bootstrap(), folder])?)?;
        broker.stop()
    });
}

/// How often Apache Kafka is asked. It acknowledges what it has decided, and does it a moment later: who asks in
/// between hears something else. What it says once is what it can say.
const TIMES: usize = 3;

type Asked = (&'static Client, Program);

/// What a client says of the broker is what it says of Apache Kafka.
#[test]
fn apache_kafka_gives_the_same_answers() -> Result<()> {
    let mut programs: Vec<Asked> =
        CLIENTS.iter().filter_map(|client| Some((client, client.program()?))).collect();
    for left in (0..TIMES).rev() {
        let Some(mut apache_kafka) = ApacheKafka::start()? else { return Ok(()) };
        let different = different_of(&mut apache_kafka, &programs)?;
        let told: Vec<String> = different.values().map(|error| format!("{error:#}")).collect();
        ensure!(left > 0 || told.is_empty(), "Apache Kafka\n{}", told.join("\n"));
        told.iter().for_each(|told| println!("asked again: {told}"));
        programs.retain(|(client, _)| different.contains_key(client.folder));
        if programs.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Why, by the client's folder.
fn different_of(apache_kafka: &mut ApacheKafka, programs: &[Asked]) -> Result<BTreeMap<&'static str, Error>> {
    let bootstrap = apache_kafka.bootstrap();
    let mut different = each(programs, |client, program| {
        client.check_before(&program.run(&["before", &bootstrap, client.folder, &an_hour_ago()?])?)
    });
    for asked in programs {
        if let Err(error) = ask_admins(asked, &bootstrap) {
            different.insert(asked.0.folder, error);
        }
    }
    apache_kafka.restart()?;
    let after = each(programs, |client, program| {
        client.check_after(&program.run(&["after", &bootstrap, client.folder])?)
    });
    for (folder, error) in after {
        different.entry(folder).or_insert(error);
    }
    Ok(different)
}

fn ask_admins((client, program): &Asked, bootstrap: &str) -> Result<()> {
    if client.folder == "java" {
        client.check_details(&program.run(&["details", bootstrap, client.folder, &an_hour_ago()?])?)?;
    }
    if client.has_admins() {
        client.check_admins(&program.run_admins(bootstrap)?)?;
    }
    Ok(())
}

/// A few beside each other: they wait more than they work.
fn each(
    programs: &[Asked],
    test: impl Fn(&Client, &Program) -> Result<()> + Sync,
) -> BTreeMap<&'static str, Error> {
    let mut different = BTreeMap::new();
    for few in programs.chunks(4) {
        thread::scope(|scope| {
            let tests: Vec<_> = few
                .iter()
                .map(|(client, program)| (client.folder, scope.spawn(|| test(client, program))))
                .collect();
            for (folder, test) in tests {
                let result = test.join().expect("a test fails by its result");
                different.extend(result.err().map(|error| (folder, error)));
            }
        });
    }
    different
}

/// Records of a time that no broker takes for its own, and that no retention deletes.
fn an_hour_ago() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok((now.as_millis() - 3_600_000).to_string())
}
