//! Where a value comes from. A topic's own value counts first, then what was set while running for this
//! broker, then for all brokers, then what the broker's file says, then the default.

use std::{borrow::Cow, collections::BTreeMap};

use kafka_wire::configs::source;

use super::broker_configs::{BrokerConfig, broker_config};
use super::topic_configs::{BrokerKey, Otherwise, TopicConfig, topic_config};
use super::topic_settings::TopicSettings;
use crate::cluster::image::{ClusterImage, Topic};
use crate::ids::BrokerId;

/// What a broker's config file and flags say otherwise than the defaults, under Kafka's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaticConfigs {
    values: BTreeMap<&'static str, String>,
}

/// All that the configs of a broker, and of the topics on it, may come from.
#[derive(Debug, Clone, Copy)]
pub struct Configs<'a> {
    image: &'a ClusterImage,
    broker: BrokerId,
    statics: &'a StaticConfigs,
}

/// Where a value was found, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Topic,
    /// Set while running, for one broker.
    Broker,
    /// Set while running, for all brokers.
    AllBrokers,
    /// In the broker's file.
    Static,
    Default,
}

/// One of the places that have a value for a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym<'a> {
    pub key: &'static str,
    pub value: Cow<'a, str>,
    pub source: Source,
}

/// A config as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective<'a> {
    /// `None`: it has no value.
    pub value: Option<Cow<'a, str>>,
    pub source: Source,
    /// What the value was looked for in, the strongest first.
    pub synonyms: Vec<Synonym<'a>>,
}

impl StaticConfigs {
    /// Values in force at start. Names that are no configs and values that are the default are left out.
    pub fn new(in_force: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let known = in_force.into_iter().filter(|(key, value)| {
            broker_config(key).is_some_and(|config| config.default != Some(value.as_str()))
        });
        Self { values: known.collect() }
    }
}

impl Source {
    /// As `kafka_wire::configs::source` has it.
    pub fn code(self) -> i8 {
        match self {
            Source::Topic => source::DYNAMIC_TOPIC,
            Source::Broker => source::DYNAMIC_BROKER,
            Source::AllBrokers => source::DYNAMIC_DEFAULT_BROKER,
            Source::Static => source::STATIC_BROKER,
            Source::Default => source::DEFAULT,
        }
    }
}

impl<'a> Configs<'a> {
    /// As `broker` has them.
    pub fn new(image: &'a ClusterImage, broker: BrokerId, statics: &'a StaticConfigs) -> Self {
        Self { image, broker, statics }
    }

    pub fn topic_settings(&self, topic: &Topic) -> TopicSettings {
        TopicSettings::read(|config| self.topic_value(topic, config))
    }

    /// The value in force for a topic; `None` for a name that is no config.
    pub fn topic(&self, topic: &'a Topic, key: &str) -> Option<Effective<'a>> {
        topic_config(key).map(|config| self.topic_effective(topic, config))
    }

    pub fn topic_effective(&self, topic: &'a Topic, config: &TopicConfig) -> Effective<'a> {
        let own = own_value(topic, config).map(|value| Synonym {
            key: config.key,
            value: Cow::Borrowed(value),
            source: Source::Topic,
        });
        let mut synonyms: Vec<Synonym> = own.into_iter().collect();
        if let Otherwise::Broker(keys) = config.otherwise {
            synonyms.extend(named_like_the_first(self.found(keys).into_iter(), keys));
        }
        Effective {
            value: Some(self.topic_value(topic, config)),
            source: synonyms.first().map_or(Source::Default, |first| first.source),
            synonyms,
        }
    }

    /// The value in force for this broker; `None` for a name that is no config.
    pub fn broker(&self, key: &str) -> Option<Effective<'a>> {
        broker_config(key).map(|config| self.broker_effective(config))
    }

    pub fn broker_effective(&self, config: &'static BrokerConfig) -> Effective<'a> {
        let alone = [BrokerKey { key: config.key, factor: 1 }];
        let value = places(&alone).find_map(|place| self.at(place)).map(|found| found.value);
        let keys = broker_synonyms(config.key).unwrap_or(&alone);
        // Under the name itself first: a weaker name's value is no value of this one.
        let synonyms: Vec<Synonym> =
            self.found(keys).into_iter().skip_while(|found| found.key != config.key).collect();
        let source = synonyms.first().map_or(Source::Default, |first| first.source);
        Effective { value, source, synonyms }
    }

    fn topic_value(&self, topic: &'a Topic, config: &TopicConfig) -> Cow<'a, str> {
        if let Some(own) = own_value(topic, config) {
            return Cow::Borrowed(own);
        }
        match config.otherwise {
            Otherwise::Value(value) => Cow::Borrowed(value),
            Otherwise::Broker(keys) => {
                let strongest = places(keys).find_map(|place| self.at(place));
                strongest.map_or(Cow::Borrowed(""), |found| in_units_of_topic(found, keys))
            }
        }
    }

    /// What there is under these names, the strongest first.
    fn found(&self, keys: &[BrokerKey]) -> Vec<Synonym<'a>> {
        places(keys).filter_map(|place| self.at(place)).collect()
    }

    fn at(&self, (source, config): (Source, &'static BrokerConfig)) -> Option<Synonym<'a>> {
        let value = match source {
            Source::Broker => self.image.broker_config(Some(self.broker), config.key),
            Source::AllBrokers => self.image.broker_config(None, config.key),
            Source::Static => self.statics.values.get(config.key).map(String::as_str),
            Source::Topic | Source::Default => config.default,
        };
        // What an older version stored and this one would refuse counts as not set.
        let value = Cow::Borrowed(value.filter(|value| config.values.accept(value))?);
        Some(Synonym { key: config.key, value, source })
    }
}

/// Where values of these names may be, the strongest place first.
fn places(keys: &[BrokerKey]) -> impl Iterator<Item = (Source, &'static BrokerConfig)> {
    let sources = [Source::Broker, Source::AllBrokers, Source::Static, Source::Default];
    sources.into_iter().flat_map(|source| {
        let configs = keys.iter().filter_map(|broker| broker_config(broker.key));
        configs.map(move |config| (source, config))
    })
}

fn own_value<'a>(topic: &'a Topic, config: &TopicConfig) -> Option<&'a str> {
    topic.config(config.key).filter(|value| config.values.accept(value))
}

/// Kafka names only what is set under the config's first name, or after it.
fn named_like_the_first<'a>(
    found: impl Iterator<Item = Synonym<'a>>,
    keys: &[BrokerKey],
) -> impl Iterator<Item = Synonym<'a>> {
    let first = keys.first().map(|broker| broker.key);
    found.skip_while(move |synonym| Some(synonym.key) != first)
}

/// The names under which a config of a broker is looked for, if there are several.
fn broker_synonyms(key: &str) -> Option<&'static [BrokerKey]> {
    super::topic_configs::TOPIC_CONFIGS.iter().find_map(|config| match config.otherwise {
        Otherwise::Broker(keys) if keys.iter().any(|broker| broker.key == key) => Some(keys),
        _ => None,
    })
}

fn in_units_of_topic<'a>(found: Synonym<'a>, keys: &[BrokerKey]) -> Cow<'a, str> {
    let factor = keys.iter().find(|broker| broker.key == found.key).map_or(1, |broker| broker.factor);
    match found.value.parse::<i64>() {
        // Below zero is "without limit", in any unit.
        Ok(number) if factor != 1 && number >= 0 => Cow::Owned(number.saturating_mul(factor).to_string()),
        _ => found.value,
    }
}
