//! Kafka clients: one file per API, under one name each.

mod alter_configs;
mod alter_partition_reassignments;
mod answers;
mod api_versions;
mod authorized_operations;
mod config_resource;
mod connection;
mod connections;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod dispatch;
mod elect_leaders;
mod errors;
mod fetch;
mod groups;
mod incremental_alter_configs;
mod init_producer_id;
mod list_config_resources;
mod list_offsets;
mod list_partition_reassignments;
mod listener;
mod memory;
mod metadata;
mod offset_for_leader_epoch;
mod produce;
mod repeated;
mod send;

pub use connections::Connections;
pub use listener::{bind, serve};
