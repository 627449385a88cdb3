//! From an MQTT publish to a record: topic, key, partition, class, and whether it is what it says.

mod config;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use fleet_events::{gps::GpsFix, topics::GPS_REJECTED};
use kafka_wire::partitioner::partition_for_key;
use mqtt_wire::{ProtocolVersion, TopicError, check_topic_filter, topic_matches};
use uplink_wire::{Class, TopicWanted};

pub use config::{Format, RouteClass, RouteConfig, default_routes};
pub use template::{Template, TemplateError};

use crate::{
    lane::LaneKey,
    outbox::{Change, Event, MAX_EVENT_BYTES},
};

/// The kind of the facts that keep partition counts over a restart.
const PARTITIONS_FACT: &str = "partitions";

/// More than any topic has; what a broker says beyond it is taken for a mistake.
const MAX_PARTITIONS: u32 = 100_000;

/// Of a payload that is too large to keep, this much goes to the rejected ones: enough to see whose it is.
const REJECTED_HEAD_BYTES: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    #[error("route {filter:?}: {source}")]
    Filter { filter: String, source: TopicError },
    #[error("route {filter:?}: topic {topic:?} is no name a Kafka topic can have")]
    Topic { filter: String, topic: String },
    #[error("route {filter:?}: {what} {source}")]
    Template { filter: String, what: &'static str, source: TemplateError },
    #[error("route {filter:?}: a topic has 1 to {MAX_PARTITIONS} partitions")]
    Partitions { filter: String },
}

/// What a device published.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    pub client_id: &'a str,
    pub topic: &'a str,
    pub payload: &'a Bytes,
    /// The agent's clock, milliseconds since the epoch: the record's timestamp.
    pub received_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    pub event: Event,
    /// Why it went to `gps_rejected` instead of where it wanted to.
    pub rejected: Option<String>,
    /// Who was heard, if it can be reached from the cloud.
    pub device: Option<Device>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub vehicle_id: String,
    /// Where it listens.
    pub mqtt_topic: String,
}

#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
    /// As the broker said it, or the configuration.
    partitions: BTreeMap<String, u32>,
}

#[derive(Debug)]
struct Route {
    filter: String,
    topic: String,
    key: Template,
    format: Format,
    class: Class,
    downlink: Option<Template>,
}

impl Routes {
    pub fn new(configs: &[RouteConfig]) -> Result<Self, RouteError> {
        let mut partitions = BTreeMap::new();
        for config in configs {
            let count: &mut u32 = partitions.entry(config.topic.clone()).or_default();
            *count = config.partitions.max(*count);
            if config.format == Format::GpsJson {
                partitions.entry(GPS_REJECTED.to_owned()).or_insert(1);
            }
        }
        let routes = configs.iter().map(Route::new).collect::<Result<_, _>>()?;
        Ok(Routes { routes, partitions })
    }

