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
    /// Create, alter, list, describe and delete topics (kafka-topics)
    Topics(cli::Words),
    /// Show and change configs of topics and brokers (kafka-configs)
    Configs(cli::Words),
    /// Delete the oldest records of partitions (kafka-delete-records)
    DeleteRecords(cli::Words),
    /// Print where the logs of partitions begin and end (kafka-get-offsets)
    GetOffsets(cli::Words),
    /// Write lines of standard input to a topic (kafka-console-producer)
    Produce(cli::Words),
    /// Print the records of a topic (kafka-console-consumer)
    Consume(cli::Words),
    /// List, describe, reset and delete consumer groups (kafka-consumer-groups)
    Groups(cli::Words),
    /// Print what lies in which log directory (kafka-log-dirs)
    LogDirs(cli::Words),
    /// Look into the files of logs
    Log(cli::Log),
}

fn main() -> ExitCode {
    if let Some(code) = cli::by_link(std::env::args_os()) {
        return code;
    }
    match Cli::parse().command {
        Command::Run(flags) => service::exit("core-broker", run(flags)),
        Command::CheckConfig(flags) => service::exit("core-broker", config::check(flags)),
        Command::Topics(words) => cli::TOPICS.run(words),
        Command::Configs(words) => cli::CONFIGS.run(words),
        Command::DeleteRecords(words) => cli::DELETE_RECORDS.run(words),
        Command::GetOffsets(words) => cli::GET_OFFSETS.run(words),
        Command::Produce(words) => cli::PRODUCE.run(words),
        Command::Consume(words) => cli::CONSUME.run(words),
        Command::Groups(words) => cli::GROUPS.run(words),
        Command::LogDirs(words) => cli::LOG_DIRS.run(words),
        Command::Log(args) => match cli::log(args) {
            Ok(code) => code,
            Err(error) => service::exit("core-broker", Err(error)),
        },
    }
}

fn run(flags: config::Flags) -> anyhow::Result<()> {
    let config = config::Config::load(flags)?;
    config.log.init();
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(broker::run(config));
    // The log cleaner may be in the middle of a compaction and wait on the runtime's timers. It ends with the
    // process: a compaction that was not installed is none.
    std::mem::forget(runtime);
    served
}
