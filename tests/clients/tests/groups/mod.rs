//! Groups in frames: one long conversation, the same with the broker and with Apache Kafka. What both say
//! is written down in `transcript.txt`.

mod admin;
mod members;
mod offsets;
mod talk;

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use clients::ApacheKafka;
use end_to_end::scene;

use talk::Talk;

/// A new group waits for nobody.
const AT_ONCE: &str = "[groups]\ninitial_rebalance_delay = \"0s\"\n";

#[test]
fn groups_say_in_frames_what_is_written_down() {
    scene(|scene| {
        let mut broker = scene.broker_configured(AT_ONCE)?;
        check(scene.kafka)?;
        broker.stop()
    });
}

#[test]
fn groups_of_apache_kafka_say_the_same_in_frames() -> Result<()> {
    let Some(apache_kafka) = ApacheKafka::start()? else { return Ok(()) };
    check(apache_kafka.bootstrap().parse()?)
}

fn check(address: SocketAddr) -> Result<()> {
    let said = conversation(address)?;
    let written: Vec<&str> = include_str!("transcript.txt").lines().collect();
    let said: Vec<&str> = said.lines().collect();
    for (number, (said, written)) in said.iter().zip(&written).enumerate() {
        ensure!(said == written, "line {}\n  said    {said}\n  written {written}", number + 1);
    }
    ensure!(said.len() == written.len(), "{} lines, not {}", said.len(), written.len());
    Ok(())
}

fn conversation(address: SocketAddr) -> Result<String> {
    let mut talk = Talk::with(address)?;
    let letters = talk.create_topic("letters", 3)?;
    let work = talk.create_topic("work", 2)?;
    talk.name(letters.to_string(), "<letters>");
    talk.name(work.to_string(), "<work>");
    admin::nothing_yet(&mut talk)?;
    offsets::until_coordinated(&mut talk)?;
    offsets::talk(&mut talk, letters, work)?;
    members::refusals(&mut talk)?;
    members::rebalances(&mut talk)?;
    members::static_members(&mut talk)?;
    members::connect_group(&mut talk)?;
    admin::talk(&mut talk)?;
    Ok(talk.into_lines().join("\n") + "\n")
}
