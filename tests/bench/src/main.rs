//! Speed, measured against a peer in the same run: `cargo run --release -p bench -- broker --peer apache-kafka`.
//!
//! Absolute figures say more about the machine than about the broker; the ratio says something. Every
//! scenario runs on one target after the other, with the same client (librdkafka; for groups a light one)
//! in this process.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // measures wall clocks

mod group;
mod load;
mod prebuilt;
mod scenario;
mod target;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use scenario::{Figure, Scenario};
use target::Target;

/// Benchmarks as ratios.
#[derive(Parser)]
#[command(name = "bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The core broker: produce, consume, latency at a fixed rate, a thousand idle partitions
    Broker {
        /// Only these scenarios (may be repeated)
        #[arg(long, value_enum)]
        only: Vec<Scenario>,
        /// Seconds per scenario
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        #[command(flatten)]
        beside: Beside,
    },
    /// A large consumer group: how long it takes until all have their partitions when one joins or leaves
    Group {
        #[arg(long, default_value_t = 200)]
        members: usize,
        /// Of its topic, given out by the range assignor
        #[arg(long, default_value_t = 1_000)]
        partitions: usize,
        /// How often one joins and leaves
        #[arg(long, default_value_t = 5)]
        times: usize,
        #[command(flatten)]
        beside: Beside,
    },
}

#[derive(Args)]
struct Beside {
    /// Measure beside it
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// The script that starts Apache Kafka
    #[arg(long, default_value = "../shared/peers/apache-kafka")]
    peer_script: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Peer {
    ApacheKafka,
}

type Start<'a> = &'a dyn Fn() -> Result<Target>;

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Broker { only, seconds, beside } => {
            let scenarios: Vec<Scenario> = Scenario::value_variants()
                .iter()
                .copied()
                .filter(|it| only.is_empty() || only.contains(it))
                .collect();
            compare(&beside, |start| measure(start, &scenarios, seconds))
        }
        Command::Group { members, partitions, times, beside } => {
            compare(&beside, |start| group::run(&start()?, group::Size { members, partitions }, times))
        }
    }
}

fn compare(beside: &Beside, figures: impl Fn(Start) -> Result<Vec<Figure>>) -> Result<()> {
    let ours = figures(&Target::longhaul)?;
    let theirs = match beside.peer {
        Some(Peer::ApacheKafka) => Some(figures(&|| Target::apache_kafka(&beside.peer_script))?),
        None => None,
    };
    println!("\n{:<34} {:>14} {:>14} {:>8}", "figure", "longhaul", "peer", "ratio");
    for (index, figure) in ours.iter().enumerate() {
        let peer = theirs.as_ref().and_then(|theirs| theirs.get(index));
        println!(
            "{:<34} {:>14} {:>14} {:>8}",
            format!("{} [{}]", figure.name, figure.unit),
            scenario::rounded(figure.value),
            peer.map_or_else(|| "-".into(), |peer| scenario::rounded(peer.value)),
            peer.map_or_else(|| "-".into(), |peer| format!("{:.2}x", figure.value / peer.value)),
        );
    }
    Ok(())
}

/// A fresh target for each scenario: none inherits the other's memory or page cache.
fn measure(start: Start, scenarios: &[Scenario], seconds: u64) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for scenario in scenarios {
        let target = start()?;
        eprintln!("{}: {scenario:?}", target.name);
        figures.extend(scenario.run(&target, seconds)?);
    }
    Ok(figures)
}
