//! One broker from start to stop.

use std::sync::{Arc, Mutex, MutexGuard, atomic::AtomicI64};

use anyhow::{anyhow, bail};
use broker_logic::{
    cluster::{ClusterImage, Command, Configs, Endpoint, Layout, Limits, StaticConfigs, TopicSettings},
    fetch_session::FetchSessions,
    ids::{BrokerId, TopicId, TopicPartition},
};
use tokio::sync::watch;
use tracing::info;
use uuid::Uuid;

use crate::{
    admin, cleaner,
    config::{self, Config},
    controller::{self, Controller, ControllerError, Host, Metadata},
    data_folder, edge,
    groups::{self, Coordinators, Groups},
    kafka, logs_folder,
    metrics::Metrics,
    partition::{Partition, Partitions},
    producer_ids::ProducerIds,
    upkeep::UpkeepCounts,
    writer::Writers,
};

/// What every connection works with.
pub struct Shared {
    pub config: Config,
    pub cluster_id: String,
    pub me: BrokerId,
    pub image: watch::Receiver<Arc<ClusterImage>>,
    /// What the config says otherwise than the defaults, under Kafka's names.
    pub static_configs: Arc<StaticConfigs>,
    /// Of the planner, for what is only validated.
    pub limits: Limits,
    pub partitions: Partitions,
    pub controller: Controller,
    pub producer_ids: ProducerIds,
    pub groups: Groups,
    pub upkeep: Arc<UpkeepCounts>,
    fetch_sessions: Mutex<FetchSessions>,
    pub metrics: Arc<Metrics>,
    writers: Writers,
    pub connections: Arc<kafka::Connections>,
}

impl Shared {
    pub fn image(&self) -> Arc<ClusterImage> {
        self.image.borrow().clone()
    }

    /// What is in force for a topic.
    pub fn topic_settings(&self, topic: &str) -> Option<TopicSettings> {
        let image = self.image();
        let topic = image.topic(topic)?;
        Some(Configs::new(&image, self.me, &self.static_configs).topic_settings(topic))
    }

    /// Held for a look, never while something is waited for.
    pub fn fetch_sessions(&self) -> MutexGuard<'_, FetchSessions> {
        self.fetch_sessions.lock().expect("no holder of this lock panics")
    }

    pub fn topic_partitions(&self, topic: &str) -> Option<u32> {
        self.image.borrow().topic(topic).map(|topic| topic.partition_count() as u32)
    }

    pub fn partition(&self, topic: &str, partition: i32) -> Option<Partition> {
        self.partitions.get(&TopicPartition::new(topic, partition))
    }

    /// Once each log writer has taken a turn; `false` if one has ended.
    pub async fn writers_turn(&self) -> bool {
        self.writers.turn().await
    }

    /// As a client that names a topic wants it: there afterwards, whoever made it.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<(), ControllerError> {
        let layout = Layout::Automatic { partitions: Some(partitions), replication_factor: None };
        let command = Command::CreateTopic {
            name: name.to_owned(),
            topic_id: TopicId(Uuid::new_v4()),
            layout,
            configs: Vec::new(),
        };
        match self.controller.run(command).await {
            Ok(_) | Err(ControllerError::Plan(broker_logic::cluster::PlanError::TopicExists { .. })) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Serves until SIGINT or SIGTERM.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let data = config.data().to_path_buf();
    service::raise_file_limit();
    service::writable_folder(&data)?;
    let _lock = data_folder::lock(&data)?;
    let me = BrokerId(config.broker.node_id);

    // A port that is taken is found out before anything is written.
    let listeners = kafka::bind(&config).await?;
    let endpoints =
        listeners.iter().map(|it| endpoint(&it.name, &it.advertised)).collect::<Result<_, _>>()?;
    let edge = edge::bind(&config.edge)?;
    let admin = admin::start(config.admin.address).await?;

    let static_configs = Arc::new(config.kafka_names());
    let (upkeep, metrics) = (Arc::new(UpkeepCounts::default()), Arc::new(Metrics::default()));
    let writers = Writers::start(config.upkeep.retention_check.0, &upkeep, &metrics);
    let partitions = Partitions::default();
    let cleaner = cleaner::start(cleaner::Work {
        partitions: partitions.clone(),
        counts: upkeep.clone(),
        backoff: config.upkeep.cleaner_backoff.0,
        max_bytes_per_second: config.upkeep.cleaner_io_max.0,
    });
    let coordinators = Coordinators::default();
    let mut host = Host {
        me,
        logs: config.logs(),
        static_configs: static_configs.clone(),
        partitions: partitions.clone(),
        writers: writers.clone(),
        cleaner,
        coordinators: coordinators.clone(),
        upkeep: upkeep.clone(),
        highest_producer_id: Arc::new(AtomicI64::new(-1)),
        after_clean_stop: false,
    };
    let limits = Limits { default_partitions: config.topics.num_partitions, ..Limits::default() };
    let mut metadata = Metadata::open(&data.join("metadata"), limits.clone())?;
    host.after_clean_stop = metadata.after_clean_stop;
    let known = metadata.image.topics().map(|topic| topic.partition_count()).sum();
    logs_folder::check(&data.join("metadata"), &host.logs, metadata.image.cluster_id(), known)?;
    // Registered before its partitions are opened: each registration begins a new leader epoch.
    register(&mut metadata, me, endpoints)?;
    let cluster_id = metadata.image.cluster_id().unwrap_or_default().to_owned();
    logs_folder::mark(&host.logs, &cluster_id)?;
    let (controller, image) = controller::start(metadata, host).await?;

    let groups =
        groups::start(&config.groups, coordinators, partitions.clone(), image.clone(), controller.clone());
    let producer_ids = ProducerIds::new(me, controller.clone());
    let connections = Arc::new(kafka::Connections::new(&config));
    let shared = Arc::new(Shared {
        config,
        cluster_id,
        me,
        image,
        static_configs,
        limits,
        partitions,
        controller,
        producer_ids,
        groups,
        upkeep,
        fetch_sessions: Mutex::default(),
        metrics,
        writers: writers.clone(),
        connections,
    });

    edge.serve(shared.clone());
    let kafka_addresses: Vec<String> =
        listeners.iter().map(|listener| listener.address.to_string()).collect();
    let kafka = kafka::serve(listeners, &shared);
    admin.serving(&shared);
    let stop = service::stop_signal();
    service::serving(&format!(
        "core-broker: serving Kafka clients on {}, edge agents on {} (UDP), {}data in {}",
        kafka_addresses.join(", "),
        edge.address,
        admin.address.map(|address| format!("operators on http://{address}, ")).unwrap_or_default(),
        data.display()
    ));
    stop.await?;

    info!("stopping");
    admin.stopping();
    edge.close().await;
    // Whoever waits in a group would hold up its connection's end.
    let groups = shared.groups.clone();
    tokio::join!(kafka.stop(), groups.stop());
    shared.controller.stop().await;
    writers.stop().await;
    Ok(())
}

