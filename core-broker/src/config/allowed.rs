//! Which values make sense. A mistake is told at the start, with its key and what is allowed, and not by a
//! panic or a refusal on the first busy day.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use broker_logic::cluster::Limits;
use service::{ByteSize, Mistakes, OptionalAddress, Period};
use uplink_wire::MAX_FRAME_BYTES;

use super::{Broker, ByteRates, Config, Edge, Groups, Listener, Quotas, Upkeep, advertised};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// More than one machine serves.
const CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;

/// Shorter ones would end connections between two heartbeats of a group.
const IDLE: RangeInclusive<Period> =
    Period(Duration::from_secs(5))..=Period(Duration::from_secs(30 * 24 * 3_600));

const LISTENER_NAME: RangeInclusive<usize> = 1..=100;

/// Kafka's milliseconds are 32 bits.
const LONGEST_SESSION: Duration = Duration::from_millis(i32::MAX as u64);

/// More than a Prometheus would keep of one broker.
const MAX_GROUP_LAGS: usize = 100_000;

/// What stands around a batch in a frame of the edge protocol.
const FRAME_ROOM: u64 = 100;

/// A larger one could not travel down to an agent.
const LARGEST_BATCH: u64 = MAX_FRAME_BYTES as u64 - FRAME_ROOM;

/// What stands around a batch in a produce request: its header with the client's id, the topic's name.
const REQUEST_ROOM: u64 = KIB;

pub fn check(config: &Config, mistakes: &mut Mistakes) {
    check_broker(&config.broker, mistakes);
    check_edge(&config.edge, mistakes);
    check_upkeep(&config.upkeep, mistakes);
    check_quotas(&config.quotas, mistakes);
    let partitions = Limits::default().max_partitions_per_topic as i32;
    mistakes.within("topics.num_partitions", config.topics.num_partitions, 1..=partitions);
    check_groups(&config.groups, mistakes);
    mistakes.within("groups.offsets_partitions", config.groups.offsets_partitions, 1..=partitions);
    check_listeners(&config.listener, mistakes);
    check_tcp_ports(config, mistakes);
    mistakes.within("admin.max_group_lags", config.admin.max_group_lags, 0..=MAX_GROUP_LAGS);
    config.log.check(mistakes);
}

fn check_broker(broker: &Broker, mistakes: &mut Mistakes) {
    let sizes = |from: u64, to: u64| ByteSize(from)..=ByteSize(to);
    let node_id = broker.node_id;
    mistakes.ensure("broker.node_id", node_id >= 0, || {
        format!("broker.node_id is {node_id}, but the id of a broker is 0 or more")
    });
    mistakes.within("broker.request_max", broker.request_max, sizes(KIB, GIB));
    let largest_batch = broker.message_max.0.min(LARGEST_BATCH);
    let is_wide = broker.request_max.0 < KIB || broker.request_max.0 >= largest_batch + REQUEST_ROOM;
    mistakes.ensure("broker.request_max", is_wide, || {
        format!(
            "broker.request_max is {}, but a batch of broker.message_max, which is {}, comes in a request of up \
             to {} more: make one larger, or the other smaller",
            broker.request_max,
            broker.message_max,
            ByteSize(REQUEST_ROOM)
        )
    });
    // One request of the largest size must be able to come in.
    let largest = Some(broker.request_max.0).filter(|largest| *largest <= GIB);
    mistakes.within("broker.requests_max", broker.requests_max, sizes(largest.unwrap_or(KIB), 1 << 40));
    mistakes.within("broker.message_max", broker.message_max, sizes(KIB, LARGEST_BATCH));
    mistakes.within("broker.max_connections", broker.max_connections, CONNECTIONS);
    if let Some(max) = broker.max_connections_per_ip {
        mistakes.within("broker.max_connections_per_ip", max, CONNECTIONS);
    }
    mistakes.within("broker.connections_max_idle", broker.connections_max_idle, IDLE);
    mistakes.at_least("broker.segment_bytes", broker.segment_bytes, ByteSize(MIB));
}

fn check_listeners(listeners: &[Listener], mistakes: &mut Mistakes) {
    for (index, listener) in listeners.iter().enumerate() {
        let Listener { name, address, .. } = listener;
        let spelled = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let key = format!("listener.{index}.name");
        mistakes.ensure(&key, spelled && LISTENER_NAME.contains(&name.len()), || {
            let (least, most) = (LISTENER_NAME.start(), LISTENER_NAME.end());
            format!(
                "a listener is called {name:?}, but a name has {least} to {most} letters, digits, '_', '-' or '.'"
            )
        });
        let is_first = !listeners[..index].iter().any(|other| other.name == *name);
        mistakes.ensure(&key, is_first, || {
            format!("two listeners are called {name:?}: give each a name of its own")
        });
        if let Some(max) = listener.max_connections {
            mistakes.within(&format!("listener.{index}.max_connections"), max, CONNECTIONS);
        }
        let is_told = !address.is_unspecified() || listener.advertised.is_some();
        mistakes.ensure(&format!("listener.{index}.address"), is_told, || {
            format!(
                "the listener {address} takes every address, but clients must be told one: set advertised = \"HOST:PORT\""
            )
        });
        if let Some(Err(wrong)) = listener.advertised.as_deref().map(advertised) {
            let key = format!("listener.{index}.advertised");
            mistakes.of_key(&key, format!("{key}: {wrong}"));
        }
    }
}

