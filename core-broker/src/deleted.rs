//! Folders of deleted partitions: renamed first, so that a topic of the same name finds its place free, and
//! removed when nobody waits for it.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use broker_logic::ids::TopicId;
use commit_log::{Disk, RealDisk, topic_of};
use tracing::{info, warn};

/// Ends the name of a folder that is about to be removed.
const DELETED: &str = ".deleted";

/// Durable when it returns; the bytes go in the background. The folders lie in `logs`.
pub fn set_aside(logs: &Path, folders: Vec<PathBuf>, topic_id: TopicId) -> anyhow::Result<()> {
    let mut aside = Vec::new();
    for folder in folders {
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}{DELETED}", topic_id.0.simple()));
        fs::rename(&folder, logs.join(&name))
            .with_context(|| format!("renaming the folder {} of a deleted topic", folder.display()))?;
        aside.push(logs.join(name));
    }
    RealDisk.sync_dir(logs).with_context(|| format!("syncing {}", logs.display()))?;
    tokio::task::spawn_blocking(move || aside.iter().for_each(|folder| remove(folder)));
    Ok(())
}

/// At start: what was renamed before the broker ended, and the folders of topics that the metadata have
/// deleted. Folders of topics that nobody knows are left alone: they may be somebody's.
pub fn find_leftovers(logs: &Path, removed: &BTreeSet<TopicId>) -> anyhow::Result<()> {
    let folders = folders(logs).with_context(|| format!("listing {}", logs.display()))?;
    for folder in folders {
        if folder.to_string_lossy().ends_with(DELETED) {
            tokio::task::spawn_blocking(move || remove(&folder));
        } else if let Some(topic_id) =
            topic_of(&RealDisk, &folder).map(|id| TopicId(uuid::Uuid::from_bytes(id)))
            && removed.contains(&topic_id)
        {
            set_aside(logs, vec![folder], topic_id)?;
        }
    }
    Ok(())
}

fn folders(logs: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(logs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Ok(()) => info!(folder = %folder.display(), "removed the folder of a deleted topic"),
        // The next start tries again.
        Err(error) => {
            warn!(folder = %folder.display(), %error, "cannot remove the folder of a deleted topic")
        }
    }
}
