//! That the logs are those which the metadata know. One folder may be a volume that is not mounted, or somebody
//! may have removed it: a broker that began anew there would give offsets out a second time, or forget topics.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use commit_log::{Disk, DiskFile, RealDisk, topic_of};

/// In the folder of the logs: the cluster they belong to.
const CLUSTER_ID: &str = "cluster-id";

/// Before anything is written. `cluster_id` and `partitions` are what the metadata say; without an id there are
/// none.
pub fn check(
    metadata: &Path,
    logs: &Path,
    cluster_id: Option<&str>,
    partitions: usize,
) -> anyhow::Result<()> {
    let (metadata, folder) = (metadata.display(), logs.display());
    let marked = match fs::read_to_string(logs.join(CLUSTER_ID)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.with_context(|| format!("reading {CLUSTER_ID} in {folder}"))?),
    };
    let marked = marked.as_deref().map(str::trim);
    let Some(cluster_id) = cluster_id else {
        if let Some(held) = a_partition(logs).with_context(|| format!("listing {folder}"))? {
            bail!(
                "there is no metadata in {metadata}, and {} holds a partition: restore the metadata from a copy \
                 (is a volume not mounted?), or move {folder} away to begin a new cluster",
                held.display()
            );
        }
        return Ok(());
    };
    match marked {
        Some(marked) if marked != cluster_id => bail!(
            "the logs in {folder} belong to cluster {marked}, the metadata in {metadata} to cluster {cluster_id}: \
             give the folder that belongs to them"
        ),
        None if partitions > 0 && a_partition(logs)?.is_none() => bail!(
            "the metadata in {metadata} know of {partitions} partitions, and {folder} is missing or empty: mount \
             the volume or restore the folder; to begin anew without their records, remove {metadata} as well"
        ),
        _ => Ok(()),
    }
}

/// Durable when it returns, and before the first partition is opened there.
pub fn mark(logs: &Path, cluster_id: &str) -> anyhow::Result<()> {
    let path = logs.join(CLUSTER_ID);
    if fs::read_to_string(&path).is_ok_and(|marked| marked.trim() == cluster_id) {
        return Ok(());
    }
    let write = || -> io::Result<()> {
        RealDisk.create_dir_all(logs)?;
        // In one piece: a crash leaves the old one, or none.
        let beside = logs.join(format!("{CLUSTER_ID}.tmp"));
        let file = RealDisk.create(&beside)?;
        file.write_at(format!("{cluster_id}\n").as_bytes(), 0)?;
        file.sync_data()?;
        RealDisk.rename(&beside, &path)?;
        RealDisk.sync_dir(logs)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// The folder of some partition.
fn a_partition(logs: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(logs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let folder = entry?.path();
        if topic_of(&RealDisk, &folder).is_some() {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use commit_log::{Log, LogConfig};

    use super::*;

    #[test]
    fn logs_and_metadata_that_do_not_belong_together_are_refused() {
        let table = [
            // mark, a partition's folder is there, what the metadata say, what is refused
            (None, false, None, None),
            (Some("a"), false, None, None),
            (None, true, None, Some("there is no metadata")),
            (None, false, Some(("a", 0)), None),
            (None, false, Some(("a", 3)), Some("know of 3 partitions, and")),
            (None, true, Some(("a", 3)), None),
            (Some("a"), false, Some(("a", 3)), None),
            (Some("b"), true, Some(("a", 3)), Some("belong to cluster b")),
        ];
        for (marked, held, known, refused) in table {
            let data = tempfile::tempdir().unwrap();
            let logs = data.path().join("logs");
            if let Some(marked) = marked {
                mark(&logs, marked).unwrap();
            }
            if held {
                Log::open(RealDisk, &logs.join("t-0"), LogConfig::new([7; 16])).unwrap();
            }
            let checked =
                check(Path::new("metadata"), &logs, known.map(|it| it.0), known.map_or(0, |it| it.1));
            let told = checked.err().map(|error| error.to_string());
            match refused {
                Some(refused) => assert!(told.is_some_and(|told| told.contains(refused)), "{refused}"),
                None => assert_eq!(told, None, "{marked:?} {held} {known:?}"),
            }
        }
    }
}
