//! `devices-sim broker`: a stock rumqttd, as a yardstick and to watch a fleet without an agent. It
//! acknowledges from memory: what it promises is not what the edge agent promises.

use crate::config::BrokerArgs;

#[cfg(not(feature = "broker"))]
pub fn run(args: BrokerArgs) -> anyhow::Result<()> {
    anyhow::bail!(
        "this build has no broker to listen on {}; build one with: cargo build -p devices-sim --features broker",
        args.mqtt
    )
}

#[cfg(feature = "broker")]
pub use stock::run;

#[cfg(feature = "broker")]
mod stock {
    use std::{
        collections::HashMap,
        net::{SocketAddr, TcpListener, ToSocketAddrs},
    };

    use anyhow::Context;
    use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

    use super::BrokerArgs;

    /// Memory per topic filter is the product of the two.
    const SEGMENT_BYTES: usize = 1 << 20;
    const SEGMENTS: usize = 10;

    pub fn run(args: BrokerArgs) -> anyhow::Result<()> {
        let listen = resolve(&args)?;
        let mut broker = Broker::new(config(listen));
        // The broker's threads never end by themselves; they end with the process.
        std::thread::spawn(move || {
            if let Err(error) = broker.start() {
                tracing::error!(%error, "the broker has stopped");
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = {
            let _entered = runtime.enter();
            service::stop_signal()
        };
        service::serving(&format!("stock broker on {listen}; it acknowledges from memory"));
        runtime.block_on(stop).context("cannot listen for signals")
    }

    /// Where the broker can listen. rumqttd only logs that it cannot, so the port is tried first.
    fn resolve(args: &BrokerArgs) -> anyhow::Result<SocketAddr> {
        let address = args.mqtt.to_string();
        let mut found = address.to_socket_addrs().with_context(|| format!("cannot find {address}"))?;
        let listen = found.next().with_context(|| format!("cannot find {address}"))?;
        TcpListener::bind(listen).with_context(|| format!("cannot listen on {address}"))?;
        Ok(listen)
    }

    fn config(listen: SocketAddr) -> Config {
        let connections = ConnectionSettings {
            connection_timeout_ms: 5_000,
            max_payload_size: 20_480,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: false,
        };
        let server = ServerSettings {
            name: "devices-sim".to_owned(),
            listen,
            tls: None,
            next_connection_delay_ms: 1,
            connections,
        };
        let router = RouterConfig {
            max_connections: 10_000,
            max_outgoing_packet_count: 200,
            max_segment_size: SEGMENT_BYTES,
            max_segment_count: SEGMENTS,
            ..RouterConfig::default()
        };
        Config { router, v4: Some(HashMap::from([("1".to_owned(), server)])), ..Config::default() }
    }
}
