//! The owner of the cluster's image: plans commands, makes their records durable, applies them, hosts
//! what they say, and only then shows the new image.

mod host;
mod metadata;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::Context;
use broker_logic::{
    cluster::{ClusterImage, Command, PlanError, Record},
    ids::{ProducerId, TopicId},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tracing::{error, info, warn};

use crate::thread;
pub use host::Host;
pub use metadata::Metadata;

/// Commands waiting; callers wait while it is full.
const QUEUE: usize = 64;

/// What the disk would not do is tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the metadata log failed: {0}")]
    Log(String),
    #[error("the broker is stopping")]
    Stopping,
}

enum Asked {
    Run(Command, oneshot::Sender<Result<Vec<Record>, ControllerError>>),
    Turn(oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
}

/// Asks the controller. Cheap to clone.
#[derive(Clone)]
pub struct Controller {
    queue: mpsc::Sender<Asked>,
}

impl Controller {
    /// The records that the command became: durable, applied, and hosted as far as the disk lets us. What is
    /// durable is so for good, whatever becomes of a partition's folder: that is told in the log, tried again,
    /// and meanwhile the partition answers that it has no storage.
    pub async fn run(&self, command: Command) -> Result<Vec<Record>, ControllerError> {
        let (answer, result) = oneshot::channel();
        self.queue.send(Asked::Run(command, answer)).await.map_err(|_| ControllerError::Stopping)?;
        result.await.map_err(|_| ControllerError::Stopping)?
    }

    /// Once the controller takes a turn; `false` if it has ended.
    pub async fn turns(&self) -> bool {
        let (answer, result) = oneshot::channel();
        self.queue.send(Asked::Turn(answer)).await.is_ok() && result.await.is_ok()
    }

    /// Once the metadata log is closed: only a log that was closed can tell at its next opening that its end is
    /// gone.
    pub async fn stop(&self) {
        let (answer, closed) = oneshot::channel();
        // One that has ended has closed it.
        let _ = self.queue.send(Asked::Stop(answer)).await;
        let _ = closed.await;
    }
}

struct Loop {
    metadata: Metadata,
    host: Host,
    published: watch::Sender<Arc<ClusterImage>>,
    /// When to try again: a log or a folder waits for a disk that is full, or for somebody who mends it.
    try_again_at: Option<Instant>,
}

/// Hosts every partition that the metadata give to this broker, then takes commands.
pub async fn start(
    mut metadata: Metadata,
    host: Host,
) -> anyhow::Result<(Controller, watch::Receiver<Arc<ClusterImage>>)> {
    let is_done = host.catch_up(&metadata.image, &metadata.removed).await;
    // Metadata that were damaged, or restored from a copy, may not know of ids that they gave out: a producer that
    // got one again would have its records taken for another's.
    let last = ProducerId(host.highest_producer_id.load(Relaxed));
    if !metadata.execute(&Command::PassProducerIds { broker: host.me, last })?.is_empty() {
        warn!(
            last = last.0,
            "logs know of producer ids that the metadata have not given out: they are passed over"
        );
    }
    let try_again_at = (!is_done).then(|| Instant::now() + TRY_AGAIN);
    let (published, receiver) = watch::channel(Arc::new(metadata.image.clone()));
    let (queue, asked) = mpsc::channel(QUEUE);
    let controller = Loop { metadata, host, published, try_again_at };
    thread::start("controller", move || controller.run(asked)).context("cannot start a thread")?;
    Ok((Controller { queue }, receiver))
}

impl Loop {
    /// Runs on its own thread: the metadata log is written and synced here.
    async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        let mut stopped = None;
        loop {
            let next = match self.try_again_at {
                None => Ok(asked.recv().await),
                Some(at) => tokio::time::timeout_at(at, asked.recv()).await,
            };
            match next {
                Ok(Some(Asked::Run(command, answer))) => {
                    let result = self.execute(&command).await;
                    let _ = answer.send(result);
                    self.shorten();
                }
                Ok(Some(Asked::Turn(answer))) => {
                    let _ = answer.send(());
                }
                Ok(Some(Asked::Stop(answer))) => {
                    stopped = Some(answer);
                    break;
                }
                Ok(None) => break,
                Err(_) => {
                    self.try_again_at = None;
                    let Metadata { image, removed, .. } = &self.metadata;
                    let is_done = self.host.catch_up(image, removed).await;
                    self.remember(is_done);
                    // Whoever waits for a partition looks again.
                    self.published.send_modify(|_| {});
                }
            }
        }
        if let Err(error) = self.metadata.close() {
            error!(%error, "could not close the metadata log");
        }
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }

    async fn execute(&mut self, command: &Command) -> Result<Vec<Record>, ControllerError> {
        let records = self.metadata.execute(command)?;
        let hosted = self.host(&records).await;
        // The records are durable: they are shown even where the disk would not follow.
        let before = self.published.send_replace(Arc::new(self.metadata.image.clone()));
        // After it is shown: whoever waits for a topic and is woken finds that it is gone. And before the next
        // command, which may make another topic of its name.
        let let_go = self.let_go(&before, &records).await;
        self.remember(hosted && let_go);
        Ok(records)
    }

    /// Topics that were deleted are forgotten with it, so none of their folders may be left.
    fn shorten(&mut self) {
        if self.try_again_at.is_none()
            && let Err(error) = self.metadata.shorten()
        {
            warn!("the metadata log stays as long as it is: {error:#}");
        }
    }

    /// That something is to be tried again.
    fn remember(&mut self, is_done: bool) {
        if !is_done {
            self.try_again_at.get_or_insert_with(|| Instant::now() + TRY_AGAIN);
        }
    }

    async fn host(&self, records: &[Record]) -> bool {
        let image = &self.metadata.image;
        let partitions = records.iter().filter_map(|record| match record {
            Record::Partition(partition) => Some(partition.clone()),
            _ => None,
        });
        let all_open = self.host.open(image, partitions).await;
        for record in records {
            if let Record::Topic { name, .. } = record {
                info!(topic = name, "topic created");
            }
        }
        let configured: BTreeSet<TopicId> = records.iter().filter_map(configured_topic).collect();
        if records.iter().any(|record| matches!(record, Record::BrokerConfig { .. })) {
            self.host.configure(image, None).await;
        } else if !configured.is_empty() {
            self.host.configure(image, Some(&configured)).await;
        }
        all_open
    }

    async fn let_go(&self, before: &ClusterImage, records: &[Record]) -> bool {
        let mut all = true;
        let removed = records.iter().filter_map(removed_topic);
        for topic in removed.filter_map(|topic_id| before.topic_by_id(topic_id)) {
            all &= self.host.delete(topic).await;
        }
        all
    }
}

fn configured_topic(record: &Record) -> Option<TopicId> {
    match record {
        Record::TopicConfig { topic_id, .. } => Some(*topic_id),
        _ => None,
    }
}

fn removed_topic(record: &Record) -> Option<TopicId> {
    match record {
        Record::RemoveTopic { topic_id } => Some(*topic_id),
        _ => None,
    }
}
