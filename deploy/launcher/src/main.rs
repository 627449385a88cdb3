//! `deploy/demo`: starts every part of Longhaul on loopback, shows what flows, and at the end proves with
//! a Kafka client that every acknowledged fix is in its topic exactly once.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell

mod args;
mod demo;
mod parts;
mod status;
mod topics;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let result = runtime.block_on(demo::run(args));
    runtime.shutdown_background();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("deploy/demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
