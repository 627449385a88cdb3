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

use config::{AppCommand, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    service::init_logs();
    let result = match cli.app {
        AppCommand::Velocity(args) => match args.load(|config| &mut config.velocity) {
            Ok(config) => stream(velocity::APP, config.bootstrap, config.velocity).await,
            Err(error) => Err(error),
        },
        AppCommand::DriverBreak(args) => match args.load(|config| &mut config.driver_break) {
            Ok(config) => stream(driver_break::APP, config.bootstrap, config.driver_break).await,
            Err(error) => Err(error),
        },
        AppCommand::Dashboard(args) => match args.load() {
            Ok(config) => dashboard::run(&config.bootstrap, &config.dashboard.listen).await,
            Err(error) => Err(error),
        },
    };
    service::exit("stream-apps", result)
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
