//! Consumer groups: a task per partition of `__consumer_offsets` owns its coordinator, reads the partition
//! at the start, and from then on writes every change before it answers.

use std::{sync::Arc, time::Instant};

use broker_logic::{
    cluster::{ClusterImage, Command, Layout},
    groups::{
        Action, Answer, Coordinator, GroupConfig, Input, OffsetsRecord, PersistError, PersistId, Request,
        group_partition,
    },
    ids::{Offset, TopicId, TopicPartition},
    replica::{Acks, AppendError},
};
use kafka_wire::record_batch::{self, BatchHeader, Compression, Producer, RecordsEncoder};
use tokio::{
    sync::{OnceCell, mpsc, oneshot, watch},
    time::sleep_until,
};
use tracing::{error, warn};
use uuid::Uuid;

use crate::{
    clock, config,
    controller::{Controller, ControllerError},
    partition::{Partition, Partitions, answered},
};

pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Kafka's `offsets.topic.num.partitions` is 50, for clusters of many brokers; each costs open files.
const OFFSETS_PARTITIONS: i32 = 10;

/// Requests waiting for one coordinator; connections wait while it is full.
const QUEUE: usize = 1024;

const PERSIST_TIMEOUT_MS: i64 = 5_000;

const LOAD_READ_BYTES: usize = 1 << 20;
const MAX_BATCH_BYTES: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum GroupsError {
    #[error("the topic {OFFSETS_TOPIC} could not be created: {0}")]
    NoOffsetsTopic(#[from] ControllerError),
    #[error("the coordinator has stopped")]
    Stopped,
}

/// The coordinators of this broker. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    config: GroupConfig,
    partitions: Partitions,
    image: watch::Receiver<Arc<ClusterImage>>,
    controller: Controller,
    /// Begun with the first group that is asked for.
    coordinators: Arc<OnceCell<Vec<mpsc::Sender<Question>>>>,
}

type Question = (Request, oneshot::Sender<Answer>);

pub fn start(
    config: &config::Groups,
    partitions: Partitions,
    image: watch::Receiver<Arc<ClusterImage>>,
    controller: Controller,
) -> Groups {
    let initial_rebalance_delay = config.initial_rebalance_delay.0;
    let config = GroupConfig { initial_rebalance_delay, ..GroupConfig::default() };
    Groups { config, partitions, image, controller, coordinators: Arc::default() }
}

impl Groups {
    /// Asks the coordinator of the request's group.
    pub async fn ask(&self, request: Request) -> Result<Answer, GroupsError> {
        let coordinators = self.coordinators.get_or_try_init(|| self.begin()).await?;
        let index = group_partition(request.group_id(), coordinators.len() as i32);
        let coordinator = coordinators.get(index as usize).ok_or(GroupsError::Stopped)?;
        let (answer, receiver) = oneshot::channel();
        coordinator.send((request, answer)).await.map_err(|_| GroupsError::Stopped)?;
        receiver.await.map_err(|_| GroupsError::Stopped)
    }

    async fn begin(&self) -> Result<Vec<mpsc::Sender<Question>>, GroupsError> {
        if self.image.borrow().topic(OFFSETS_TOPIC).is_none() {
            let command = Command::CreateTopic {
                name: OFFSETS_TOPIC.into(),
                topic_id: TopicId(Uuid::new_v4()),
                layout: Layout::Automatic { partitions: Some(OFFSETS_PARTITIONS), replication_factor: None },
                configs: vec![("cleanup.policy".into(), Some("compact".into()))],
            };
            self.controller.run(command).await?;
        }
        let count = self.image.borrow().topic(OFFSETS_TOPIC).map_or(0, |topic| topic.partition_count());
        let mut coordinators = Vec::new();
        for index in 0..count {
            let id = TopicPartition::new(OFFSETS_TOPIC, index as i32);
            let partition = self.partitions.get(&id).ok_or(GroupsError::Stopped)?;
            let (questions, queue) = mpsc::channel(QUEUE);
            tokio::spawn(run(self.config.clone(), partition, queue));
            coordinators.push(questions);
        }
        Ok(coordinators)
    }
}

