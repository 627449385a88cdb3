//! What every service of Longhaul does at its start and its end: find its folder, read its config,
//! set up its log, say that it serves, and stop when asked.
#![allow(clippy::disallowed_methods)] // a shell: it reads files

mod address;
mod log;
mod settings;
pub mod systemd;
mod units;

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

pub use address::{Optional as OptionalAddress, ip_port, read_ip_port};
pub use log::{Log, LogFlags};
pub use settings::{Environment, Flag, Mistakes, Settings};
pub use units::{ByteSize, Period};

/// `$XDG_DATA_HOME/longhaul`, by default `~/.local/share/longhaul`: where a service that was told
/// nothing keeps its state, in a folder of its own name.
pub fn data_home() -> anyhow::Result<PathBuf> {
    if let Some(home) = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(home.join("longhaul"));
    }
    let home = env::var_os("HOME").context("no --data DIR given, and HOME is not set to find a default")?;
    Ok(Path::new(&home).join(".local/share/longhaul"))
}

/// Makes the folder and proves that it can be written, so that a wrong `--data` fails in one sentence
/// at the start and not in the middle of the first event.
pub fn writable_folder(path: &Path) -> anyhow::Result<()> {
    let probe = path.join(".writable");
    std::fs::create_dir_all(path)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .with_context(|| format!("cannot write in {}: give another folder with --data DIR", path.display()))
}

/// Takes as many open files as the system allows: the customary 1024 are few for a log or a listener.
pub fn raise_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::debug!(files, "open files allowed"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// The one line on standard output that says a service is ready; whoever started it waits for it.
pub fn serving(line: &str) {
    let mut out = io::stdout().lock();
    // A closed pipe is no reason to stop serving.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    systemd::ready(line);
}

/// Resolves at the first SIGINT or SIGTERM after the call. Called before [`serving`]: whoever reads that line
/// may send the signal at once, and one that nobody listens for ends the process without a goodbye.
pub fn stop_signal() -> impl Future<Output = io::Result<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let listening = signal(SignalKind::terminate()).and_then(|it| Ok((it, signal(SignalKind::interrupt())?)));
    async move {
        let (mut terminate, mut interrupt) = listening?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        systemd::stopping();
        Ok(())
    }
}

/// Ends a `main`: an error becomes one line on standard error and exit code 1.
pub fn exit(name: &str, result: anyhow::Result<()>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // The exit code says it as well, if nobody reads.
            let _ = writeln!(io::stderr(), "{name}: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
