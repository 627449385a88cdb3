//! What the broker counts, a function for each fact; METRICS.md is the list. Counting is an atomic addition:
//! no lock, no look-up by name.

#[cfg(test)]
mod exposition;
mod histogram;
mod process;
mod requests;
mod scrape;
#[cfg(test)]
mod tests;
mod topics;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use kafka_wire::ApiKey;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use histogram::{COUNT, Histogram, TIME};
use requests::Requests;
use topics::Topics;

pub use requests::Timer;
pub use scrape::Gathered;
pub use topics::Traffic;

/// Before every name but those of the process.
const PREFIX: &str = "longhaul_broker";

#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Requests,
    topics: Topics,
    connections: Gauge,
    connections_accepted: Counter,
    connections_refused: Counter,
    connections_closed: Family<[(&'static str, &'static str); 1], Counter>,
    throttles: Counter,
    throttle_time: Counter<f64, AtomicU64>,
    group_commit: Histogram,
    sync: Histogram,
    agents: Gauge,
    agents_refused: Counter,
    edge_blocks: Counter,
    edge_blocks_duplicate: Counter,
    downlink_records: Counter,
}

/// Open as long as it is held.
pub struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub fn request_received(&self, api: ApiKey) -> Timer {
        self.requests.received(api)
    }

    pub fn connection_opened(&self) -> Open {
        self.connections_accepted.inc();
        self.connections.inc();
        Open(self.connections.clone())
    }

    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// We hung up on a client; `cause` is one of a few words.
    pub fn connection_closed(&self, cause: &'static str) {
        self.connections_closed.get_or_create(&[("cause", cause)]).inc();
    }

    /// A client is told to wait, because it is over its quota.
    pub fn throttled(&self, time: Duration) {
        if !time.is_zero() {
            self.throttles.inc();
            self.throttle_time.inc_by(time.as_secs_f64());
        }
    }

    /// The counters of a topic, for each of its partitions to hold.
    pub fn topic(&self, name: &str) -> Arc<Traffic> {
        self.topics.traffic(name)
    }

    /// A turn of the writer appended so many batches before it synced.
    pub fn group_committed(&self, batches: usize) {
        self.group_commit.observe(batches as u64);
    }

    /// One log was synced.
    pub fn synced(&self, took: Duration) {
        self.sync.observe_time(took);
    }

    pub fn agent_connected(&self) -> Open {
        self.agents.inc();
        Open(self.agents.clone())
    }

    pub fn agent_refused(&self) {
        self.agents_refused.inc();
    }

    pub fn edge_block_stored(&self, is_duplicate: bool) {
        self.edge_blocks.inc();
        if is_duplicate {
            self.edge_blocks_duplicate.inc();
        }
    }

    pub fn downlink_sent(&self, records: u64) {
        self.downlink_records.inc_by(records);
    }
}

impl Default for Metrics {
    /// Registers every fact.
    fn default() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::begun()));
        let ours = registry.sub_registry_with_prefix(PREFIX);
        let metrics = Self {
            requests: Requests::default(),
            topics: Topics::default(),
            connections: Gauge::default(),
            connections_accepted: Counter::default(),
            connections_refused: Counter::default(),
            connections_closed: Family::default(),
            throttles: Counter::default(),
            throttle_time: Counter::default(),
            group_commit: Histogram::new(&COUNT),
            sync: Histogram::new(&TIME),
            agents: Gauge::default(),
            agents_refused: Counter::default(),
            edge_blocks: Counter::default(),
            edge_blocks_duplicate: Counter::default(),
            downlink_records: Counter::default(),
            registry: Registry::default(),
        };
        ours.register_collector(Box::new(metrics.requests.clone()));
        ours.register_collector(Box::new(metrics.topics.clone()));
        ours.register("connections", "Kafka clients connected", metrics.connections.clone());
        for (name, help, counter) in [
            ("connections_accepted", "Connections of Kafka clients taken", &metrics.connections_accepted),
            (
                "connections_refused",
                "Connections of Kafka clients closed at once, because there were too many",
                &metrics.connections_refused,
            ),
            (
                "edge_agents_refused",
                "Connections of agents refused, because there were too many",
                &metrics.agents_refused,
            ),
            (
                "throttles",
                "Answers after which a client over its quota is not heard for a while",
                &metrics.throttles,
            ),
            ("edge_blocks", "Blocks of agents that are in the log", &metrics.edge_blocks),
            (
                "edge_blocks_duplicate",
                "Blocks of agents that were in the log already, and were not stored again",
                &metrics.edge_blocks_duplicate,
            ),
            ("downlink_records", "Records sent down to agents", &metrics.downlink_records),
        ] {
            ours.register(name, help, counter.clone());
        }
        let help = "Connections of Kafka clients that ended otherwise than between two requests, by cause";
        ours.register("connections_closed", help, metrics.connections_closed.clone());
        let help = "What clients over their quota were told to wait; the times of one connection overlap";
        ours.register_with_unit("throttle", help, Unit::Seconds, metrics.throttle_time.clone());
        ours.register("edge_agents", "Agents connected", metrics.agents.clone());
        let help = "Record batches appended in one turn of the writer, and made durable together";
        ours.register("group_commit_batches", help, metrics.group_commit.clone());
        let help = "Syncs of a log to its disk";
        ours.register_with_unit("sync_duration", help, Unit::Seconds, metrics.sync.clone());
        Self { registry, ..metrics }
    }
}
