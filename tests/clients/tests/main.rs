//! Each client against the broker, then all of them against Apache Kafka.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // processes, files, clocks

mod groups;
mod tools;

use std::{
    collections::BTreeSet,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
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

/// What a client says of the broker is what it says of Apache Kafka.
#[test]
fn apache_kafka_gives_the_same_answers() -> Result<()> {
    let programs: Vec<_> = CLIENTS.iter().filter_map(|client| Some((client, client.program()?))).collect();
    let Some(mut apache_kafka) = ApacheKafka::start()? else { return Ok(()) };
    let bootstrap = apache_kafka.bootstrap();
    each(&programs, |client, program| {
        client.check_before(&program.run(&["before", &bootstrap, client.folder, &an_hour_ago()?])?)
    })?;
    for (client, program) in programs.iter().filter(|(client, _)| client.folder == "java") {
        let said = program.run(&["details", &bootstrap, client.folder, &an_hour_ago()?])?;
        client.check_details(&said).context("Apache Kafka")?;
    }
    for (client, program) in programs.iter().filter(|(client, _)| client.has_admins()) {
        client.check_admins(&program.run_admins(&bootstrap)?).context("Apache Kafka")?;
    }
    apache_kafka.restart()?;
    each(&programs, |client, program| {
        client.check_after(&program.run(&["after", &bootstrap, client.folder])?)
    })
}

/// A few beside each other: they wait more than they work.
fn each(
    programs: &[(&'static Client, Program)],
    test: impl Fn(&Client, &Program) -> Result<()> + Sync,
) -> Result<()> {
    for few in programs.chunks(4) {
        thread::scope(|scope| {
            let tests: Vec<_> =
                few.iter().map(|(client, program)| scope.spawn(|| test(client, program))).collect();
            tests.into_iter().try_for_each(|test| test.join().expect("a test fails by its result"))
        })
        .context("Apache Kafka")?;
    }
    Ok(())
}

/// Records of a time that no broker takes for its own, and that no retention deletes.
fn an_hour_ago() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok((now.as_millis() - 3_600_000).to_string())
}
