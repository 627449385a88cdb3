//! The owner of the cluster's image: plans commands, makes their records durable, applies them, hosts
//! what they say, and only then shows the new image.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail};
use broker_logic::{
    cluster::{ClusterImage, Command, Configs, Limits, PartitionRecord, PlanError, Record, StaticConfigs},
    ids::{BrokerId, TopicPartition},
};
use commit_log::{Log, LogConfig, RealDisk};
use kafka_wire::record_batch::{self, Compression, Producer, RecordsEncoder};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info};

use crate::{clock, hosted::OpenPartition, partition::Partitions, writer};

/// Commands waiting; callers wait while it is full.
const QUEUE: usize = 64;

/// The metadata log is no topic that a client could name.
const METADATA_TOPIC_ID: [u8; 16] = [0; 16];

const METADATA_READ_BYTES: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the metadata log failed: {0}")]
    Log(String),
    #[error("the broker is stopping")]
    Stopping,
}

type Answer = oneshot::Sender<Result<Vec<Record>, ControllerError>>;

/// Asks the controller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Controller {
    queue: mpsc::Sender<(Command, Answer)>,
}

impl Controller {
    /// The records that the command became: applied, durable, hosted.
    pub async fn run(&self, command: Command) -> Result<Vec<Record>, ControllerError> {
        let (answer, result) = oneshot::channel();
        self.queue.send((command, answer)).await.map_err(|_| ControllerError::Stopping)?;
        result.await.map_err(|_| ControllerError::Stopping)?
    }
}

/// What the controller needs to turn records into hosted partitions.
pub struct Host {
    pub me: BrokerId,
    pub logs: std::path::PathBuf,
    pub static_configs: Arc<StaticConfigs>,
    pub partitions: Partitions,
    pub writer: mpsc::Sender<writer::Command>,
}

struct Loop {
    metadata: Metadata,
    host: Host,
    published: watch::Sender<Arc<ClusterImage>>,
}

/// The metadata as the log has it, before anybody is served.
pub struct Metadata {
    log: Log<RealDisk>,
    pub image: ClusterImage,
    limits: Limits,
}

/// Hosts every partition that the metadata give to this broker, then takes commands.
pub async fn start(
    metadata: Metadata,
    host: Host,
) -> anyhow::Result<(Controller, watch::Receiver<Arc<ClusterImage>>)> {
    for topic in metadata.image.topics() {
        for (partition, state) in topic.partitions() {
            let record = PartitionRecord { topic_id: topic.topic_id, partition, state: state.clone() };
            host.open(&metadata.image, &record).await?;
        }
    }
    let (published, receiver) = watch::channel(Arc::new(metadata.image.clone()));
    let (queue, commands) = mpsc::channel(QUEUE);
    let controller = Loop { metadata, host, published };
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("controller".into())
        .spawn(move || runtime.block_on(controller.run(commands)))
        .context("cannot start a thread")?;
    Ok((Controller { queue }, receiver))
}

impl Metadata {
    /// Reads the metadata log.
    pub fn open(folder: &Path, limits: Limits) -> anyhow::Result<Self> {
        let (log, image) =
            load(folder).with_context(|| format!("the metadata log in {}", folder.display()))?;
        Ok(Self { log, image, limits })
    }

    /// Plans, makes durable, applies.
    pub fn execute(&mut self, command: &Command) -> Result<Vec<Record>, ControllerError> {
        let records = self.image.plan(command, &self.limits)?;
        if records.is_empty() {
            return Ok(records);
        }
        self.write(&records).map_err(|error| ControllerError::Log(format!("{error:#}")))?;
        for record in &records {
            self.image.apply(record).map_err(|error| ControllerError::Log(error.to_string()))?;
        }
        Ok(records)
    }

    /// One batch: all of a command's records or none survive a crash.
    fn write(&mut self, records: &[Record]) -> anyhow::Result<()> {
        let mut encoder = RecordsEncoder::new();
        for record in records {
            encoder.push(clock::now_ms(), None, Some(&record.encode()), &[]);
        }
        let mut batch = record_batch::assemble(&encoder.finish(Compression::None)?, Producer::NONE);
        record_batch::set_base_offset_and_epoch(&mut batch, self.log.log_end(), 0);
        self.log.append(&batch)?;
        self.log.sync()?;
        Ok(())
    }
}

fn load(folder: &Path) -> anyhow::Result<(Log<RealDisk>, ClusterImage)> {
    let (log, recovered) = Log::open(RealDisk, folder, LogConfig::new(METADATA_TOPIC_ID))?;
    if let Some(damage) = recovered.corruption {
        bail!(
            "{} is damaged at byte {} ({}): restore the folder from a copy",
            damage.file,
            damage.position,
            damage.reason
        );
    }
    let reader = log.reader();
    let mut image = ClusterImage::new();
    let mut offset = recovered.log_start;
    while offset < recovered.log_end {
        let bytes = reader.read(offset, recovered.log_end, METADATA_READ_BYTES, true)?;
        for batch in record_batch::batches(&bytes) {
            let (header, range) = batch?;
            for record in record_batch::decode_records(bytes.slice(range), METADATA_READ_BYTES)? {
                let value = record.value.context("a metadata record without a value")?;
                image.apply(&Record::decode(value)?)?;
            }
            offset = header.next_offset();
        }
    }
    Ok((log, image))
}

impl Loop {
    /// Runs on its own thread: the metadata log is written and synced here.
    async fn run(mut self, mut commands: mpsc::Receiver<(Command, Answer)>) {
        while let Some((command, answer)) = commands.recv().await {
            let result = self.execute(&command).await;
            let _ = answer.send(result);
        }
        if let Err(error) = self.metadata.log.close() {
            error!(%error, "could not close the metadata log");
        }
    }

    async fn execute(&mut self, command: &Command) -> Result<Vec<Record>, ControllerError> {
        let records = self.metadata.execute(command)?;
        for record in &records {
            if let Record::Partition(partition) = record {
                let opened = self.host.open(&self.metadata.image, partition).await;
                opened.map_err(|error| ControllerError::Log(format!("{error:#}")))?;
            }
            if let Record::Topic { name, .. } = record {
                info!(topic = name, "topic created");
            }
        }
        self.published.send_replace(Arc::new(self.metadata.image.clone()));
        Ok(records)
    }
}

impl Host {
    async fn open(&self, image: &ClusterImage, record: &PartitionRecord) -> anyhow::Result<()> {
        let state = &record.state;
        if state.leader != Some(self.me) {
            return Ok(());
        }
        let topic = image.topic_by_id(record.topic_id).context("a partition without a topic")?;
        let id = TopicPartition { topic: topic.name.clone(), partition: record.partition };
        if self.partitions.get(&id).is_some() {
            return Ok(());
        }
        let settings = Configs::new(image, self.me, &self.static_configs).topic_settings(topic);
        let open = OpenPartition {
            topic_id: topic.topic_id,
            folder: self.logs.join(id.to_string()),
            segment_bytes: settings.segment_bytes,
            leader_epoch: state.leader_epoch,
            in_sync: state.isr.clone(),
            min_in_sync: settings.min_insync_replicas,
            id: id.clone(),
        };
        let (answer, opened) = oneshot::channel();
        self.writer
            .send(writer::Command::Open { open, answer })
            .await
            .map_err(|_| anyhow::anyhow!("the log writer has stopped"))?;
        let partition = opened.await.context("the log writer has stopped")?;
        self.partitions.insert(partition.with_context(|| format!("cannot open the log of {id}"))?);
        Ok(())
    }
}
