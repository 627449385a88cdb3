//! The config under Kafka's names, for DescribeConfigs and for what topics take their defaults from.

use broker_logic::cluster::StaticConfigs;
use service::Period;

use super::{Config, Listener, SecurityProtocol};

/// Kafka's way to say that there is no limit.
const UNLIMITED: usize = i32::MAX as usize;

const MINUTE_MS: u128 = 60_000;

impl Config {
    /// The values in force at start.
    pub fn kafka_names(&self) -> StaticConfigs {
        let names = [self.identity(), self.limits(), self.topics_and_logs(), self.groups_and_offsets()];
        StaticConfigs::new(names.into_iter().flatten())
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        let node_id = self.broker.node_id.to_string();
        let told =
            |listener: &Listener| listener.advertised.clone().unwrap_or_else(|| listener.address.to_string());
        vec![
            ("node.id", node_id.clone()),
            ("broker.id", node_id),
            ("log.dirs", self.logs().display().to_string()),
            ("listeners", self.each_listener(|it| format!("{}://{}", it.name, it.address))),
            ("advertised.listeners", self.each_listener(|it| format!("{}://{}", it.name, told(it)))),
            (
                "listener.security.protocol.map",
                self.each_listener(|it| match it.security_protocol {
                    SecurityProtocol::Plaintext => format!("{}:PLAINTEXT", it.name),
                }),
            ),
        ]
    }

    fn limits(&self) -> Vec<(&'static str, String)> {
        let broker = &self.broker;
        vec![
            ("connections.max.idle.ms", ms(broker.connections_max_idle)),
            ("max.connections", broker.max_connections.to_string()),
            ("max.connections.per.ip", broker.max_connections_per_ip.unwrap_or(UNLIMITED).to_string()),
            ("message.max.bytes", broker.message_max.0.to_string()),
            ("queued.max.request.bytes", broker.requests_max.0.to_string()),
            ("socket.request.max.bytes", broker.request_max.0.to_string()),
        ]
    }

    fn topics_and_logs(&self) -> Vec<(&'static str, String)> {
        vec![
            ("auto.create.topics.enable", self.topics.auto_create.to_string()),
            ("num.partitions", self.topics.num_partitions.to_string()),
            ("log.segment.bytes", self.broker.segment_bytes.0.to_string()),
            ("log.retention.check.interval.ms", ms(self.upkeep.retention_check)),
            ("log.cleaner.backoff.ms", ms(self.upkeep.cleaner_backoff)),
            ("log.cleaner.io.max.bytes.per.second", self.upkeep.cleaner_io_max.0.to_string()),
        ]
    }

    fn groups_and_offsets(&self) -> Vec<(&'static str, String)> {
        let groups = &self.groups;
        vec![
            ("group.initial.rebalance.delay.ms", ms(groups.initial_rebalance_delay)),
            ("group.min.session.timeout.ms", ms(groups.min_session_timeout)),
            ("group.max.session.timeout.ms", ms(groups.max_session_timeout)),
            ("group.max.size", groups.max_size.to_string()),
            ("offset.metadata.max.bytes", groups.offset_metadata_max.0.to_string()),
            ("offsets.retention.minutes", (groups.offsets_retention.0.as_millis() / MINUTE_MS).to_string()),
            ("offsets.retention.check.interval.ms", ms(groups.offsets_retention_check)),
            ("offsets.topic.num.partitions", groups.offsets_partitions.to_string()),
        ]
    }

    fn each_listener(&self, name: impl Fn(&Listener) -> String) -> String {
        self.listener.iter().map(name).collect::<Vec<_>>().join(",")
    }
}

fn ms(period: Period) -> String {
    period.0.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use broker_logic::{
        cluster::{BROKER_CONFIGS, ClusterImage, Configs, Source},
        ids::BrokerId,
    };

    use super::*;
    use crate::config::Flags;

    /// DescribeConfigs tells both: the value in force, and what it would be otherwise.
    #[test]
    fn a_config_without_a_line_is_what_the_table_of_kafkas_names_says() {
        let config = Config::load(Flags::default()).unwrap();
        let (image, statics) = (ClusterImage::new(), config.kafka_names());
        let configs = Configs::new(&image, BrokerId(1), &statics);
        for config in BROKER_CONFIGS {
            let effective = configs.broker_effective(config);
            let expected = if config.default.is_none() && effective.value.is_some() {
                Source::Static
            } else {
                Source::Default
            };
            assert_eq!(effective.source, expected, "{} is {:?}", config.key, effective.value);
        }
    }
}
