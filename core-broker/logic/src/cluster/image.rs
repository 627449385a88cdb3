//! The cluster's metadata in memory: the records of the metadata log, applied in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::record::{BrokerRecord, PartitionRecord, PartitionState, Record};
use crate::ids::{BrokerEpoch, BrokerId, PartitionIndex, ProducerId, TopicId};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterImage {
    cluster_id: Option<String>,
    brokers: BTreeMap<BrokerId, BrokerRecord>,
    last_broker_epoch: BrokerEpoch,
    topics: BTreeMap<TopicId, Topic>,
    topic_ids: BTreeMap<Arc<str>, TopicId>,
    partition_count: usize,
    next_producer_id: ProducerId,
    /// Set while running; `None` is for all brokers.
    broker_configs: BTreeMap<Option<BrokerId>, BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: Arc<str>,
    pub topic_id: TopicId,
    partitions: Vec<PartitionState>,
    configs: BTreeMap<String, String>,
}

/// A record that does not follow from those before it: the metadata log is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    #[error("the metadata log names topic {topic_id}, which it has not created")]
    UnknownTopic { topic_id: TopicId },
    #[error("the metadata log creates topic {name} twice")]
    TopicExists { name: String },
    #[error("the metadata log gives partition {partition} to {topic}, which has {partitions}")]
    PartitionOutOfOrder { topic: String, partition: PartitionIndex, partitions: usize },
    #[error("the metadata log gives away {count} producer ids from {first}, of which some are taken")]
    ProducerIdsTaken { first: ProducerId, count: i32 },
}

impl ClusterImage {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// In order of id.
    pub fn brokers(&self) -> impl Iterator<Item = &BrokerRecord> {
        self.brokers.values()
    }

    pub fn broker(&self, id: BrokerId) -> Option<&BrokerRecord> {
        self.brokers.get(&id)
    }

    /// Where clients send what only the controller may decide: the registered broker with the
    /// lowest id. Every broker passes such a request on, so any answer is a right one.
    pub fn controller(&self) -> Option<BrokerId> {
        self.brokers.keys().next().copied()
    }