async fn run(config: GroupConfig, partition: Partition, mut questions: mpsc::Receiver<Question>) {
    let mut coordinator = Coordinator::new(config, Instant::now(), clock::now_ms());
    if let Err(error) = load(&mut coordinator, &partition).await {
        error!(partition = %partition.id, "cannot read the groups' offsets: {error:#}");
        return;
    }
    let mut actions = Vec::new();
    coordinator.handle(Input::Loaded, Instant::now(), &mut actions);

    let (outcomes, mut persisted) = mpsc::channel(QUEUE);
    let mut waiting = std::collections::BTreeMap::new();
    let mut next_token = 0;
    loop {
        for action in actions.drain(..) {
            match action {
                Action::Answer { token, answer } => {
                    if let Some(receiver) = waiting.remove(&token) {
                        let _: Result<(), Answer> = oneshot::Sender::send(receiver, answer);
                    }
                }
                Action::Persist { persist, records } => {
                    persist_records(&partition, persist, &records, &outcomes).await;
                }
            }
        }
        let deadline = coordinator.deadline();
        let tick = async {
            match deadline {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let input = tokio::select! {
            question = questions.recv() => match question {
                Some((request, answer)) => {
                    next_token += 1;
                    waiting.insert(next_token, answer);
                    Input::Request { token: next_token, request }
                }
                None => return,
            },
            Some(outcome) = persisted.recv() => outcome,
            () = tick => Input::Tick { unix_ms: clock::now_ms() },
        };
        coordinator.handle(input, Instant::now(), &mut actions);
    }
}

async fn load(coordinator: &mut Coordinator, partition: &Partition) -> anyhow::Result<()> {
    let end = partition.view().high_watermark;
    let mut offset = partition.view().log_start;
    while offset < end {
        let bytes = partition.read(offset, LOAD_READ_BYTES, true).await?;
        for batch in record_batch::batches(&bytes) {
            let (header, range) = batch?;
            let records = record_batch::decode_records(bytes.slice(range), MAX_BATCH_BYTES);
            if let Err(error) = &records {
                error!(partition = %partition.id, offset = header.base_offset, %error, "skipped a damaged batch");
            }
            for record in records.unwrap_or_default() {
                // Any client may write to the topic; what is no offset concerns nobody.
                let key = record.key.unwrap_or_default();
                if let Err(error) = coordinator.replay(key, record.value, Instant::now()) {
                    warn!(partition = %partition.id, offset = record.offset, %error, "skipped a record");
                }
            }
            offset = Offset(header.next_offset());
        }
    }
    Ok(())
}

/// Submitted before it returns, so that records are appended in the order of their ids.
async fn persist_records(
    partition: &Partition,
    persist: PersistId,
    records: &[OffsetsRecord],
    outcomes: &mpsc::Sender<Input>,
) {
    let failed = move |error| Input::PersistFailed { persist, error };
    let batch = match encode(records) {
        Ok(batch) => batch,
        Err(error) => {
            error!(partition = %partition.id, "cannot encode offsets: {error:#}");
            let _ = outcomes.send(failed(PersistError::TooLarge)).await;
            return;
        }
    };
    let (header, batch) = batch;
    let deadline_ms = clock::now_ms() + PERSIST_TIMEOUT_MS;
    let answer = partition.submit(header, batch, Acks::All, deadline_ms).await;
    let outcomes = outcomes.clone();
    tokio::spawn(async move {
        let outcome = match answered(answer).await {
            Ok(_) => Input::Persisted { persist },
            Err(AppendError::NotEnoughReplicas | AppendError::TimedOut | AppendError::LogFailed) => {
                failed(PersistError::Unavailable)
            }
            Err(_) => failed(PersistError::NotLeader),
        };
        let _ = outcomes.send(outcome).await;
    });
}

fn encode(records: &[OffsetsRecord]) -> anyhow::Result<(BatchHeader, bytes::Bytes)> {
    let mut encoder = RecordsEncoder::new();
    for record in records {
        let (key, value) = record.encode();
        encoder.push(clock::now_ms(), Some(&key), value.as_deref(), &[]);
    }
    let batch = record_batch::assemble(&encoder.finish(Compression::None)?, Producer::NONE).freeze();
    Ok((BatchHeader::validate(&batch)?, batch))
}
