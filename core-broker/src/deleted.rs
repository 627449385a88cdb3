//! Folders of deleted partitions: renamed first, so that a topic of the same name finds its place free, and
//! removed when nobody waits for it.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use broker_logic::{
    cluster::ClusterImage,
    ids::{TopicId, TopicPartition},
};
use commit_log::{Disk, RealDisk, topic_of};
use tracing::{error, info, warn};

/// Ends the name of a folder that is about to be removed.
const DELETED: &str = ".deleted";

/// Durable when it returns; the bytes go in the background. The folders lie in `logs`; those that are not there
/// need nothing, and one that tells of another topic is told and left alone. Whether all are out of the way then;
/// what is not is told.
pub fn set_aside(logs: &Path, folders: Vec<PathBuf>, topic_id: TopicId) -> bool {
    let mut all = true;
    let mut aside = Vec::new();
    for folder in folders {
        if let Some(other) = told_topic(&folder).filter(|it| *it != topic_id) {
            warn!(folder = %folder.display(), topic_id = %other.0, "stands where a partition of a deleted topic would, and is another topic's: it is left alone");
            continue;
        }
        let renamed = logs.join(name_aside(&folder, topic_id));
        match fs::rename(&folder, &renamed) {
            Ok(()) => aside.push(renamed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                error!(folder = %folder.display(), %error, "cannot rename the folder of a deleted topic");
                all = false;
            }
        }
    }
    if aside.is_empty() {
        return all;
    }
    if let Err(error) = RealDisk.sync_dir(logs) {
        error!(folder = %logs.display(), %error, "cannot sync the folder of a deleted topic's partitions");
        all = false;
    }
    tokio::task::spawn_blocking(move || aside.iter().for_each(|folder| remove(folder)));
    all
}

/// What was renamed before the broker ended, and the folders of topics that the metadata have deleted. Folders
/// of topics that nobody knows, or that do not tell of which they are, are told and left alone: they may be
/// somebody's, or the metadata have lost them. Whether all are out of the way then.
pub fn find_leftovers(
    logs: &Path,
    removed: &BTreeSet<TopicId>,
    image: &ClusterImage,
) -> anyhow::Result<bool> {
    let folders = folders(logs).with_context(|| format!("listing {}", logs.display()))?;
    let mut all = true;
    for folder in folders {
        if folder.to_string_lossy().ends_with(DELETED) {
            tokio::task::spawn_blocking(move || remove(&folder));
        } else if let Some(topic_id) = told_topic(&folder) {
            if removed.contains(&topic_id) {
                all &= set_aside(logs, vec![folder], topic_id);
            } else if image.topic_by_id(topic_id).is_none() {
                warn!(folder = %folder.display(), topic_id = %topic_id.0, "a partition of a topic that the metadata do not know: it is left alone");
            }
        } else if partition_named(&folder).is_some_and(|id| !is_known(image, &id)) {
            warn!(folder = %folder.display(), "a partition that the metadata do not know, without a readable partition.metadata: it is left alone, and in the way of a topic of its name");
        }
    }
    Ok(all)
}

/// As its `partition.metadata` tells.
fn told_topic(folder: &Path) -> Option<TopicId> {
    topic_of(&RealDisk, folder).map(|id| TopicId(uuid::Uuid::from_bytes(id)))
}

/// As its name tells.
fn partition_named(folder: &Path) -> Option<TopicPartition> {
    let (topic, partition) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    Some(TopicPartition::new(topic, partition.parse().ok()?))
}

fn is_known(image: &ClusterImage, id: &TopicPartition) -> bool {
    image.topic(&id.topic).is_some_and(|topic| topic.partition(id.partition).is_some())
}

/// Without the topic's name: a legal one may fill all that a file system gives a name.
fn name_aside(folder: &Path, topic_id: TopicId) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let partition = name.rsplit('-').next().unwrap_or_default();
    format!("{}-{partition}{DELETED}", topic_id.0.simple())
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
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // The next start tries again.
        Err(error) => {
            warn!(folder = %folder.display(), %error, "cannot remove the folder of a deleted topic")
        }
    }
}

