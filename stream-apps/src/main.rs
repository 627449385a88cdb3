//! The stream apps: `velocity`, `driver-break` and the `dashboard`. This file is the table of contents.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell: clocks, threads and files

mod app;
mod checkpoint;
mod config;
mod dashboard;
mod driver_break;
mod kafka;
mod progress;
mod rejected;
mod runner;
mod velocity;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Parser;

use config::{AppCommand, Cli, Config};

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().app {
        AppCommand::Velocity(args) => match loaded(args.load("velocity.group")) {
            Ok(config) => stream(velocity::APP, config.bootstrap, config.velocity).await,
            Err(error) => Err(error),
        },
        AppCommand::DriverBreak(args) => match loaded(args.load("driver_break.group")) {
            Ok(config) => stream(driver_break::APP, config.bootstrap, config.driver_break).await,
            Err(error) => Err(error),
        },
        AppCommand::Dashboard(args) => match loaded(args.load()) {
            Ok(config) => dashboard::run(&config.bootstrap, &config.dashboard.listen).await,
            Err(error) => Err(error),
        },
        AppCommand::CheckConfig(args) => args.check(),
    };
    service::exit("stream-apps", result)
}

/// What is in force, and the log as it says.
fn loaded(config: anyhow::Result<Config>) -> anyhow::Result<Config> {
    config.inspect(|config| config.log.init())
}

/// Runs the app on a thread of its own until SIGINT or SIGTERM.
async fn stream(app: app::App, bootstrap: String, config: config::Stream) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let group = config.group.unwrap_or_else(|| app.name.to_owned());
    let mut running = tokio::task::spawn_blocking(move || runner::run(&app, &bootstrap, &group, &stopped));
    tokio::select! {
        ended = &mut running => return ended?,
        signal = service::stop_signal() => signal?,
    }
    stop.store(true, Ordering::Relaxed);
    running.await?
}
