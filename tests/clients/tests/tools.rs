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

const TRANSCRIPTS: [&str; 5] =
    ["topics.txt", "configs.txt", "get-offsets.txt", "delete-records.txt", "log-dirs.txt"];

/// What Apache Kafka does and we do not.
const OURS_ALONE: &str = "not-supported.txt";

#[test]
fn our_tools_say_of_our_broker_what_the_transcripts_say() {
    let names: Vec<_> = TRANSCRIPTS.into_iter().chain([OURS_ALONE]).collect();
    of_our_broker("ours-", &names, |folder| Tools::ours(&folder.join("cli")));
}

#[test]
fn apache_kafkas_tools_say_of_our_broker_what_the_transcripts_say() {
    if ApacheKafka::is_installed() {
        of_our_broker("theirs-", &TRANSCRIPTS, |_| Tools::apache());
    }
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

#[test]
fn both_say_of_apache_kafka_what_the_transcripts_say() -> Result<()> {
    let Some(apache_kafka) = ApacheKafka::start()? else { return Ok(()) };
    let bootstrap = apache_kafka.bootstrap();
    let mut theirs = Tools::apache()?;
    scene(|scene| {
        let mut ours = Tools::ours(&scene.path("cli"))?;
        let folder = scene.path("files");
        std::fs::create_dir_all(&folder)?;
        let mut different = Vec::new();
        for name in TRANSCRIPTS {
            let mut transcript = Transcript::load(name)?;
            let stage = Stage { bootstrap: &bootstrap, topics: "theirs-", folder: &folder };
            if std::env::var_os(RECORD).is_some() {
                transcript.record(&mut theirs, &stage)?;
                transcript = Transcript::load(name)?;
            } else {
                different.extend(transcript.check(&mut theirs, &stage).context("their tool").err());
            }
            let stage = Stage { bootstrap: &bootstrap, topics: "ours-", folder: &folder };
            different.extend(transcript.check(&mut ours, &stage).context("our tool").err());
        }
        all_the_same(&different)
    });
    Ok(())
}

fn all_the_same(different: &[Error]) -> Result<()> {
    let told: Vec<_> = different.iter().map(|error| format!("{error:#}")).collect();
    ensure!(told.is_empty(), "{}", told.join("\n"));
    Ok(())
}
