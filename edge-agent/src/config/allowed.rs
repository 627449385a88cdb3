//! Which values make sense. A mistake is told at the start, with its key and what is allowed, and not by a
//! panic or a refusal on the first busy day.

use edge_logic::routes::Routes;
use service::{ByteSize, Mistakes};

use super::Config;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

pub fn check(config: &Config, mistakes: &mut Mistakes) {
    let mqtt = &config.mqtt;
    mistakes.within("mqtt.max_connections", mqtt.max_connections, 1..=1_000_000);
    // MQTT itself ends at 256 MiB.
    mistakes.within("mqtt.max_packet", mqtt.max_packet, ByteSize(KIB)..=ByteSize(256 * MIB));
    let broker = &config.uplink.broker;
    mistakes.ensure("uplink.broker", is_host_port(broker), || {
        format!("uplink.broker is \"{broker}\", but must be HOST:PORT")
    });
    mistakes.at_least("outbox.max_size", config.outbox.max_size, ByteSize(MIB));
    for topic in &config.downlink.topics {
        mistakes.ensure("downlink.topics", is_kafka_topic(topic), || {
            format!(
                "downlink.topics holds \"{topic}\", but a Kafka topic has 1 to 249 letters, digits, dots, _ and -"
            )
        });
    }
    if let Err(error) = Routes::new(&config.route) {
        mistakes.of_key("route", error.to_string());
    }
    config.log.check(mistakes);
}

fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn is_kafka_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal)
}
