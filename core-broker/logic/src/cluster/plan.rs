//! From a command to the records that carry it out, or to the reason why not. Nothing changes here:
//! the records are made durable first and applied then.

use uuid::Uuid;

use super::command::{Command, Layout, Limits, PlanError};
use super::image::{ClusterImage, Topic};
use super::placement::{check_assignments, new_partition, place};
use super::record::{BrokerRecord, Endpoint, PartitionRecord, PartitionState, Record};
use super::topic_name::{names_collide, validate_topic_name};
use crate::fields::fits;
use crate::ids::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicId};

/// Producer ids are handed to a broker in blocks of so many, as Kafka does.
pub const PRODUCER_ID_BLOCK: i32 = 1_000;

impl ClusterImage {
    /// The records of one command belong together: a log must keep all of them or none.
    pub fn plan(&self, command: &Command, limits: &Limits) -> Result<Vec<Record>, PlanError> {
        match command {
            Command::FormatCluster { cluster_id } => self.plan_format(cluster_id),
            Command::RegisterBroker { id, incarnation, endpoints, rack, missing } => {
                self.plan_register(*id, *incarnation, endpoints, rack.as_deref(), *missing)
            }
            Command::CreateTopic { name, topic_id, layout, configs } => {
                self.plan_create_topic(name, *topic_id, layout, configs, limits)
            }
            Command::DeleteTopic { topic_id } => {
                let topic_id = *topic_id;
                self.topic_by_id(topic_id).ok_or(PlanError::UnknownTopicId { topic_id })?;
                Ok(vec![Record::RemoveTopic { topic_id }])
            }
            Command::CreatePartitions { name, total, assignments } => {
                self.plan_create_partitions(name, *total, assignments.as_deref(), limits)
            }
            Command::AlterConfigs { resource, operations, replace } => {
                self.plan_configs(resource, operations, *replace)
            }
            Command::AllocateProducerIds { broker } => self.plan_producer_ids(*broker),
            Command::PassProducerIds { broker, last } => Ok(self.plan_pass_producer_ids(*broker, *last)),
        }
    }

    fn plan_format(&self, cluster_id: &str) -> Result<Vec<Record>, PlanError> {
        check_length("the cluster id", cluster_id)?;
        match self.cluster_id() {
            None => Ok(vec![Record::Cluster { cluster_id: cluster_id.to_owned() }]),
            Some(current) if current == cluster_id => Ok(Vec::new()),
            Some(current) => {
                Err(PlanError::OtherCluster { current: current.to_owned(), asked: cluster_id.to_owned() })
            }
        }
    }

    fn plan_register(
        &self,
        id: BrokerId,
        incarnation: Uuid,
        endpoints: &[Endpoint],
        rack: Option<&str>,
        missing: i32,
    ) -> Result<Vec<Record>, PlanError> {
        if endpoints.is_empty() {
            return Err(PlanError::NoEndpoint);
        }
        for endpoint in endpoints {
            check_length("a listener's name", &endpoint.listener)?;
            check_length("a listener's host", &endpoint.host)?;
        }
        check_length("the rack", rack.unwrap_or_default())?;
        if self.broker(id).is_some_and(|broker| broker.incarnation == incarnation) {
            return Ok(Vec::new()); // a registration that was sent twice
        }
        let broker = BrokerRecord {
            id,
            epoch: self.last_broker_epoch().next(),
            incarnation,
            endpoints: endpoints.to_vec(),
            rack: rack.map(str::to_owned),
        };
        let mut records = vec![Record::Broker(broker)];
        records.extend(self.lead_again(id, missing));
        Ok(records)
    }

    /// A process that restarts leads under a fresh epoch. What it lost with an unsynced tail and then
    /// writes anew would otherwise carry the old epoch, and nobody could tell the two apart (KIP-320).
    fn lead_again(&self, broker: BrokerId, missing: i32) -> impl Iterator<Item = Record> {
        self.topics()
            .flat_map(|topic| topic.partitions().map(|(index, state)| (topic.topic_id, index, state)))
            .filter(move |(_, _, state)| state.leader == Some(broker))
            .map(move |(topic_id, partition, state)| {
                let leader_epoch = LeaderEpoch(state.leader_epoch.0.saturating_add(missing.max(0)));
                let state = PartitionState {
                    leader_epoch: leader_epoch.next(),
                    partition_epoch: state.partition_epoch.next(),
                    ..state.clone()
                };
                Record::Partition(PartitionRecord { topic_id, partition, state })
            })
    }

    fn plan_create_topic(
        &self,
        name: &str,
        topic_id: TopicId,
        layout: &Layout,
        configs: &[(String, Option<String>)],
        limits: &Limits,
    ) -> Result<Vec<Record>, PlanError> {
        validate_topic_name(name)?;
        if self.topic(name).is_some() {
            return Err(PlanError::TopicExists { name: name.to_owned() });
        }
        if let Some(existing) = self.topics().find(|topic| names_collide(&topic.name, name)) {
            let existing = existing.name.to_string();
            return Err(PlanError::TopicNameCollides { name: name.to_owned(), existing });
        }
        if topic_id == TopicId::ZERO || self.topic_by_id(topic_id).is_some() {
            return Err(PlanError::TopicIdInUse { topic_id });
        }
        let assignments = self.lay_out(layout, limits)?;
        let mut records = vec![Record::Topic { name: name.to_owned(), topic_id }];
        records.extend(new_partitions(topic_id, 0, assignments));
        records.extend(self.plan_first_configs(topic_id, configs)?);
        Ok(records)
    }

