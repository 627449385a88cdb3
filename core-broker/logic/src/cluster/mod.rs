//! The cluster's metadata: brokers, topics, partitions, configs, producer ids.
//!
//! A [`Command`] is planned against the [`ClusterImage`] and becomes [`Record`]s; the records are made
//! durable (a log today, a Raft log in a cluster), and only then applied. Recovery applies the same
//! records, so the image after a crash is the image before it.

mod command;
mod configs;
mod elections;
mod image;
mod page;
mod placement;
mod plan;
mod plan_configs;
mod record;
mod record_codec;
mod snapshot;
mod topic_name;

pub use command::{Command, ConfigResource, Layout, Limits, PlanError};
pub use configs::{
    BROKER_CONFIGS, BrokerConfig, CleanupPolicy, ConfigError, Configs, Effective, Operation, Source,
    StaticConfigs, Synonym, TOPIC_CONFIGS, TimestampType, TopicConfig, TopicSettings, Update, Values,
    broker_config, topic_config, validate_topic_config,
};
pub use elections::{Election, ElectionError, ReassignmentError};
pub use image::{ApplyError, ClusterImage, Topic};
pub use page::{Page, PagedTopic, Position};
pub use plan::PRODUCER_ID_BLOCK;
pub use record::{BrokerRecord, Endpoint, PartitionRecord, PartitionState, Record};
pub use record_codec::RecordError;
pub use snapshot::ImageError;
pub use topic_name::{TopicNameError, is_internal_topic, names_collide, validate_topic_name};
