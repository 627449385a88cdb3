//! Which values make sense. A mistake is told at the start, with its key and what is allowed, and not by a
//! panic or a refusal on the first busy day.

use std::{fmt::Display, net::SocketAddr, ops::RangeInclusive};

use anyhow::ensure;
use broker_logic::cluster::Limits;
use serde::{Deserialize, Deserializer, de::Error};
use service::ByteSize;
use uplink_wire::MAX_FRAME_BYTES;

use super::Config;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// More than one machine serves.
const CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;

const LISTENER_NAME: RangeInclusive<usize> = 1..=100;

/// What stands around a batch in a frame of the edge protocol.
const FRAME_ROOM: u64 = 100;

pub fn check(config: &Config) -> anyhow::Result<()> {
    let broker = &config.broker;
    let sizes = |from: u64, to: u64| ByteSize(from)..=ByteSize(to);
    ensure!(broker.node_id >= 0, "broker.node_id is {}, but the id of a broker is 0 or more", broker.node_id);
    within("broker.request_max", broker.request_max, sizes(KIB, GIB))?;
    // One request of the largest size must be able to come in.
    within("broker.requests_max", broker.requests_max, sizes(broker.request_max.0, 1 << 40))?;
    // A larger batch could not travel down to an agent.
    within("broker.message_max", broker.message_max, sizes(KIB, MAX_FRAME_BYTES as u64 - FRAME_ROOM))?;
    within("broker.max_connections", broker.max_connections, CONNECTIONS)?;
    ensure!(
        broker.segment_bytes.0 >= MIB,
        "broker.segment_bytes is {}, but must be {} or more",
        broker.segment_bytes,
        ByteSize(MIB)
    );
    within("edge.max_agents", config.edge.max_agents, CONNECTIONS)?;
    let partitions = Limits::default().max_partitions_per_topic as i32;
    within("topics.num_partitions", config.topics.num_partitions, 1..=partitions)?;
    for (index, listener) in config.listener.iter().enumerate() {
        let name = &listener.name;
        let spelled = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        ensure!(
            spelled && LISTENER_NAME.contains(&name.len()),
            "a listener is called {name:?}, but a name has {} to {} letters, digits, '_', '-' or '.'",
            LISTENER_NAME.start(),
            LISTENER_NAME.end()
        );
        ensure!(
            !config.listener[..index].iter().any(|other| other.name == *name),
            "two listeners are called {name:?}: give each a name of its own"
        );
        ensure!(
            !listener.address.is_unspecified() || listener.advertised.is_some(),
            "the listener {} takes every address, but clients must be told one: set advertised = \"HOST:PORT\"",
            listener.address
        );
    }
    Ok(())
}

fn within<T: PartialOrd + Display>(key: &str, value: T, allowed: RangeInclusive<T>) -> anyhow::Result<()> {
    let (least, most) = (allowed.start(), allowed.end());
    ensure!(allowed.contains(&value), "{key} is {value}, but must be {least} to {most}");
    Ok(())
}

/// An address to listen on. A name is none: it may stand for several.
pub fn ip_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not IP:PORT, such as 127.0.0.1:9092"))
}

pub fn read_ip_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    ip_port(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