    /// What the store kept of earlier welcomes.
    pub fn restore<'a>(&mut self, facts: impl Iterator<Item = (&'a str, &'a str, &'a Bytes)>) {
        for (kind, topic, value) in facts {
            let count = <[u8; 4]>::try_from(value.as_ref()).map(u32::from_le_bytes);
            if kind == PARTITIONS_FACT
                && let Ok(count @ 1..=MAX_PARTITIONS) = count
                && let Some(known) = self.partitions.get_mut(topic)
            {
                *known = count;
            }
        }
    }

    /// The broker has said how many partitions a topic has; the change is to be kept.
    pub fn learn(&mut self, topic: &str, partitions: u32) -> Option<Change> {
        let known = self.partitions.get_mut(topic)?;
        if *known == partitions || !(1..=MAX_PARTITIONS).contains(&partitions) {
            return None;
        }
        *known = partitions;
        let value = Bytes::copy_from_slice(&partitions.to_le_bytes());
        Some(Change::PutFact { kind: PARTITIONS_FACT, key: topic.to_owned(), value })
    }

    /// For the hello: every topic that a route leads to.
    pub fn topics(&self) -> Vec<TopicWanted> {
        let wanted =
            |(name, partitions): (&String, &u32)| TopicWanted { name: name.clone(), partitions: *partitions };
        self.partitions.iter().map(wanted).collect()
    }

    /// `None`: no route leads anywhere from this topic, and the message is the local broker's alone.
    pub fn route(&self, published: Published<'_>) -> Option<Routed> {
        let route = self.routes.iter().find(|route| topic_matches(&route.filter, published.topic))?;
        let Some(key) = route.key.fill(published.topic, published.client_id) else {
            return Some(self.rejected(
                published,
                published.client_id,
                "the topic has too few levels".into(),
            ));
        };
        if let Some(reason) = route.fault(published, &key) {
            return Some(self.rejected(published, &key, reason));
        }
        let downlink = route.downlink.as_ref();
        let device = downlink
            .and_then(|template| template.fill(published.topic, published.client_id))
            .map(|mqtt_topic| Device { vehicle_id: key.clone(), mqtt_topic });
        let value = published.payload.clone();
        let event = self.event(&route.topic, route.class, &key, value, published.received_ms, Vec::new());
        Some(Routed { event, rejected: None, device })
    }

    fn rejected(&self, published: Published<'_>, key: &str, reason: String) -> Routed {
        let mut value = published.payload.clone();
        if value.len() > MAX_EVENT_BYTES / 2 {
            value.truncate(REJECTED_HEAD_BYTES);
        }
        // An identifier may be 64 KiB of MQTT string; the record must fit in a block.
        let text =
            |text: &str| Bytes::copy_from_slice(&text.as_bytes()[..text.len().min(REJECTED_HEAD_BYTES)]);
        let headers = vec![
            ("reason".to_owned(), text(&reason)),
            ("mqtt-topic".to_owned(), text(published.topic)),
            ("client-id".to_owned(), text(published.client_id)),
        ];
        let key = String::from_utf8_lossy(&text(key)).into_owned();
        let event = self.event(GPS_REJECTED, Class::Bulk, &key, value, published.received_ms, headers);
        Routed { event, rejected: Some(reason), device: None }
    }

    fn event(
        &self,
        topic: &str,
        class: Class,
        key: &str,
        value: Bytes,
        timestamp_ms: i64,
        headers: Vec<(String, Bytes)>,
    ) -> Event {
        let partitions = self.partitions.get(topic).copied().unwrap_or(1);
        let key = Bytes::copy_from_slice(key.as_bytes());
        let partition = partition_for_key(&key, partitions as i32);
        let lane = LaneKey { topic: topic.to_owned(), partition, class };
        Event { lane, key: Some(key), value, timestamp_ms, headers }
    }
}

impl Route {
    fn new(config: &RouteConfig) -> Result<Self, RouteError> {
        let filter = config.filter.clone();
        check_topic_filter(&filter, ProtocolVersion::V3_1_1)
            .map_err(|source| RouteError::Filter { filter: filter.clone(), source })?;
        if !is_kafka_topic(&config.topic) {
            return Err(RouteError::Topic { filter, topic: config.topic.clone() });
        }
        if !(1..=MAX_PARTITIONS).contains(&config.partitions) {
            return Err(RouteError::Partitions { filter });
        }
        let parse = |what, text: &str| {
            let filter = filter.clone();
            Template::parse(text).map_err(|source| RouteError::Template { filter, what, source })
        };
        Ok(Route {
            topic: config.topic.clone(),
            key: parse("key", &config.key)?,
            format: config.format,
            class: config.class.into(),
            downlink: config.downlink.as_deref().map(|text| parse("downlink", text)).transpose()?,
            filter,
        })
    }

    /// Why the payload is not what the route carries.
    fn fault(&self, published: Published<'_>, key: &str) -> Option<String> {
        const RECORD_BYTES: usize = 100;
        let bytes = published.payload.len() + key.len() + RECORD_BYTES;
        if bytes > MAX_EVENT_BYTES {
            return Some(format!("a payload of {} bytes is too large", published.payload.len()));
        }
        if self.format == Format::Raw {
            return None;
        }
        match GpsFix::parse(published.payload) {
            Err(error) => Some(error.to_string()),
            // Otherwise one truck could move another on the map.
            Ok(fix) if fix.vehicle_id.as_str() != key => {
                Some(format!("vehicle_id: {} published as {key}", fix.vehicle_id.as_str()))
            }
            Ok(_) => None,
        }
    }
}

fn is_kafka_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal)
}