/// The edge listener is none of them: UDP has ports of its own.
fn check_tcp_ports(config: &Config, mistakes: &mut Mistakes) {
    let mut taken: Vec<(String, SocketAddr)> = Vec::new();
    let listeners = config.listener.iter().enumerate();
    let listeners = listeners.map(|(index, it)| (format!("listener.{index}.address"), it.address.sockets()));
    let admin = match config.admin.address {
        OptionalAddress::At(address) => vec![address],
        OptionalAddress::Off => Vec::new(),
    };
    for (key, sockets) in listeners.chain([("admin.address".to_owned(), admin)]) {
        for socket in &sockets {
            if let Some((other, at)) = taken.iter().find(|(_, other)| overlap(*other, *socket)) {
                mistakes
                    .of_key(&key, format!("{key} is {socket}, but {other} has {at}: give one another port"));
                break;
            }
        }
        taken.extend(sockets.into_iter().map(|socket| (key.clone(), socket)));
    }
}

/// Whether the second to bind would be refused. The system gives each that asks for port 0 a port of its own.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    // On Linux `[::]` takes the port for IPv4 as well.
    let takes = |taker: IpAddr, ip: IpAddr| {
        taker == ip || (taker.is_unspecified() && (taker.is_ipv6() || ip.is_ipv4()))
    };
    let (ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() != 0 && one.port() == other.port() && (takes(ip, other_ip) || takes(other_ip, ip))
}

fn check_groups(groups: &Groups, mistakes: &mut Mistakes) {
    let shortest = Period(Duration::from_secs(1));
    let longest = groups.max_session_timeout;
    mistakes.within("groups.min_session_timeout", groups.min_session_timeout, shortest..=longest);
    mistakes.within("groups.max_session_timeout", longest, shortest..=Period(LONGEST_SESSION));
    mistakes.within("groups.max_size", groups.max_size, 1..=1_000_000);
    // A record's string holds no more.
    let longest = ByteSize(i16::MAX as u64);
    mistakes.within("groups.offset_metadata_max", groups.offset_metadata_max, ByteSize(0)..=longest);
    mistakes.at_least("groups.offsets_retention_check", groups.offsets_retention_check, shortest);
}

fn check_upkeep(upkeep: &Upkeep, mistakes: &mut Mistakes) {
    let periods = Period(Duration::from_millis(100))..=Period(Duration::from_secs(86_400));
    mistakes.within("upkeep.retention_check", upkeep.retention_check, periods.clone());
    mistakes.within("upkeep.cleaner_backoff", upkeep.cleaner_backoff, periods);
    mistakes.within("upkeep.cleaner_io_max", upkeep.cleaner_io_max, ByteSize(MIB)..=ByteSize(1 << 40));
}

fn check_quotas(quotas: &Quotas, mistakes: &mut Mistakes) {
    let mut check = |table: &str, rates: &ByteRates| {
        let ByteRates { producer_byte_rate, consumer_byte_rate } = *rates;
        for (key, rate) in
            [("producer_byte_rate", producer_byte_rate), ("consumer_byte_rate", consumer_byte_rate)]
        {
            if let Some(rate) = rate {
                mistakes.within(&format!("{table}.{key}"), rate, ByteSize(KIB)..=ByteSize(1 << 40));
            }
        }
    };
    check("quotas", &quotas.default_rates());
    for (client_id, rates) in &quotas.clients {
        check(&format!("quotas.clients.{client_id:?}"), rates);
    }
}

fn check_edge(edge: &Edge, mistakes: &mut Mistakes) {
    mistakes.within("edge.max_agents", edge.max_agents, CONNECTIONS);
    // Whoever has the development CA's folder is an agent.
    let is_closed = edge.tls.is_some() || edge.quic.ip().is_loopback();
    mistakes.ensure("edge.quic", is_closed, || {
        format!(
            "the edge listener {} is open to other machines: name certificates of your own in [edge.tls]",
            edge.quic
        )
    });
    // Development certificates are made by the first start.
    if let Some(tls) = &edge.tls
        && let Err(error) = certs::server_config(&tls.files(), uplink_wire::ALPN)
    {
        mistakes.of_key("edge.tls", format!("edge.tls: {error:#}"));
    }
}