/// Registrations that damaged metadata may have lost: more starts than there are in a year of an hour each.
const MOST_MISSING: i32 = 10_000;

fn register(metadata: &mut Metadata, me: BrokerId, endpoints: Vec<Endpoint>) -> anyhow::Result<()> {
    if metadata.image.cluster_id().is_none() {
        let cluster_id = Uuid::new_v4().simple().to_string();
        info!(cluster_id, "a new cluster");
        metadata.execute(&Command::FormatCluster { cluster_id })?;
    } else if metadata.image.brokers().next().is_some() && metadata.image.broker(me).is_none() {
        let known: Vec<String> = metadata.image.brokers().map(|broker| broker.id.to_string()).collect();
        bail!(
            "this data folder belongs to node {}, not to node {me}: set node_id, or give another folder",
            known.join(", ")
        );
    }
    let incarnation = Uuid::new_v4();
    let missing = if metadata.is_accepted_damage { MOST_MISSING } else { 0 };
    metadata.execute(&Command::RegisterBroker { id: me, incarnation, endpoints, rack: None, missing })?;
    Ok(())
}

fn endpoint(listener: &str, advertised: &str) -> anyhow::Result<Endpoint> {
    let (host, port) = config::advertised(advertised)
        .map_err(|wrong| anyhow!("what clients of the listener {listener} are told: {wrong}"))?;
    Ok(Endpoint { listener: listener.into(), host: host.into(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_that_ended_half_way_is_gone_on_with_and_another_node_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let endpoints = || vec![endpoint("KAFKA", "localhost:9092").unwrap()];
        let mut metadata = Metadata::open(folder.path(), Limits::default()).unwrap();
        metadata.execute(&Command::FormatCluster { cluster_id: "c".into() }).unwrap();
        register(&mut metadata, BrokerId(1), endpoints()).unwrap();
        let refused = register(&mut metadata, BrokerId(2), endpoints()).unwrap_err();
        assert!(refused.to_string().contains("belongs to node 1, not to node 2"), "{refused}");
        register(&mut metadata, BrokerId(1), endpoints()).unwrap();
        assert_eq!(metadata.image.cluster_id(), Some("c"));
    }
}
