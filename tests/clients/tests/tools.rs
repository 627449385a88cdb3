//! Our command line tools and Apache Kafka's, each against our broker and against Apache Kafka: they say the
//! same. The transcripts are what Apache Kafka's tools say of Apache Kafka.

use std::path::Path;

use anyhow::{Context, Error, Result, ensure};
use clients::{
    ApacheKafka,
    tool::{Stage, Tools, Transcript},
};
use end_to_end::scene;

/// Set, the transcripts are written anew.
const RECORD: &str = "LONGHAUL_RECORD";

const ADMIN: &[&str] =
    &["topics.txt", "configs.txt", "get-offsets.txt", "delete-records.txt", "log-dirs.txt"];

const CLIENTS: &[&str] = &["console-producer.txt", "console-consumer.txt", "consumer-groups.txt"];

/// What Apache Kafka does and we do not.
const OURS_ALONE: &[&str] = &["not-supported.txt"];

#[test]
fn our_admin_tools_say_of_our_broker_what_the_transcripts_say() {
    of_our_broker("xo-", &[ADMIN, OURS_ALONE].concat(), |folder| Tools::ours(&folder.join("cli")));
}

#[test]
fn our_consoles_say_of_our_broker_what_the_transcripts_say() {
    of_our_broker("xo-", CLIENTS, |folder| Tools::ours(&folder.join("cli")));
}

#[test]
fn apache_kafkas_admin_tools_say_of_our_broker_what_the_transcripts_say() {
    if ApacheKafka::is_installed() {
        of_our_broker("xk-", ADMIN, |_| Tools::apache());
    }
}

#[test]
fn apache_kafkas_consoles_say_of_our_broker_what_the_transcripts_say() {
    if ApacheKafka::is_installed() {
        of_our_broker("xk-", CLIENTS, |_| Tools::apache());
    }
}

#[test]
fn both_admin_tools_say_of_apache_kafka_what_the_transcripts_say() -> Result<()> {
    of_apache_kafka(ADMIN)
}

#[test]
fn both_consoles_say_of_apache_kafka_what_the_transcripts_say() -> Result<()> {
    of_apache_kafka(CLIENTS)
}

fn of_our_broker(topics: &str, names: &[&str], tools: impl FnOnce(&Path) -> Result<Tools>) {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let (bootstrap, folder) = (scene.bootstrap(), scene.path("files"));
        std::fs::create_dir_all(&folder)?;
        let stage = Stage { bootstrap: &bootstrap, topics, folder: &folder };
        let mut tools = tools(&folder)?;
        let mut different = Vec::new();
        for name in names {
            different.extend(Transcript::load(name)?.check(&mut tools, &stage).err());
        }
        all_the_same(&different)?;
        broker.stop()
    });
}

fn of_apache_kafka(names: &[&str]) -> Result<()> {
    let Some(apache_kafka) = ApacheKafka::start()? else { return Ok(()) };
    let bootstrap = apache_kafka.bootstrap();
    let mut theirs = Tools::apache()?;
    for name in names {
        // Each has the time of a test.
        scene(|scene| {
            let mut ours = Tools::ours(&scene.path("cli"))?;
            let folder = scene.path("files");
            std::fs::create_dir_all(&folder)?;
            let mut different = Vec::new();
            let mut transcript = Transcript::load(name)?;
            let stage = Stage { bootstrap: &bootstrap, topics: "xk-", folder: &folder };
            if std::env::var_os(RECORD).is_some() {
                transcript.record(&mut theirs, &stage)?;
                transcript = Transcript::load(name)?;
            } else {
                different.extend(transcript.check(&mut theirs, &stage).context("their tool").err());
            }
            let stage = Stage { bootstrap: &bootstrap, topics: "xo-", folder: &folder };
            different.extend(transcript.check(&mut ours, &stage).context("our tool").err());
            all_the_same(&different)
        });
    }
    Ok(())
}

fn all_the_same(different: &[Error]) -> Result<()> {
    let told: Vec<_> = different.iter().map(|error| format!("{error:#}")).collect();
    ensure!(told.is_empty(), "{}", told.join("\n"));
    Ok(())
}
