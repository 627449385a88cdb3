//! Background work on the logs, on one thread: compacts what is due, and reads what an unclean stop has left
//! in doubt. At most so many bytes a second, so that the writer keeps the disk.

mod scrub;
#[cfg(test)]
mod tests;
mod throttle;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use broker_logic::ids::{PartitionIndex, TopicId};
use commit_log::{Compaction, RealDisk};
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use crate::{
    partition::{Partition, Partitions},
    upkeep::UpkeepCounts,
};
use throttle::Throttle;

/// A log whose compaction failed is left alone for this long; the others are not.
const RETRY: Duration = Duration::from_secs(300);

/// Logs waiting to be scrubbed; more than a broker has partitions. One that finds no place is told and left out.
const SCRUBS: usize = 4_096;

/// Asks for background work. Cheap to clone.
#[derive(Clone)]
pub struct Cleaner {
    scrubs: mpsc::Sender<(Partition, PathBuf)>,
}

/// What the thread works with.
pub struct Work {
    pub partitions: Partitions,
    pub counts: Arc<UpkeepCounts>,
    /// Between two looks whether a log is to be compacted; Kafka's `log.cleaner.backoff.ms`.
    pub backoff: Duration,
    /// Kafka's `log.cleaner.io.max.bytes.per.second`.
    pub max_bytes_per_second: u64,
}

impl Cleaner {
    /// Has all but the active segment of a partition's log read through.
    pub fn scrub(&self, partition: Partition, folder: PathBuf) {
        let id = partition.id.clone();
        if self.scrubs.try_send((partition, folder)).is_err() {
            warn!(partition = %id, "the log is not scrubbed: too many wait, or the cleaner has ended");
        }
    }
}

/// Starts the cleaner's thread.
pub fn start(work: Work) -> Cleaner {
    let (scrubs, mut asked) = mpsc::channel(SCRUBS);
    let runtime = tokio::runtime::Handle::current();
    let mut left_alone = LeftAlone::new();
    let run = move || {
        let mut run = || runtime.block_on(work.run(&mut asked, &mut left_alone));
        // One log at which it panics is no reason to leave all others.
        while catch_unwind(AssertUnwindSafe(&mut run)).is_err() {
            error!("the cleaner has panicked: it goes on without the log that it was at");
            work.counts.compaction_failed();
        }
    };
    std::thread::Builder::new().name("log-cleaner".into()).spawn(run).expect("a thread can be started");
    Cleaner { scrubs }
}

/// Until when. By what no other partition has, whichever its writer: not by slot, and not by name.
type LeftAlone = BTreeMap<(TopicId, PartitionIndex), Instant>;

impl Work {
    async fn run(&self, scrubs: &mut mpsc::Receiver<(Partition, PathBuf)>, left_alone: &mut LeftAlone) {
        loop {
            left_alone.retain(|_, until| *until > Instant::now());
            // Compaction first: it is what others wait for.
            while let Some(partition) = self.dirtiest(left_alone).await {
                left_alone.insert(key(&partition), Instant::now() + RETRY);
                if self.compact(&partition).await {
                    left_alone.remove(&key(&partition));
                }
            }
            match tokio::time::timeout(self.backoff, scrubs.recv()).await {
                Ok(Some((partition, folder))) => scrub::run(self, &partition, &folder).await,
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    /// Of those that are due, the one with the most to gain.
    async fn dirtiest(&self, left_alone: &LeftAlone) -> Option<Partition> {
        let mut dirtiest: Option<(f64, Partition)> = None;
        for partition in self.partitions.all() {
            if !partition.settings().cleanup_policy.compact || left_alone.contains_key(&key(&partition)) {
                continue;
            }
            let asked = partition.ask(|hosted, now_ms, _| hosted.dirty_ratio(now_ms)).await;
            if let Some(ratio) = asked.flatten()
                && dirtiest.as_ref().is_none_or(|(most, _)| *most < ratio)
            {
                dirtiest = Some((ratio, partition));
            }
        }
        dirtiest.map(|(_, partition)| partition)
    }

    /// `false`: it failed, or did not come any further.
    async fn compact(&self, partition: &Partition) -> bool {
        let began = Instant::now();
        match self.try_compact(partition).await {
            Ok(Some((before, after))) => {
                let seconds = began.elapsed().as_secs_f64();
                info!(partition = %partition.id, before, after, seconds, "compacted the log");
                self.counts.compacted();
                after > before
            }
            Ok(None) => {
                debug!(partition = %partition.id, "the log is gone, or was opened again: not compacted");
                false
            }
            Err(error) => {
                error!(partition = %partition.id, "the log could not be compacted: {error:#}");
                self.counts.compaction_failed();
                false
            }
        }
    }

    /// From which offset to which each key stands once; `None` if the log is gone, or was opened again.
    async fn try_compact(&self, partition: &Partition) -> anyhow::Result<Option<(i64, i64)>> {
        let begun = partition
            .ask(|hosted, now_ms, answers| (hosted.cleaned_to(), hosted.begin_compaction(now_ms, answers)));
        let Some((before, begun)) = begun.await else { return Ok(None) };
        let Some(mut compaction) = begun? else { bail!("it is not due any more") };
        let (throttle, counts) = (Throttle::new(self.max_bytes_per_second), self.counts.clone());
        compaction.set_pace(Box::new(move |bytes| {
            counts.compaction_read(bytes);
            throttle.spend(bytes);
        }));
        while let Some(rewritten) = compaction.rewrite_next()? {
            let installed =
                partition.ask(|hosted, now_ms, answers| hosted.install(rewritten, now_ms, answers)).await;
            let Some(installed) = installed else { return Ok(None) };
            if !installed? {
                break; // its sources are gone, and so may be those of the rest
            }
        }
        let finished = self.finish(partition, compaction).await.context("finishing")?;
        Ok(finished.map(|after| (before, after)))
    }

    async fn finish(
        &self,
        partition: &Partition,
        compaction: Compaction<RealDisk>,
    ) -> anyhow::Result<Option<i64>> {
        let finished = partition
            .ask(|hosted, now_ms, answers| hosted.finish_compaction(compaction, now_ms, answers))
            .await;
        Ok(finished.transpose()?.flatten())
    }
}

fn key(partition: &Partition) -> (TopicId, PartitionIndex) {
    (partition.topic_id, partition.id.partition)
}
