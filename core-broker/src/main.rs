//! The core broker: a partitioned commit log that Kafka clients and edge agents write to.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use core_broker::{broker, cli, config};

/// A partitioned commit log that speaks the Kafka protocol, with a QUIC door for edge agents.
#[derive(Parser)]
#[command(name = "core-broker", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Kafka clients and edge agents until SIGINT or SIGTERM
    Run(config::Flags),
    /// Print the config in force and where each value was given, or everything that is wrong with it
    CheckConfig(config::Flags),
    /// Create, list and describe topics
    Topics(cli::Topics),
    /// Print the records of a topic
    Consume(cli::Consume),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(flags) => run(flags),
        Command::CheckConfig(flags) => config::check(flags),
        Command::Topics(args) => cli::topics(args),
        Command::Consume(args) => cli::consume(args),
    };
    service::exit("core-broker", result)
}

fn run(flags: config::Flags) -> anyhow::Result<()> {
    let config = config::Config::load(flags)?;
    config.log.init();
    tokio::runtime::Runtime::new()?.block_on(broker::run(config))
}