#[cfg(test)]
mod tests {
    use commit_log::{Log, LogConfig};
    use uuid::Uuid;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);
    const OTHER_ID: Uuid = Uuid::from_u128(8);

    #[test]
    fn a_folder_that_is_set_aside_has_a_name_that_fits() {
        let id = "00000000000000000000000000000007";
        for (folder, expected) in [
            ("t-0".to_owned(), format!("{id}-0.deleted")),
            ("a-b-12".to_owned(), format!("{id}-12.deleted")),
            (format!("{}-99999", "t".repeat(249)), format!("{id}-99999.deleted")),
        ] {
            assert_eq!(name_aside(&Path::new("/logs").join(&folder), TopicId(ID)), expected, "{folder}");
        }
    }

    #[tokio::test]
    async fn the_folder_of_the_longest_name_makes_room_for_another_of_its_name() {
        let logs = tempfile::tempdir().unwrap();
        let folder = folder_of(logs.path(), &format!("{}-0", "t".repeat(249)), ID);
        assert!(set_aside(logs.path(), vec![folder.clone()], TopicId(ID)));
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_folder_goes_by_its_name_unless_it_tells_of_another_topic() {
        let logs = tempfile::tempdir().unwrap();
        let whole = folder_of(logs.path(), "t-0", ID);
        let silent = folder_of(logs.path(), "t-1", ID);
        fs::remove_file(silent.join("partition.metadata")).unwrap();
        let missing = logs.path().join("t-2");
        let foreign = folder_of(logs.path(), "t-3", OTHER_ID);
        let folders = vec![whole.clone(), silent.clone(), missing, foreign.clone()];
        assert!(set_aside(logs.path(), folders, TopicId(ID)));
        assert!(!whole.exists() && !silent.exists() && foreign.exists());
    }

    #[tokio::test]
    async fn leftovers_go_and_what_belongs_to_somebody_stays() {
        let logs = tempfile::tempdir().unwrap();
        let kept = ["kept-0", "silent-0"].map(|name| folder_of(logs.path(), name, OTHER_ID));
        fs::remove_file(kept[1].join("partition.metadata")).unwrap();
        let gone = [
            folder_of(logs.path(), "gone-0", ID),
            folder_of(logs.path(), "00000000000000000000000000000007-1.deleted", ID),
            // As they were named once.
            folder_of(logs.path(), "gone-2.00000000000000000000000000000007.deleted", ID),
        ];
        assert!(find_leftovers(logs.path(), &BTreeSet::from([TopicId(ID)]), &ClusterImage::new()).unwrap());
        // Removed in the background.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while folders(logs.path()).unwrap().len() > kept.len() {
            assert!(std::time::Instant::now() < deadline, "{gone:?}: {:?}", folders(logs.path()));
            tokio::task::yield_now().await;
        }
        assert!(kept.iter().all(|folder| folder.exists()));
    }

    #[tokio::test]
    async fn a_leftover_that_cannot_be_renamed_is_told_and_the_others_go() {
        let logs = tempfile::tempdir().unwrap();
        let stuck = folder_of(logs.path(), "stuck-0", ID);
        let gone = folder_of(logs.path(), "gone-1", ID);
        // A file stands where the folder would go.
        fs::write(logs.path().join("00000000000000000000000000000007-0.deleted"), "").unwrap();
        assert!(!find_leftovers(logs.path(), &BTreeSet::from([TopicId(ID)]), &ClusterImage::new()).unwrap());
        assert!(stuck.exists() && !gone.exists());
    }

    fn folder_of(logs: &Path, name: &str, topic_id: Uuid) -> PathBuf {
        let folder = logs.join(name);
        let (log, _) = Log::open(RealDisk, &folder, LogConfig::new(topic_id.into_bytes())).unwrap();
        log.close().unwrap();
        folder
    }
}
