//! A partition as the rest of the broker sees it: a handle that appends through its owner and reads
//! from the log by itself.

use std::sync::Arc;

use broker_logic::{
    cluster::TopicSettings,
    ids::{LeaderEpoch, Offset, TopicId, TopicPartition},
    replica::{Acks, AppendError},
};
use bytes::Bytes;
use commit_log::{LogReader, ReadError, RealDisk};
use kafka_wire::record_batch::BatchHeader;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    hosted::{Answers, AppendResult},
    metrics::Traffic,
    writer::{Command, HostedLog, Tell, Waiter},
};

/// What others may know of a replica without asking its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    pub leader_epoch: LeaderEpoch,
    pub log_start: Offset,
    /// Consumers read below it: everything there is on the disks of the in-sync replicas, unless the topic
    /// asks for less (`flush.messages`).
    pub high_watermark: Offset,
    /// The log takes no more until it is opened again.
    pub failed: bool,
}

/// Cheap to clone. What is watched here closes when the partition is deleted.
#[derive(Clone)]
pub struct Partition {
    pub id: TopicPartition,
    pub topic_id: TopicId,
    /// Another after the log was opened again.
    pub(crate) log: watch::Receiver<LogReader<RealDisk>>,
    pub view: watch::Receiver<View>,
    pub(crate) settings: watch::Receiver<TopicSettings>,
    /// The topic's counters.
    pub traffic: Arc<Traffic>,
    pub(crate) slot: usize,
    pub(crate) writer: mpsc::Sender<Command>,
}

impl Partition {
    /// Hands the batch to the partition's owner; waits while its queue is full. Batches submitted one
    /// after the other are appended in that order. The answer comes later.
    pub async fn submit(
        &self,
        header: BatchHeader,
        batch: Bytes,
        acks: Acks,
        deadline_ms: i64,
    ) -> oneshot::Receiver<AppendResult> {
        let (answer, receiver) = oneshot::channel();
        let command = Command::Append { slot: self.slot, header, batch, acks, deadline_ms, answer };
        // A stopped owner drops the command and with it the sender: the receiver says so.
        let _ = self.writer.send(command).await;
        receiver
    }

    /// Has the owner do something to the log, between two appends; waits for it. `None`: the partition is
    /// gone.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut HostedLog, i64, &mut Answers<Waiter>) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, receiver) = oneshot::channel();
        let task = Box::new(move |hosted: &mut HostedLog, now_ms, answers: &mut Answers<Waiter>| -> Tell {
            let result = question(hosted, now_ms, answers);
            Box::new(move || {
                let _ = answer.send(result);
            })
        });
        self.writer.send(Command::Do { slot: self.slot, task }).await.ok()?;
        receiver.await.ok()
    }

    /// In force when it returns.
    pub async fn configure(&self, settings: TopicSettings) {
        let (answer, configured) = oneshot::channel();
        let command = Command::Configure { slot: self.slot, settings: Box::new(settings), answer };
        // A stopped owner needs no settings.
        if self.writer.send(command).await.is_ok() {
            let _ = configured.await;
        }
    }

    /// Answers whoever waits, and lets go of the log. What is on the disk stays.
    pub async fn delete(&self) {
        let (answer, deleted) = oneshot::channel();
        if self.writer.send(Command::Delete { slot: self.slot, answer }).await.is_ok() {
            let _ = deleted.await;
        }
    }

    /// Whoever works on its files without its owner asks before making much of what is missing.
    pub fn is_deleted(&self) -> bool {
        self.view.has_changed().is_err()
    }

    pub fn reader(&self) -> LogReader<RealDisk> {
        self.log.borrow().clone()
    }

    pub fn view(&self) -> View {
        *self.view.borrow()
    }

    pub fn settings(&self) -> TopicSettings {
        *self.settings.borrow()
    }

    /// Whole batches from the one that holds `offset` up to the high watermark, at most `max_bytes` but
    /// at least one batch where `at_least_one`.
    pub async fn read(
        &self,
        offset: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Bytes, ReadError> {
        let end = self.view().high_watermark;
        let reader = self.reader();
        blocking(move || reader.read(offset.0, end.0, max_bytes, at_least_one)).await
    }
}

/// Reads of files leave the async workers.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The answer of a partition whose owner is gone.
pub async fn answered(receiver: oneshot::Receiver<AppendResult>) -> AppendResult {
    receiver.await.unwrap_or(Err(AppendError::LogFailed))
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Partition({})", self.id)
    }
}

/// Every partition that this broker hosts.
#[derive(Debug, Clone, Default)]
pub struct Partitions {
    by_id: Arc<std::sync::RwLock<std::collections::BTreeMap<TopicPartition, Partition>>>,
}

impl Partitions {
    pub fn get(&self, id: &TopicPartition) -> Option<Partition> {
        self.by_id.read().expect("no holder of this lock panics").get(id).cloned()
    }

    pub fn insert(&self, partition: Partition) {
        self.by_id.write().expect("no holder of this lock panics").insert(partition.id.clone(), partition);
    }

    pub fn remove(&self, id: &TopicPartition) -> Option<Partition> {
        self.by_id.write().expect("no holder of this lock panics").remove(id)
    }

    /// In order of topic and index.
    pub fn all(&self) -> Vec<Partition> {
        self.by_id.read().expect("no holder of this lock panics").values().cloned().collect()
    }
}
