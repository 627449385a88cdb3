//! `core-broker log verify DIR`: reads all that is in a log's folder and tells what is wrong. Talks to no
//! broker, and changes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use commit_log::{CheckedFile, RealDisk, verify};

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
        for checked in verify(RealDisk, &log)? {
            print(&log, &checked);
            files += 1;
            findings += checked.findings.len();
        }
    }
    match findings {
        0 => println!("{files} files, nothing is wrong"),
        _ => println!("{files} files, {findings} findings"),
    }
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(log: &Path, checked: &CheckedFile) {
    let path = log.join(&checked.file);
    let verdict = if checked.findings.is_empty() { "ok" } else { "DAMAGED" };
    match checked.batches {
        0 => println!("{}: {verdict}, {} bytes", path.display(), checked.bytes),
        batches => println!("{}: {verdict}, {} bytes, {batches} batches", path.display(), checked.bytes),
    }
    for finding in &checked.findings {
        println!("  at byte {}, offset {}: {}", finding.position, finding.offset, finding.reason);
    }
}

/// The lock of the data folder that this one is or lies in; none for a copy that stands elsewhere.
fn lock_of(folder: &Path) -> anyhow::Result<Option<fs::File>> {
    let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    let data = folder.ancestors().take(LEVELS_TO_DATA).find(|folder| data_folder::is_one(folder));
    data.map(data_folder::lock).transpose()
}

/// The folder itself if it is a log's, else those of logs in it, two levels deep.
fn logs_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    find_logs(folder, 2, &mut logs)?;
    logs.sort();
    Ok(logs)
}

fn find_logs(folder: &Path, levels: usize, logs: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let is_log = entries.iter().any(|entry| {
        let name = entry.file_name();
        name == "partition.metadata" || Path::new(&name).extension().is_some_and(|kind| kind == "log")
    });
    if is_log {
        logs.push(folder.to_owned());
        return Ok(());
    }
    for entry in entries {
        if levels > 0 && entry.file_type()?.is_dir() {
            find_logs(&entry.path(), levels - 1, logs)?;
        }
    }
    Ok(())
}
