//! Makes so what the metadata say about this broker's partitions: their logs are opened, follow their
//! topic's settings, and go with it.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use anyhow::Context;
use broker_logic::{
    cluster::{ClusterImage, Configs, PartitionRecord, StaticConfigs, Topic},
    ids::{BrokerId, TopicId, TopicPartition},
};
use commit_log::{RealDisk, Recovered};
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info, warn};

use crate::{
    cleaner::Cleaner,
    clock, deleted,
    groups::Coordinators,
    hosted::{Hosted, OpenPartition},
    partition::{Partition, Partitions, blocking},
    upkeep::UpkeepCounts,
    writer::{self, Writers},
};

/// Logs that are opened at a time, at start. A log waits for the disk, or after a crash for the processor.
const OPENED_AT_A_TIME: usize = 8;

#[derive(Clone)]
pub struct Host {
    pub me: BrokerId,
    pub logs: PathBuf,
    pub static_configs: Arc<StaticConfigs>,
    pub partitions: Partitions,
    pub writers: Writers,
    pub cleaner: Cleaner,
    pub coordinators: Coordinators,
    pub upkeep: Arc<UpkeepCounts>,
    /// The highest producer id that a log knows, of those that were opened.
    pub highest_producer_id: Arc<AtomicI64>,
    /// The run before this one was ended in order: all that was created is there.
    pub after_clean_stop: bool,
}

impl Host {
    /// Once more what the disk would not do, and at the start what the broker was about to do when it ended.
    /// Whether all is done then.
    pub(super) async fn catch_up(&self, image: &ClusterImage, removed: &BTreeSet<TopicId>) -> bool {
        // First: a deleted topic may stand where one of its name is to be opened.
        let removed = deleted::find_leftovers(&self.logs, removed, image).unwrap_or_else(|error| {
            error!("the folders of deleted topics stay: {error:#}");
            false
        });
        let records = image.topics().flat_map(|topic| {
            topic.partitions().map(|(partition, state)| PartitionRecord {
                topic_id: topic.topic_id,
                partition,
                state: state.clone(),
            })
        });
        let opened = self.open(image, records).await;
        removed && opened
    }

    /// Several logs at a time. Whether all are open then: a log that cannot be opened is told and left out, for
    /// it is no reason to keep the others from anybody.
    pub(super) async fn open(
        &self,
        image: &ClusterImage,
        records: impl IntoIterator<Item = PartitionRecord>,
    ) -> bool {
        let (mut opening, mut all) = (JoinSet::new(), true);
        for record in records {
            // A topic comes into the image before its partitions.
            let Some(topic) = image.topic_by_id(record.topic_id) else { continue };
            let open = self.to_open(image, topic, &record);
            if record.state.leader != Some(self.me) || self.partitions.get(&open.id).is_some() {
                continue;
            }
            if opening.len() >= OPENED_AT_A_TIME
                && let Some(opened) = opening.join_next().await
            {
                all &= is_open(opened);
            }
            let host = self.clone();
            opening.spawn(async move {
                let id = open.id.clone();
                let opened = host.open_partition(open).await;
                opened.with_context(|| format!("the partition {id} is not served"))
            });
        }
        while let Some(opened) = opening.join_next().await {
            all &= is_open(opened);
        }
        all
    }

    /// Every partition of these topics, or of all, works with what is in force for its topic.
    pub(super) async fn configure(&self, image: &ClusterImage, topics: Option<&BTreeSet<TopicId>>) {
        let configs = Configs::new(image, self.me, &self.static_configs);
        let meant = |partition: &Partition| topics.is_none_or(|topics| topics.contains(&partition.topic_id));
        for partition in self.partitions.all().into_iter().filter(meant) {
            let Some(topic) = image.topic_by_id(partition.topic_id) else { continue };
            let settings = configs.topic_settings(topic);
            if settings != partition.settings() {
                partition.configure(settings).await;
            }
        }
    }

    /// Whoever waits for the topic is told, and groups forget what they committed for it; its folders go in the
    /// background, also those of partitions that could not be opened. Whether they are out of the way.
    pub(super) async fn delete(&self, topic: &Topic) -> bool {
        let mut folders = Vec::new();
        for (partition, _) in topic.partitions() {
            let id = TopicPartition { topic: topic.name.clone(), partition };
            if let Some(open) = self.partitions.remove(&id) {
                open.delete().await;
            }
            folders.push(self.folder(&id));
            info!(partition = %id, "deleted");
        }
        self.coordinators.forget_topic(&topic.name).await;
        deleted::set_aside(&self.logs, folders, topic.topic_id)
    }

    fn tell_if_missing(&self, open: &OpenPartition) {
        // Each start begins a new epoch: the first one is a partition that was created since.
        if open.leader_epoch.0 == 0 || open.folder.exists() {
            return;
        }
        let (partition, folder) = (&open.id, open.folder.display());
        if open.leader_epoch.0 == 1 && !self.after_clean_stop {
            warn!(%partition, %folder, "the partition has no folder: it was being created when the broker ended, or its folder is lost; it begins empty");
        } else {
            error!(%partition, %folder, "the partition's folder is missing, and its records with it (is a volume not mounted?): it begins empty");
            self.upkeep.damaged(1);
        }
    }

    fn to_open(&self, image: &ClusterImage, topic: &Topic, record: &PartitionRecord) -> OpenPartition {
        let id = TopicPartition { topic: topic.name.clone(), partition: record.partition };
        OpenPartition {
            topic_id: topic.topic_id,
            folder: self.folder(&id),
            leader_epoch: record.state.leader_epoch,
            in_sync: record.state.isr.clone(),
            settings: Configs::new(image, self.me, &self.static_configs).topic_settings(topic),
            id,
        }
    }

    fn folder(&self, id: &TopicPartition) -> PathBuf {
        self.logs.join(id.to_string())
    }

    async fn open_partition(&self, open: OpenPartition) -> anyhow::Result<()> {
        let (me, id) = (self.me, open.id.clone());
        self.tell_if_missing(&open);
        let (partition, upkeep) = (id.clone(), self.upkeep.clone());
        let tell = move |recovered: &Recovered| writer::log_recovery(&partition, recovered, &upkeep);
        let opened = blocking(move || Hosted::open(RealDisk, me, open, clock::now_ms(), tell)).await;
        let (hosted, recovered) = opened.with_context(|| format!("cannot open the log of {id}"))?;
        let ids = hosted.replica().producers().states().map(|producer| producer.id);
        self.highest_producer_id.fetch_max(ids.last().unwrap_or(-1), Relaxed);
        let folder = hosted.folder().to_path_buf();
        let partition = self.writers.host(hosted).await.context("the log writer has stopped")?;
        if !recovered.clean_shutdown {
            self.cleaner.scrub(partition.clone(), folder);
        }
        self.partitions.insert(partition);
        Ok(())
    }
}

/// Told otherwise.
fn is_open(opened: Result<anyhow::Result<()>, JoinError>) -> bool {
    let opened = opened.context("a partition is not served").flatten();
    opened.inspect_err(|error| error!("{error:#}")).is_ok()
}
