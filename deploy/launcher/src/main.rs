//! `deploy/demo`: starts every part of Longhaul on loopback, shows what flows, and at the end proves with
//! a Kafka client that every acknowledged fix is in its topic exactly once.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell

mod args;
mod demo;
mod parts;
mod say;
mod status;
mod stop;
mod topics;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

use demo::Outcome;
use say::complain;

/// What shells say of a program that Ctrl-C ended.
const KILLED: u8 = 130;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let result = runtime.block_on(demo::run(args));
    runtime.shutdown_background();
    match result {
        Ok(Outcome::Exact) => ExitCode::SUCCESS,
        Ok(Outcome::NotExact) => ExitCode::FAILURE,
        Ok(Outcome::Killed) => {
            complain(&anyhow::anyhow!("killed all parts at the second signal; nothing was counted"));
            ExitCode::from(KILLED)
        }
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}
