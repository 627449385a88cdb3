//! Speed, measured against a peer in the same run: `cargo run --release -p bench -- broker --peer apache-kafka`.
//!
//! Absolute figures say more about the machine than about the broker; the ratio says something. Every
//! scenario runs on one target after the other, with the same client (librdkafka) in this process.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // measures wall clocks

mod load;
mod scenario;
mod target;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use scenario::Scenario;
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
        /// Measure beside it
        #[arg(long, value_enum)]
        peer: Option<Peer>,
        /// Only these scenarios (may be repeated)
        #[arg(long, value_enum)]
        only: Vec<Scenario>,
        /// Seconds per scenario
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// The script that starts Apache Kafka
        #[arg(long, default_value = "../shared/peers/apache-kafka")]
        peer_script: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Peer {
    ApacheKafka,
}

fn main() -> Result<()> {
    let Command::Broker { peer, only, seconds, peer_script } = Cli::parse().command;
    let scenarios: Vec<Scenario> = Scenario::value_variants()
        .iter()
        .copied()
        .filter(|it| only.is_empty() || only.contains(it))
        .collect();
    let ours = measure(&Target::longhaul, &scenarios, seconds)?;
    let theirs = match peer {
        Some(Peer::ApacheKafka) => {
            Some(measure(&|| Target::apache_kafka(&peer_script), &scenarios, seconds)?)
        }
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
fn measure(
    start: &dyn Fn() -> Result<Target>,
    scenarios: &[Scenario],
    seconds: u64,
) -> Result<Vec<scenario::Figure>> {
    let mut figures = Vec::new();
    for scenario in scenarios {
        let target = start()?;
        eprintln!("{}: {scenario:?}", target.name);
        figures.extend(scenario.run(&target, seconds)?);
    }
    Ok(figures)
}
