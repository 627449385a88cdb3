//! `core-broker log verify DIR`: reads all that is in a log's folder and tells what is wrong. Talks to no
//! broker, and changes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use commit_log::{CheckedFile, RealDisk, is_log_file, verify};

use super::output::{exit_code, say};
use crate::data_folder;

#[derive(Debug, clap::Args)]
pub struct Log {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check every checksum, offset and index entry of logs that no broker has open; exit code 1 if something
    /// is wrong
    Verify {
        /// The folder of a partition, of all logs, or a broker's data folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// From a partition's folder up to the data folder.
const LEVELS_TO_DATA: usize = 3;

pub fn log(args: Log) -> anyhow::Result<ExitCode> {
    let Command::Verify { folder } = args.command;
    // Held until the end: a broker that is started meanwhile would change what is read.
    let _lock = lock_of(&folder).context("the logs cannot be checked")?;
    let logs = logs_in(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    if logs.is_empty() {
        bail!("{} holds no log: name the folder of a partition, or a broker's data folder", folder.display());
    }
    let (mut files, mut findings) = (0, 0);
    for log in logs {
        let mut has_segment = false;
        for checked in verify(RealDisk, &log)? {
            print(&log, &checked);
            files += 1;
            findings += checked.findings.len();
            has_segment |= checked.file.contains(".log");
        }
        if !has_segment {
            say(format_args!("{}: DAMAGED, no segment", log.display()));
            findings += 1;
        }
    }
    match findings {
        0 => say(format_args!("{files} files, nothing is wrong")),
        _ => say(format_args!("{files} files, {findings} findings")),
    }
    Ok(exit_code(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

fn print(log: &Path, checked: &CheckedFile) {
    let path = log.join(&checked.file);
    let verdict = if checked.findings.is_empty() { "ok" } else { "DAMAGED" };
    match checked.batches {
        0 => say(format_args!("{}: {verdict}, {} bytes", path.display(), checked.bytes)),
        batches => {
            say(format_args!("{}: {verdict}, {} bytes, {batches} batches", path.display(), checked.bytes));
        }
    }
    for finding in &checked.findings {
        say(format_args!("  at byte {}, offset {}: {}", finding.position, finding.offset, finding.reason));
    }
}

/// The lock of the data folder that this one is or lies in; none for a copy that stands elsewhere.
fn lock_of(folder: &Path) -> anyhow::Result<Option<fs::File>> {
    let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    let data = folder.ancestors().take(LEVELS_TO_DATA).find(|folder| data_folder::is_one(folder));
    data.map(data_folder::lock).transpose()
}

/// The folder itself if it is a log's, and those of logs in it, two levels deep.
fn logs_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    find_logs(folder, 2, &mut logs)?;
    logs.sort();
    Ok(logs)
}

fn find_logs(folder: &Path, levels: usize, logs: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let is_logs = |name: &str| name == "partition.metadata" || is_log_file(name);
    if entries.iter().any(|entry| entry.file_name().to_str().is_some_and(is_logs)) {
        logs.push(folder.to_owned());
    }
    for entry in entries {
        if levels > 0 && entry.file_type()?.is_dir() {
            find_logs(&entry.path(), levels - 1, logs)?;
        }
    }
    Ok(())
}
