//! The edge agent: an MQTT broker on a gateway that keeps every event on its disk and forwards it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use edge_agent::{agent, config};

/// Takes events from devices over MQTT, keeps them in redb, forwards them over QUIC, brings alerts back.
#[derive(Parser)]
#[command(name = "edge-agent", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve devices until SIGINT or SIGTERM
    Run(config::Flags),
    /// Print the config in force and where each value was given, or everything that is wrong with it
    CheckConfig(config::Flags),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(flags) => run(flags),
        Command::CheckConfig(flags) => config::check(flags),
    };
    service::exit("edge-agent", result)
}

fn run(flags: config::Flags) -> anyhow::Result<()> {
    let config = config::Config::load(flags)?;
    config.log.init();
    tokio::runtime::Runtime::new()?.block_on(agent::run(config))
}
