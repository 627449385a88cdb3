//! Planning of configs: all changes to one resource are made, or none.

use std::collections::BTreeSet;

use super::command::{ConfigResource, PlanError};
use super::configs::{
    Configs, Operation, StaticConfigs, altered, broker_config, check_broker_changes, check_topic_changes,
    topic_config,
};
use super::image::ClusterImage;
use super::record::Record;
use crate::fields::fits;
use crate::ids::{BrokerId, TopicId};

/// New values by name; `None` returns a config to its default.
type Changes = Vec<(String, Option<String>)>;

impl ClusterImage {
    /// With `replace`, what is not named goes back to its default.
    pub(super) fn plan_configs(
        &self,
        resource: &ConfigResource,
        operations: &[(String, Operation)],
        replace: bool,
    ) -> Result<Vec<Record>, PlanError> {
        match resource {
            ConfigResource::Topic(name) => self.plan_topic_configs(name, operations, replace),
            ConfigResource::Broker(broker) => self.plan_broker_configs(*broker, operations, replace),
        }
    }

    /// Of a topic that is created.
    pub(super) fn plan_first_configs(
        &self,
        topic_id: TopicId,
        configs: &[(String, Option<String>)],
    ) -> Result<Vec<Record>, PlanError> {
        let nulls: Vec<&str> =
            configs.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str()).collect();
        if !nulls.is_empty() {
            return Err(PlanError::NullConfigs { keys: nulls.join(",") });
        }
        let canonical = |(key, value): &(String, Option<String>)| {
            let shown = |value: &String| {
                topic_config(key).map_or_else(|| value.clone(), |config| config.values.canonical(value))
            };
            (key.clone(), value.as_ref().map(shown))
        };
        let changes: Changes = configs.iter().map(canonical).collect();
        check_lengths(&changes)?;
        check_topic_changes(std::iter::empty(), &changes)?;
        Ok(topic_records(topic_id, changes))
    }

    fn plan_topic_configs(
        &self,
        name: &str,
        operations: &[(String, Operation)],
        replace: bool,
    ) -> Result<Vec<Record>, PlanError> {
        let topic = self.existing_topic(name)?;
        // A list is appended to what the image says; no list of topics can be set in a broker's file.
        let (nobody, statics) = (BrokerId(-1), StaticConfigs::default());
        let configs = Configs::new(self, nobody, &statics);
        let mut changes = if replace { unset_others(topic.configs(), operations) } else { Vec::new() };
        for (key, operation) in operations {
            let values = topic_config(key).map(|config| &config.values);
            let in_force = configs.topic(topic, key).and_then(|effective| effective.value);
            changes.push((key.clone(), altered(key, values, &in_force.unwrap_or_default(), operation)?));
        }
        check_lengths(&changes)?;
        check_topic_changes(topic.configs(), &changes)?;
        changes.retain(|(key, value)| topic.config(key) != value.as_deref());
        Ok(topic_records(topic.topic_id, changes))
    }

    fn plan_broker_configs(
        &self,
        broker: Option<BrokerId>,
        operations: &[(String, Operation)],
        replace: bool,
    ) -> Result<Vec<Record>, PlanError> {
        if let Some(unknown) = broker.filter(|broker| self.broker(*broker).is_none()) {
            return Err(PlanError::UnknownBroker { broker: unknown });
        }
        let own = self.broker_configs(broker);
        let mut changes = if replace { unset_others(own, operations) } else { Vec::new() };
        for (key, operation) in operations {
            let config = broker_config(key);
            let values = config.map(|config| &config.values);
            let own = self.broker_config(broker, key);
            let in_force = own.or(config.and_then(|config| config.default)).unwrap_or_default();
            let altered = altered(key, values, in_force, operation);
            changes.push((key.clone(), altered.map_err(PlanError::InvalidBrokerConfig)?));
        }
        check_lengths(&changes)?;
        check_broker_changes(&changes).map_err(PlanError::InvalidBrokerConfig)?;
        changes.retain(|(key, value)| self.broker_config(broker, key) != value.as_deref());
        let record = |(key, value)| Record::BrokerConfig { broker, key, value };
        Ok(changes.into_iter().map(record).collect())
    }
}

/// What has a value and is not named goes back to its default.
fn unset_others<'a>(
    own: impl Iterator<Item = (&'a str, &'a str)>,
    operations: &[(String, Operation)],
) -> Changes {
    let named: BTreeSet<&str> = operations.iter().map(|(key, _)| key.as_str()).collect();
    own.filter(|(key, _)| !named.contains(key)).map(|(key, _)| (key.to_owned(), None)).collect()
}

fn topic_records(topic_id: TopicId, changes: Changes) -> Vec<Record> {
    changes.into_iter().map(|(key, value)| Record::TopicConfig { topic_id, key, value }).collect()
}

fn check_lengths(changes: &Changes) -> Result<(), PlanError> {
    for (key, value) in changes {
        for (what, text) in
            [("a config's name", key.as_str()), ("a config's value", value.as_deref().unwrap_or(""))]
        {
            if !fits(text) {
                return Err(PlanError::TooLong { what, bytes: text.len() });
            }
        }
    }
    Ok(())
}
