//! What is measured, and what comes out as figures.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use kafka_wire::record_batch::Compression;

use crate::{
    load::{self, PARTITIONS, Produced},
    prebuilt,
    target::{Target, cpu_seconds},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// 1 KiB, acks=1, no flush: the page cache has it
    Produce,
    /// 1 KiB, acks=all, each with its defaults: ours has synced, the peer has not
    ProduceSynced,
    /// 1 KiB, acks=1, no flush, batches built beforehand: the broker without the client's work
    Prebuilt,
    /// 1 KiB of telemetry, lz4, acks=1, no flush, batches built beforehand: the brokers look into each batch
    Lz4,
    /// The same with zstd
    Zstd,
    /// 100 B, acks=1, no flush
    Small,
    /// Everything a produce left, from the page cache
    Consume,
    /// 50,000 x 1 KiB a second, acks=all
    Latency,
    /// A thousand partitions and nothing going on
    Idle,
}

pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    pub value: f64,
}

pub fn figure(name: &'static str, unit: &'static str, value: f64) -> Figure {
    Figure { name, unit, value }
}

pub fn rounded(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

const TOPIC: &str = "bench";
const IDLE_PARTITIONS: i32 = 1_000;

/// The peer's default.
const NO_FLUSH: (&str, &str) = ("flush.messages", "9223372036854775807");

impl Scenario {
    pub fn run(self, target: &Target, seconds: u64) -> Result<Vec<Figure>> {
        let bootstrap = &target.bootstrap;
        if self == Scenario::Idle {
            return idle(target, seconds);
        }
        let synced = matches!(self, Scenario::ProduceSynced | Scenario::Latency);
        let configs: &[_] = if synced { &[] } else { &[NO_FLUSH] };
        load::create_topic(bootstrap, TOPIC, PARTITIONS, configs)?;
        let produce = |acks, size, rate| load::produce(bootstrap, TOPIC, acks, size, rate, seconds);
        let prebuilt =
            |codec, name| rates(target, || prebuilt::produce(bootstrap, TOPIC, 1024, codec, seconds), name);
        Ok(match self {
            Scenario::Produce => rates(target, || produce("1", 1024, None), "produce 1 KiB acks=1")?,
            Scenario::ProduceSynced => {
                rates(target, || produce("all", 1024, None), "produce 1 KiB acks=all")?
            }
            Scenario::Prebuilt => prebuilt(Compression::None, "produce 1 KiB prebuilt")?,
            Scenario::Lz4 => prebuilt(Compression::Lz4, "produce 1 KiB prebuilt, lz4")?,
            Scenario::Zstd => prebuilt(Compression::Zstd, "produce 1 KiB prebuilt, zstd")?,
            Scenario::Small => {
                let produced = produce("1", 100, None)?;
                let per_second = produced.messages as f64 / produced.took.as_secs_f64();
                vec![figure("produce 100 B acks=1", "msg/s", per_second)]
            }
            Scenario::Consume => {
                produce("1", 1024, None)?;
                rates(target, || load::consume(bootstrap, TOPIC), "consume 1 KiB")?
            }
            Scenario::Latency => latencies(&produce("all", 1024, Some(50_000))?),
            Scenario::Idle => unreachable!("answered above"),
        })
    }
}

/// MB/s of values, and the processor time per GB of them: the broker's, and the client's beside it.
fn rates(target: &Target, run: impl Fn() -> Result<Produced>, name: &'static str) -> Result<Vec<Figure>> {
    let before = (target.cpu_seconds()?, cpu_seconds(std::process::id())?);
    let done = run()?;
    let brokers = target.cpu_seconds()? - before.0;
    let clients = cpu_seconds(std::process::id())? - before.1;
    let (mb, seconds) = (done.bytes as f64 / 1e6, done.took.as_secs_f64());
    Ok(vec![
        figure(name, "MB/s", mb / seconds),
        figure("  broker's CPU", "s/GB", brokers / (mb / 1e3)),
        figure("  client's CPU", "s/GB", clients / (mb / 1e3)),
    ])
}

fn latencies(done: &Produced) -> Vec<Figure> {
    let at = |share: f64| {
        let index = ((done.latencies.len() as f64 * share) as usize).min(done.latencies.len() - 1);
        done.latencies[index].as_secs_f64() * 1e3
    };
    vec![
        figure("acknowledged, p50 at 50k/s", "ms", at(0.5)),
        figure("acknowledged, p99", "ms", at(0.99)),
        figure("acknowledged, p99.9", "ms", at(0.999)),
    ]
}

fn idle(target: &Target, seconds: u64) -> Result<Vec<Figure>> {
    for topic in 0..IDLE_PARTITIONS / 100 {
        load::create_topic(&target.bootstrap, &format!("idle-{topic}"), 100, &[])?;
    }
    std::thread::sleep(Duration::from_secs(2)); // what creation left to do
    let before = target.cpu_seconds()?;
    std::thread::sleep(Duration::from_secs(seconds));
    let share = (target.cpu_seconds()? - before) / seconds as f64 * 100.0;
    Ok(vec![
        figure("start to serving", "ms", target.started_in.as_secs_f64() * 1e3),
        figure("1,000 idle partitions, memory", "MB", target.resident_mb()?),
        figure("1,000 idle partitions, CPU", "% core", share),
    ])
}
