//! `devices-sim`: a fleet that can be watched without owning one truck. It publishes simulated or
//! recorded fixes over MQTT as devices do, listens as the cabs do, and says exactly what was
//! acknowledged.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell: clocks, files, sockets

mod alerts;
mod broker;
mod config;
mod dry_run;
mod fleet;
mod ledger;
mod mqtt;
mod pace;
mod replay;
mod run;
mod tally;
mod trace;

use std::process::ExitCode;

use clap::Parser;
use config::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    args.log.init();
    let result = match args.command {
        Command::Fleet(args) => fleet::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Broker(args) => broker::run(args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| service::exit("devices-sim", Err(error)))
}
