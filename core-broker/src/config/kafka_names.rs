//! The config under Kafka's names, for DescribeConfigs and for what topics take their defaults from.

use broker_logic::cluster::StaticConfigs;

use super::{Config, Listener, SecurityProtocol};

impl Config {
    /// The values in force at start.
    pub fn kafka_names(&self) -> StaticConfigs {
        let (broker, node_id) = (&self.broker, self.broker.node_id.to_string());
        let listeners = |address: fn(&Listener) -> String| {
            let listeners = self.listener.iter();
            let listeners = listeners.map(|listener| format!("{}://{}", listener.name, address(listener)));
            listeners.collect::<Vec<_>>().join(",")
        };
        let protocols = self.listener.iter().map(|listener| {
            let SecurityProtocol::Plaintext = listener.security_protocol;
            format!("{}:PLAINTEXT", listener.name)
        });
        StaticConfigs::new([
            ("node.id", node_id.clone()),
            ("broker.id", node_id),
            ("log.dirs", self.logs().display().to_string()),
            ("listeners", listeners(|listener| listener.address.to_string())),
            (
                "advertised.listeners",
                listeners(|listener| {
                    listener.advertised.clone().unwrap_or_else(|| listener.address.to_string())
                }),
            ),
            ("listener.security.protocol.map", protocols.collect::<Vec<_>>().join(",")),
            ("message.max.bytes", broker.message_max.0.to_string()),
            ("log.retention.check.interval.ms", self.upkeep.retention_check.0.as_millis().to_string()),
            ("log.segment.bytes", broker.segment_bytes.0.to_string()),
            ("socket.request.max.bytes", broker.request_max.0.to_string()),
            ("queued.max.request.bytes", broker.requests_max.0.to_string()),
            ("max.connections", broker.max_connections.to_string()),
            ("connections.max.idle.ms", broker.connections_max_idle.0.as_millis().to_string()),
            ("auto.create.topics.enable", self.topics.auto_create.to_string()),
            ("num.partitions", self.topics.num_partitions.to_string()),
            (
                "group.initial.rebalance.delay.ms",
                self.groups.initial_rebalance_delay.0.as_millis().to_string(),
            ),
        ])
    }
}