    fn lay_out(&self, layout: &Layout, limits: &Limits) -> Result<Vec<Vec<BrokerId>>, PlanError> {
        match layout {
            Layout::Automatic { partitions, replication_factor } => {
                let partitions = partitions.unwrap_or(limits.default_partitions);
                let factor = replication_factor.unwrap_or(limits.default_replication_factor);
                place(self, 0, self.check_partitions(0, partitions.into(), limits)?, factor)
            }
            Layout::Manual(assignments) => {
                self.check_partitions(0, assignments.len() as i64, limits)?;
                check_assignments(self, assignments, None)?;
                Ok(assignments.clone())
            }
        }
    }

    fn plan_create_partitions(
        &self,
        name: &str,
        total: i32,
        assignments: Option<&[Vec<BrokerId>]>,
        limits: &Limits,
    ) -> Result<Vec<Record>, PlanError> {
        let topic = self.existing_topic(name)?;
        let current = topic.partition_count();
        if i64::from(total) == current as i64 {
            return Err(PlanError::SamePartitions { current });
        }
        if i64::from(total) < current as i64 {
            return Err(PlanError::NotAnIncrease { name: name.to_owned(), current, asked: total.into() });
        }
        let total = self.check_partitions(current, total.into(), limits)?;
        let factor = topic.partition(PartitionIndex(0)).map_or(1, |state| state.replicas.len());
        let added = match assignments {
            None => place(self, current, total, factor as i16)?,
            Some(assignments) => {
                let added = total - current;
                if assignments.len() != added {
                    let reason = format!(
                        "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                        assignments.len()
                    );
                    return Err(PlanError::InvalidAssignment { reason });
                }
                check_assignments(self, assignments, Some(factor))?;
                assignments.to_vec()
            }
        };
        Ok(new_partitions(topic.topic_id, current, added).collect())
    }

    /// May the topic that has `current` partitions have `asked` of them?
    fn check_partitions(&self, current: usize, asked: i64, limits: &Limits) -> Result<usize, PlanError> {
        let total = usize::try_from(asked).map_err(|_| PlanError::InvalidPartitions)?;
        if total == 0 {
            return Err(PlanError::InvalidPartitions);
        }
        let max = limits.max_partitions_per_topic;
        if total > max {
            return Err(PlanError::TooManyPartitionsInTopic { asked, max });
        }
        let in_cluster = self.partition_count() + total.saturating_sub(current);
        if in_cluster > limits.max_partitions {
            let max = limits.max_partitions;
            return Err(PlanError::TooManyPartitionsInCluster { asked: in_cluster, max });
        }
        Ok(total)
    }

    fn plan_producer_ids(&self, broker: BrokerId) -> Result<Vec<Record>, PlanError> {
        if self.broker(broker).is_none() {
            return Err(PlanError::UnknownBroker { broker });
        }
        let first = self.next_producer_id();
        if first > ProducerId(i64::MAX - i64::from(PRODUCER_ID_BLOCK)) {
            return Err(PlanError::ProducerIdsExhausted);
        }
        Ok(vec![Record::ProducerIdBlock { broker, first, count: PRODUCER_ID_BLOCK }])
    }

    /// Ids that are very far ahead are nobody's but a client's own invention: they are left alone.
    fn plan_pass_producer_ids(&self, broker: BrokerId, last: ProducerId) -> Vec<Record> {
        let first = self.next_producer_id();
        let ahead = last.0.checked_sub(first.0).and_then(|ahead| i32::try_from(ahead).ok());
        match ahead.and_then(|ahead| ahead.checked_add(1)) {
            Some(count) if count > 0 => vec![Record::ProducerIdBlock { broker, first, count }],
            _ => Vec::new(),
        }
    }

    pub(super) fn existing_topic(&self, name: &str) -> Result<&Topic, PlanError> {
        self.topic(name).ok_or_else(|| PlanError::UnknownTopic { name: name.to_owned() })
    }
}

fn new_partitions(
    topic_id: TopicId,
    from: usize,
    assignments: Vec<Vec<BrokerId>>,
) -> impl Iterator<Item = Record> {
    (from as i32..).zip(assignments).map(move |(index, replicas)| {
        let (partition, state) = (PartitionIndex(index), new_partition(replicas));
        Record::Partition(PartitionRecord { topic_id, partition, state })
    })
}

fn check_length(what: &'static str, text: &str) -> Result<(), PlanError> {
    if fits(text) { Ok(()) } else { Err(PlanError::TooLong { what, bytes: text.len() }) }
}
