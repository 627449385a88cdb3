//! Speed, measured against a peer in the same run: `cargo run --release -p bench -- broker --peer apache-kafka`.
//!
//! Absolute figures say more about the machine than about the broker; the ratio says something. Every
//! scenario runs on one target after the other, with the same client (librdkafka; for groups a light one)
//! in this process. Whoever comes first meets a machine in another state, so the two change places from round to
//! round, and a figure is the median of its rounds. A virtual machine gives back to its host what is free for
//! two seconds, and to have it again takes more than to write it: so memory is taken before each measurement.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // measures wall clocks

mod group;
mod load;
mod prebuilt;
mod scenario;
mod target;

use std::{io::Write, path::PathBuf};

use anyhow::{Context, Result};
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
        /// Seconds per scenario and round
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Rounds, in which the two change places; a figure is their median
        #[arg(long, default_value_t = 3)]
        rounds: usize,
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
        Command::Broker { only, seconds, rounds, beside } => {
            let mut rows = Vec::new();
            for &scenario in
                Scenario::value_variants().iter().filter(|it| only.is_empty() || only.contains(it))
            {
                rows.extend(compare(&beside, rounds, |start| measure(start, scenario, seconds))?);
            }
            print(&rows);
        }
        Command::Group { members, partitions, times, beside } => {
            print(&compare(&beside, 1, |start| {
                group::run(&start()?, group::Size { members, partitions }, times)
            })?);
        }
    }
    Ok(())
}

/// The rounds of ours and of the peer's.
struct Row {
    name: &'static str,
    unit: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

fn compare(
    beside: &Beside,
    rounds: usize,
    figures: impl Fn(Start) -> Result<Vec<Figure>>,
) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for round in 0..rounds.max(1) {
        let ours = || figures(&Target::longhaul);
        let theirs = || match beside.peer {
            Some(Peer::ApacheKafka) => figures(&|| Target::apache_kafka(&beside.peer_script)),
            None => Ok(Vec::new()),
        };
        let (ours, theirs) = if round % 2 == 0 {
            let ours = ours()?;
            (ours, theirs()?)
        } else {
            let theirs = theirs()?;
            (ours()?, theirs)
        };
        for (index, Figure { name, unit, value }) in ours.into_iter().enumerate() {
            if rows.len() == index {
                rows.push(Row { name, unit, ours: Vec::new(), theirs: Vec::new() });
            }
            rows[index].ours.push(value);
            rows[index].theirs.extend(theirs.get(index).map(|figure| figure.value));
        }
    }
    Ok(rows)
}

fn print(rows: &[Row]) {
    println!("\n{:<38} {:>10} {:>10} {:>8}   rounds", "figure", "longhaul", "peer", "ratio");
    for Row { name, unit, ours, theirs } in rows {
        let (our, their) = (median(ours), median(theirs));
        let ratio = |our: f64, their: f64| format!("{:.2}x", our / their);
        let rounds: Vec<String> = ours.iter().zip(theirs).map(|(our, their)| ratio(*our, *their)).collect();
        println!(
            "{:<38} {:>10} {:>10} {:>8}   {}",
            format!("{name} [{unit}]"),
            our.map_or_else(|| "-".into(), scenario::rounded),
            their.map_or_else(|| "-".into(), scenario::rounded),
            our.zip(their).map_or_else(|| "-".into(), |(our, their)| ratio(our, their)),
            rounds.join(" "),
        );
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some((low + high) / 2.0)
}

/// As much page cache as a scenario fills, at once free again.
fn take_memory() -> Result<()> {
    const CHUNK: usize = 1 << 20;
    const CHUNKS: usize = 6 << 10;
    let mut file = tempfile::tempfile()?;
    let chunk = vec![0; CHUNK];
    (0..CHUNKS).try_for_each(|_| file.write_all(&chunk))?;
    Ok(())
}

/// On a fresh target, which inherits nobody's memory or page cache.
fn measure(start: Start, scenario: Scenario, seconds: u64) -> Result<Vec<Figure>> {
    let target = start()?;
    eprintln!("{}: {scenario:?}", target.name);
    if scenario != Scenario::Idle {
        take_memory().context("taking memory")?;
    }
    scenario.run(&target, seconds)
}
