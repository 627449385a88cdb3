//! Configs of topics and brokers, in Kafka's words: which there are, what they accept, and where a value
//! comes from.

mod alter;
mod broker_configs;
mod check;
mod resolve;
mod topic_configs;
mod topic_settings;
mod values;

pub use alter::{Operation, altered};
pub use broker_configs::{BROKER_CONFIGS, BrokerConfig, Update, broker_config};
pub use check::{check_broker_changes, check_topic_changes};
pub use resolve::{Configs, Effective, Source, StaticConfigs, Synonym};
pub use topic_configs::{TOPIC_CONFIGS, TopicConfig, topic_config, validate_topic_config};
pub use topic_settings::{CleanupPolicy, TimestampType, TopicSettings};
pub use values::{ConfigError, Values};
