//! `[[route]]` in the agent's configuration.

use fleet_events::topics::{FITBITS_GPS, TRUCKS_GPS};
use serde::{Deserialize, Serialize};
use uplink_wire::Class;

/// Which publishes become records of which topic. The first route whose filter matches is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// An MQTT topic filter.
    pub filter: String,
    /// The Kafka topic.
    pub topic: String,
    /// The record's key: text with `{1}` to `{9}` for the levels of the MQTT topic and `{client}` for
    /// the client id. One key is one partition and one order.
    pub key: String,
    #[serde(default)]
    pub format: Format,
    #[serde(default)]
    pub class: RouteClass,
    /// How many partitions to ask for when the broker makes the topic, and to reckon with until it
    /// has said how many there are. Ten is the fleet's custom.
    #[serde(default = "ten")]
    pub partitions: u32,
    /// The MQTT topic on which the device named by the key listens, written like the key. A device
    /// that publishes through this route can then be reached from the cloud.
    #[serde(default)]
    pub downlink: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Bytes that nobody looks into.
    #[default]
    Raw,
    /// A GPS fix, checked field by field; what is not one goes to `gps_rejected`.
    GpsJson,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteClass {
    Alert,
    #[default]
    Live,
    Backlog,
    Bulk,
}

impl From<RouteClass> for Class {
    fn from(class: RouteClass) -> Class {
        match class {
            RouteClass::Alert => Class::Alert,
            RouteClass::Live => Class::Live,
            RouteClass::Backlog => Class::Backlog,
            RouteClass::Bulk => Class::Bulk,
        }
    }
}

fn ten() -> u32 {
    10
}

/// Watches and trucks, as they publish when nobody configured anything.
pub fn default_routes() -> Vec<RouteConfig> {
    let route = |filter: &str, topic: &str| RouteConfig {
        filter: filter.to_owned(),
        topic: topic.to_owned(),
        key: "{3}".to_owned(),
        format: Format::GpsJson,
        class: RouteClass::Live,
        partitions: ten(),
        downlink: Some("fleet/{2}/{3}/alert".to_owned()),
    };
    vec![route("fleet/persons/+/gps", FITBITS_GPS), route("fleet/+/+/gps", TRUCKS_GPS)]
}