    /// In order of name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topic_ids.values().filter_map(|topic_id| self.topics.get(topic_id))
    }

    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(self.topic_ids.get(name)?)
    }

    pub fn topic_by_id(&self, topic_id: TopicId) -> Option<&Topic> {
        self.topics.get(&topic_id)
    }

    pub fn partition(&self, topic: &str, partition: PartitionIndex) -> Option<&PartitionState> {
        self.topic(topic)?.partition(partition)
    }

    /// Of all topics together.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// What was set while running for one broker, or for all (`None`).
    pub fn broker_configs(&self, broker: Option<BrokerId>) -> impl Iterator<Item = (&str, &str)> {
        let configs = self.broker_configs.get(&broker).into_iter().flatten();
        configs.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn broker_config(&self, broker: Option<BrokerId>, key: &str) -> Option<&str> {
        self.broker_configs.get(&broker)?.get(key).map(String::as_str)
    }

    /// Brokers that have configs of their own, `None` if there are some for all.
    pub fn configured_brokers(&self) -> impl Iterator<Item = Option<BrokerId>> {
        self.broker_configs.keys().copied()
    }

    pub(super) fn last_broker_epoch(&self) -> BrokerEpoch {
        self.last_broker_epoch
    }

    /// The live path and recovery both come through here. A refused record changes nothing.
    pub fn apply(&mut self, record: &Record) -> Result<(), ApplyError> {
        match record {
            Record::Cluster { cluster_id } => self.cluster_id = Some(cluster_id.clone()),
            Record::Broker(broker) => {
                self.last_broker_epoch = self.last_broker_epoch.max(broker.epoch);
                self.brokers.insert(broker.id, broker.clone());
            }
            Record::Topic { name, topic_id } => self.apply_topic(name, *topic_id)?,
            Record::RemoveTopic { topic_id } => self.apply_remove_topic(*topic_id)?,
            Record::Partition(partition) => self.apply_partition(partition)?,
            Record::TopicConfig { topic_id, key, value } => {
                set(&mut self.topic_mut(*topic_id)?.configs, key, value.as_deref());
            }
            Record::BrokerConfig { broker, key, value } => {
                let configs = self.broker_configs.entry(*broker).or_default();
                set(configs, key, value.as_deref());
                self.broker_configs.retain(|_, configs| !configs.is_empty());
            }
            Record::ProducerIdBlock { first, count, .. } => self.apply_producer_ids(*first, *count)?,
        }
        Ok(())
    }

    /// What `records` make, seen alone but with the configs of these brokers: to describe a topic that is only
    /// planned, without a copy of the whole cluster.
    pub fn sketch(&self, records: &[Record]) -> Result<ClusterImage, ApplyError> {
        let mut sketch = Self { broker_configs: self.broker_configs.clone(), ..Self::default() };
        records.iter().try_for_each(|record| sketch.apply(record))?;
        Ok(sketch)
    }

    fn apply_topic(&mut self, name: &str, topic_id: TopicId) -> Result<(), ApplyError> {
        if self.topic_ids.contains_key(name) || self.topics.contains_key(&topic_id) {
            return Err(ApplyError::TopicExists { name: name.to_owned() });
        }
        let name: Arc<str> = name.into();
        self.topic_ids.insert(name.clone(), topic_id);
        let topic = Topic { name, topic_id, partitions: Vec::new(), configs: BTreeMap::new() };
        self.topics.insert(topic_id, topic);
        Ok(())
    }

    fn apply_remove_topic(&mut self, topic_id: TopicId) -> Result<(), ApplyError> {
        let topic = self.topics.remove(&topic_id).ok_or(ApplyError::UnknownTopic { topic_id })?;
        self.topic_ids.remove(&topic.name);
        self.partition_count -= topic.partitions.len();
        Ok(())
    }

    fn apply_partition(&mut self, record: &PartitionRecord) -> Result<(), ApplyError> {
        let topic = self.topic_mut(record.topic_id)?;
        let partitions = topic.partitions.len();
        // Partitions are created in order, so an index beyond the next one is a hole in the log.
        match usize::try_from(record.partition.0) {
            Ok(index) if index < partitions => topic.partitions[index] = record.state.clone(),
            Ok(index) if index == partitions => {
                topic.partitions.push(record.state.clone());
                self.partition_count += 1;
            }
            _ => {
                let topic = topic.name.to_string();
                return Err(ApplyError::PartitionOutOfOrder {
                    topic,
                    partition: record.partition,
                    partitions,
                });
            }
        }
        Ok(())
    }

    fn apply_producer_ids(&mut self, first: ProducerId, count: i32) -> Result<(), ApplyError> {
        let taken = ApplyError::ProducerIdsTaken { first, count };
        if first < self.next_producer_id || count < 0 {
            return Err(taken);
        }
        self.next_producer_id = ProducerId(first.0.checked_add(count.into()).ok_or(taken)?);
        Ok(())
    }

    fn topic_mut(&mut self, topic_id: TopicId) -> Result<&mut Topic, ApplyError> {
        self.topics.get_mut(&topic_id).ok_or(ApplyError::UnknownTopic { topic_id })
    }

    /// The records that rebuild this image from nothing.
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.cluster_id.iter().map(|id| Record::Cluster { cluster_id: id.clone() }));
        records.extend(self.brokers().cloned().map(Record::Broker));
        for topic in self.topics() {
            let topic_id = topic.topic_id;
            records.push(Record::Topic { name: topic.name.to_string(), topic_id });
            records.extend(topic.partitions().map(|(partition, state)| {
                Record::Partition(PartitionRecord { topic_id, partition, state: state.clone() })
            }));
            records.extend(topic.configs().map(|(key, value)| Record::TopicConfig {
                topic_id,
                key: key.to_owned(),
                value: Some(value.to_owned()),
            }));
        }
        for (broker, configs) in &self.broker_configs {
            records.extend(configs.iter().map(|(key, value)| Record::BrokerConfig {
                broker: *broker,
                key: key.clone(),
                value: Some(value.clone()),
            }));
        }
        if self.next_producer_id > ProducerId(0) {
            // An empty block moves the counter and belongs to nobody.
            let first = self.next_producer_id;
            records.push(Record::ProducerIdBlock { broker: BrokerId(-1), first, count: 0 });
        }
        records
    }
}

impl Topic {
    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// In order of index.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionIndex, &PartitionState)> {
        (0..).map(PartitionIndex).zip(&self.partitions)
    }

    pub fn partition(&self, partition: PartitionIndex) -> Option<&PartitionState> {
        self.partitions.get(usize::try_from(partition.0).ok()?)
    }

    /// The topic's own configs, without the defaults.
    pub fn configs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.configs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The topic's own value; what is in force otherwise, [`super::Configs`] says.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.configs.get(key).map(String::as_str)
    }
}

fn set(configs: &mut BTreeMap<String, String>, key: &str, value: Option<&str>) {
    match value {
        Some(value) => configs.insert(key.to_owned(), value.to_owned()),
        None => configs.remove(key),
    };
}
