//! After an unclean stop: opening a log has checked what a crash can have torn; this reads the rest, for what
//! else may have happened to the disk.

use std::path::Path;

use commit_log::{RealDisk, verify};
use tracing::{error, info};

use super::{Work, throttle::Throttle};
use crate::partition::Partition;

/// Not beside a compaction of the same log, which is why one thread does both.
pub async fn run(work: &Work, partition: &Partition, folder: &Path) {
    let Some(active) = partition.ask(|hosted, _, _| hosted.active_base()).await else { return };
    let files = match verify(RealDisk, folder) {
        Ok(files) => files.before(active),
        Err(_) if partition.is_deleted() => return,
        Err(error) => {
            error!(partition = %partition.id, %error, "the log cannot be checked");
            work.counts.damaged(1);
            return;
        }
    };
    let throttle = Throttle::new(work.max_bytes_per_second);
    let (mut bytes, mut batches, mut found) = (0, 0, 0);
    for file in files {
        // Its files are gone, or others stand under their names.
        if partition.is_deleted() {
            return;
        }
        for finding in &file.findings {
            error!(
                partition = %partition.id,
                file = finding.file,
                position = finding.position,
                offset = finding.offset,
                reason = finding.reason,
                "the log is damaged"
            );
        }
        (bytes, batches) = (bytes + file.bytes, batches + file.batches);
        found += file.findings.len();
        work.counts.scrubbed(file.bytes);
        work.counts.damaged(file.findings.len() as u64);
        throttle.spend(file.bytes);
    }
    // Small files alone are not worth a line for each partition.
    if batches > 0 || found > 0 {
        info!(partition = %partition.id, bytes, found, "checked the log after an unclean stop");
    }
}
