//! Makes so what the metadata say about this broker's partitions: their logs are opened, follow their
//! topic's settings, and go with it.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use anyhow::Context;
use broker_logic::{
    cluster::{ClusterImage, Configs, PartitionRecord, StaticConfigs, Topic},
    ids::{BrokerId, TopicId, TopicPartition},
};
use commit_log::RealDisk;
use tokio::{sync::oneshot, task::JoinSet};
use tracing::{error, info};

use crate::{
    cleaner::Cleaner,
    clock, deleted,
    hosted::{Hosted, OpenPartition},
    partition::{Partition, Partitions, blocking},
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
}

impl Host {
    /// What the broker was about to delete when it ended.
    pub(super) fn remove_leftovers(&self, removed: &BTreeSet<TopicId>) -> anyhow::Result<()> {
        deleted::find_leftovers(&self.logs, removed)
    }

    /// Whether all are open then. A log that cannot be opened is told and left out: it is no reason to keep the
    /// others from anybody.
    pub(super) async fn open_all(&self, image: &ClusterImage) -> anyhow::Result<bool> {
        let records = image.topics().flat_map(|topic| {
            topic.partitions().map(|(partition, state)| PartitionRecord {
                topic_id: topic.topic_id,
                partition,
                state: state.clone(),
            })
        });
        let mut all = true;
        for (id, opened) in self.open(image, records).await? {
            if let Err(error) = opened {
                error!(partition = %id, "the partition is not served: {error:#}");
                all = false;
            }
        }
        Ok(all)
    }

    /// Several logs at a time; returns how it went with each that was not open yet.
    pub(super) async fn open(
        &self,
        image: &ClusterImage,
        records: impl IntoIterator<Item = PartitionRecord>,
    ) -> anyhow::Result<Vec<(TopicPartition, anyhow::Result<()>)>> {
        let (mut opening, mut opened) = (JoinSet::new(), Vec::new());
        for record in records {
            let topic = image.topic_by_id(record.topic_id).context("a partition without a topic")?;
            let open = self.to_open(image, topic, &record);
            if record.state.leader != Some(self.me) || self.partitions.get(&open.id).is_some() {
                continue;
            }
            if opening.len() >= OPENED_AT_A_TIME
                && let Some(done) = opening.join_next().await
            {
                opened.push(done?);
            }
            let host = self.clone();
            opening.spawn(async move { (open.id.clone(), host.open_partition(open).await) });
        }
        while let Some(done) = opening.join_next().await {
            opened.push(done?);
        }
        Ok(opened)
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

    /// Whoever waits for the topic is told; its folders go in the background.
    pub(super) async fn delete(&self, topic_id: TopicId) -> anyhow::Result<()> {
        let of_topic = |partition: &Partition| partition.topic_id == topic_id;
        let mut folders = Vec::new();
        for partition in self.partitions.all().into_iter().filter(of_topic) {
            self.partitions.remove(&partition.id);
            partition.delete().await;
            folders.push(self.folder(&partition.id));
            info!(partition = %partition.id, "deleted");
        }
        deleted::set_aside(&self.logs, folders, topic_id)
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
        let opened = blocking(move || Hosted::open(RealDisk, me, open, clock::now_ms())).await;
        let (hosted, recovered) = opened.with_context(|| format!("cannot open the log of {id}"))?;
        writer::log_recovery(&hosted, &recovered);
        let folder = hosted.folder().to_path_buf();
        let writer = self.writers.of(hosted.id()).clone();
        let (answer, partition) = oneshot::channel();
        let host = writer::Command::Host { hosted: Box::new(hosted), answer };
        writer.send(host).await.map_err(|_| anyhow::anyhow!("the log writer has stopped"))?;
        let partition = partition.await.context("the log writer has stopped")?;
        if !recovered.clean_shutdown {
            self.cleaner.scrub(partition.clone(), folder);
        }
        self.partitions.insert(partition);
        Ok(())
    }
}
