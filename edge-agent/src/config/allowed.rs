//! Which values make sense. A mistake is told at the start, with its key and what is allowed, and not by a
//! panic or a refusal on the first busy day.

use std::{fmt::Display, net::SocketAddr, ops::RangeInclusive};

use anyhow::ensure;
use edge_logic::routes::Routes;
use serde::{Deserialize, Deserializer, de::Error};
use service::ByteSize;

use super::Config;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

pub fn check(config: &Config) -> anyhow::Result<()> {
    let mqtt = &config.mqtt;
    within("mqtt.max_connections", mqtt.max_connections, 1..=1_000_000)?;
    // MQTT itself ends at 256 MiB.
    within("mqtt.max_packet", mqtt.max_packet, ByteSize(KIB)..=ByteSize(256 * MIB))?;
    let broker = &config.uplink.broker;
    ensure!(is_host_port(broker), "uplink.broker is \"{broker}\", but must be HOST:PORT");
    let max_size = config.outbox.max_size;
    ensure!(max_size.0 >= MIB, "outbox.max_size is {max_size}, but must be {} or more", ByteSize(MIB));
    for topic in &config.downlink.topics {
        ensure!(
            is_kafka_topic(topic),
            "downlink.topics holds \"{topic}\", but a Kafka topic has 1 to 249 letters, digits, dots, _ and -"
        );
    }
    Routes::new(&config.route)?;
    Ok(())
}

fn within<T: PartialOrd + Display>(key: &str, value: T, allowed: RangeInclusive<T>) -> anyhow::Result<()> {
    let (least, most) = (allowed.start(), allowed.end());
    ensure!(allowed.contains(&value), "{key} is {value}, but must be {least} to {most}");
    Ok(())
}

fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn is_kafka_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal)
}

/// An address to listen on. A name is none: it may stand for several.
pub fn ip_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not IP:PORT, such as 127.0.0.1:1883"))
}

pub fn read_ip_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    ip_port(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
