//! What a broker can be told: file, then environment, then flag. Each default carries its reason.

mod address;
mod allowed;
mod kafka_names;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use broker_logic::groups::GroupConfig;
use certs::TlsFiles;
use serde::{Deserialize, Serialize};
use service::{ByteSize, Environment, Flag, LogFlags, OptionalAddress, Period, Settings};

pub use address::{ListenAddress, advertised};

/// Of the broker's variables; the rest of a name says which key.
const VARIABLES: &str = "LONGHAUL_BROKER";

/// The flags of `core-broker run`. What is not given comes from the file, then from the default.
#[derive(Debug, Default, clap::Args)]
#[command(
    next_line_help = true,
    after_help = "Every key of the config file has a variable too: LONGHAUL_BROKER__PART__KEY. A flag is stronger\nthan a variable, that than the file. `core-broker check-config` prints what is in force."
)]
pub struct Flags {
    /// Config file (TOML)
    #[arg(long, value_name = "FILE", env = "LONGHAUL_BROKER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the logs [default: ~/.local/share/longhaul/core-broker]
    #[arg(long, value_name = "DIR", env = "LONGHAUL_BROKER_DATA")]
    pub data: Option<PathBuf>,
    /// Listen here for Kafka clients; localhost is IPv4 and IPv6 [default: localhost:9092]
    #[arg(long, value_name = "IP:PORT", env = "LONGHAUL_BROKER_KAFKA")]
    pub kafka: Option<ListenAddress>,
    /// Listen here for edge agents [default: 127.0.0.1:4433]
    #[arg(long, value_name = "IP:PORT", env = "LONGHAUL_BROKER_QUIC", value_parser = service::ip_port)]
    pub quic: Option<SocketAddr>,
    /// Folder of the development certificates [default: ~/.local/share/longhaul/certs]
    #[arg(long, value_name = "DIR", env = "LONGHAUL_CERTS")]
    pub certs: Option<PathBuf>,
    /// Listen here for /metrics, /healthz and /readyz, or off [default: 127.0.0.1:9644]
    #[arg(long, value_name = "IP:PORT", env = "LONGHAUL_BROKER_ADMIN")]
    pub admin: Option<OptionalAddress>,
    #[command(flatten)]
    pub log: LogFlags,
}

/// `deploy/config/core-broker.toml` shows every key with its default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of the logs; unset: `core-broker` in the user's data directory.
    pub data: Option<PathBuf>,
    pub broker: Broker,
    /// For Kafka clients. Empty: one plaintext listener on localhost.
    pub listener: Vec<Listener>,
    pub edge: Edge,
    pub topics: Topics,
    pub groups: Groups,
    pub upkeep: Upkeep,
    pub admin: Admin,
    pub log: service::Log,
    pub quotas: Quotas,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// Kafka's `node.id`.
    pub node_id: i32,
    /// Largest produce; any other request may have 8 MiB at most. A length beyond it closes the connection before
    /// memory is taken. Kafka's `socket.request.max.bytes` is 100 MiB, of which no client of ours uses a tenth.
    pub request_max: ByteSize,
    /// What requests may hold in memory together, from their first byte to their answer; Kafka's
    /// `queued.max.request.bytes`. Connections wait for their share. What large ones become once they are
    /// decoded has as much again, and so have answers until they are sent.
    pub requests_max: ByteSize,
    /// Largest record batch; Kafka's `message.max.bytes`.
    pub message_max: ByteSize,
    /// Connections of Kafka clients at a time; beyond it a new one is closed at once.
    pub max_connections: usize,
    /// Of one address; Kafka's `max.connections.per.ip`. Unset: as many as there may be in all, since a
    /// thousand trucks may stand behind one address of their carrier.
    pub max_connections_per_ip: Option<usize>,
    /// A connection without a request or an answer for this long is closed; Kafka's
    /// `connections.max.idle.ms`.
    pub connections_max_idle: Period,
    /// Roll a segment at this size; Kafka's `log.segment.bytes` is 1 GiB, which a gateway-sized disk
    /// would keep for months.
    pub segment_bytes: ByteSize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// A client is told the addresses of the listener of this name, on every broker; Kafka's way to serve
    /// two networks.
    #[serde(default = "Listener::default_name")]
    pub name: String,
    pub address: ListenAddress,
    /// What clients are told to connect to; unset: the address itself.
    pub advertised: Option<String>,
    #[serde(default)]
    pub security_protocol: SecurityProtocol,
    /// Of this listener; unset: those of the broker.
    pub max_connections: Option<usize>,
}

/// Kafka's names. TLS and SASL have their places here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecurityProtocol {
    #[default]
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edge {
    /// UDP, for edge agents.
    #[serde(deserialize_with = "service::read_ip_port")]
    pub quic: SocketAddr,
    /// Agents connected at a time.
    pub max_agents: usize,
    /// PEM files; unset: development certificates, on loopback only.
    pub tls: Option<Tls>,
    /// Where the development certificates are; unset: `certs` in the user's data directory.
    pub certs: Option<PathBuf>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// Kafka's `auto.create.topics.enable`.
    pub auto_create: bool,
    /// Partitions of a topic that a client creates by naming it; Kafka's `num.partitions` is 1. An
    /// agent says how many it wants.
    pub num_partitions: i32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Groups {
    /// How long the first rebalance of a group waits for more members; Kafka's
    /// `group.initial.rebalance.delay.ms` of 3 s serves large groups that start at once.
    pub initial_rebalance_delay: Period,
    /// Kafka's `group.min.session.timeout.ms`: shorter sessions rebalance at every hiccup.
    pub min_session_timeout: Period,
    /// Kafka's `group.max.session.timeout.ms`: a dead member holds its partitions for as long.
    pub max_session_timeout: Period,
    /// Members of one group; Kafka's `group.max.size` has no bound, and so none on what a group costs.
    pub max_size: usize,
    /// Kafka's `offset.metadata.max.bytes`.
    pub offset_metadata_max: ByteSize,
    /// Kafka's `offsets.retention.minutes`, counted from when a group became empty.
    pub offsets_retention: Period,
    /// Kafka's `offsets.retention.check.interval.ms`.
    pub offsets_retention_check: Period,
    /// Of `__consumer_offsets` when the first group makes it; Kafka's `offsets.topic.num.partitions` of 50 is
    /// for clusters of many brokers, and each costs open files.
    pub offsets_partitions: i32,
}

/// Of the partitions' logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upkeep {
    /// Between two looks for segments that need not be kept; Kafka's `log.retention.check.interval.ms`.
    pub retention_check: Period,
    /// Between two looks for logs to compact; Kafka's `log.cleaner.backoff.ms`.
    pub cleaner_backoff: Period,
    /// What compaction may read in a second, so that the disk is left to those who wait. Kafka's
    /// `log.cleaner.io.max.bytes.per.second` has no limit.
    pub cleaner_io_max: ByteSize,
}

/// For those who operate the broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// HTTP: `/metrics`, `/healthz`, `/readyz`. Loopback, because it has no login.
    pub address: OptionalAddress,
    /// Size and offsets of every partition in `/metrics`, not only of topics: four lines each.
    pub partition_metrics: bool,
    /// Committed offsets whose lag `/metrics` shows, over all groups: two lines each.
    pub max_group_lags: usize,
}

impl Default for Admin {
    fn default() -> Self {
        let address = OptionalAddress::At(([127, 0, 0, 1], 9644).into());
        Self { address, partition_metrics: false, max_group_lags: 1_000 }
    }
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            retention_check: Period(Duration::from_secs(300)),
            cleaner_backoff: Period(Duration::from_secs(15)),
            cleaner_io_max: ByteSize(64 << 20),
        }
    }
}

/// Bytes per second that each client id may take; who takes more is answered and then made to wait. Unset: no
/// limit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Kafka's `producer_byte_rate`.
    pub producer_byte_rate: Option<ByteSize>,
    /// Kafka's `consumer_byte_rate`.
    pub consumer_byte_rate: Option<ByteSize>,
    /// By client id. What is not set there is as above.
    pub clients: BTreeMap<String, ByteRates>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ByteRates {
    pub producer_byte_rate: Option<ByteSize>,
    pub consumer_byte_rate: Option<ByteSize>,
}

impl Quotas {
    pub fn default_rates(&self) -> ByteRates {
        let Self { producer_byte_rate, consumer_byte_rate, .. } = *self;
        ByteRates { producer_byte_rate, consumer_byte_rate }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            node_id: 1,
            request_max: ByteSize(100 << 20),
            requests_max: ByteSize(512 << 20),
            message_max: ByteSize(1_048_588),
            max_connections: 10_000,
            max_connections_per_ip: None,
            connections_max_idle: Period(Duration::from_secs(600)),
            segment_bytes: ByteSize(256 << 20),
        }
    }
}

impl Listener {
    /// As in Kafka, where a listener without a name has that of its protocol.
    fn default_name() -> String {
        "PLAINTEXT".into()
    }
}

impl Default for Listener {
    /// Clients that resolve `localhost`, which is what they are told, find IPv6 or IPv4 first: both answer.
    fn default() -> Self {
        Self {
            name: Self::default_name(),
            address: ListenAddress::Localhost(9092),
            advertised: None,
            security_protocol: SecurityProtocol::Plaintext,
            max_connections: None,
        }
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self { quic: ([127, 0, 0, 1], 4433).into(), max_agents: 10_000, tls: None, certs: None }
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self { auto_create: true, num_partitions: 1 }
    }
}

impl Default for Groups {
    fn default() -> Self {
        let GroupConfig {
            min_session_timeout,
            max_session_timeout,
            initial_rebalance_delay,
            max_group_size,
            offset_metadata_max_bytes,
            offsets_retention,
            expiry_check_interval,
            ..
        } = GroupConfig::default();
        Self {
            initial_rebalance_delay: Period(initial_rebalance_delay),
            min_session_timeout: Period(min_session_timeout),
            max_session_timeout: Period(max_session_timeout),
            max_size: max_group_size,
            offset_metadata_max: ByteSize(offset_metadata_max_bytes as u64),
            offsets_retention: Period(offsets_retention),
            offsets_retention_check: Period(expiry_check_interval),
            offsets_partitions: 10,
        }
    }
}

impl Groups {
    pub fn coordinators(&self) -> GroupConfig {
        GroupConfig {
            initial_rebalance_delay: self.initial_rebalance_delay.0,
            min_session_timeout: self.min_session_timeout.0,
            max_session_timeout: self.max_session_timeout.0,
            max_group_size: self.max_size,
            offset_metadata_max_bytes: self.offset_metadata_max.0 as usize,
            offsets_retention: self.offsets_retention.0,
            expiry_check_interval: self.offsets_retention_check.0,
            ..GroupConfig::default()
        }
    }
}

impl Config {
    /// What is in force for a broker that is started with these flags.
    pub fn load(flags: Flags) -> anyhow::Result<Self> {
        Self::settings(flags, &Environment::of_process())?.finish()
    }

    /// The file named by the flags, the environment and the flags over it, every path filled in.
    pub fn settings(flags: Flags, environment: &Environment) -> anyhow::Result<Settings<Self>> {
        let file = flags.config.as_deref();
        let mut settings = Settings::<Self>::read::<Flags>(VARIABLES, file, environment, flags.given());
        let config = &mut settings.values;
        if config.listener.is_empty() {
            config.listener.push(Listener::default());
        }
        if flags.kafka.is_some() {
            config.listener[0].advertised = None;
        }
        if config.data.is_none() {
            config.data = Some(service::data_home()?.join("core-broker"));
        }
        allowed::check(config, &mut settings.mistakes);
        Ok(settings)
    }

    /// Where the partitions are.
    pub fn logs(&self) -> PathBuf {
        self.data().join("logs")
    }

    pub fn data(&self) -> &Path {
        self.data.as_deref().expect("filled in by load")
    }
}

impl Flags {
    fn given(&self) -> Vec<Flag> {
        let mut given = vec![
            Flag::path("data", "data", self.data.as_deref()),
            Flag::new("listener.0.address", "kafka", self.kafka),
            Flag::new("edge.quic", "quic", self.quic),
            Flag::path("edge.certs", "certs", self.certs.as_deref()),
            Flag::new("admin.address", "admin", self.admin),
        ];
        given.extend(self.log.flags());
        given
    }
}

/// Prints what is in force, or everything that is wrong.
pub fn check(flags: Flags) -> anyhow::Result<()> {
    Config::settings(flags, &Environment::of_process())?.print()
}

impl Edge {
    pub fn tls_files(&self) -> anyhow::Result<TlsFiles> {
        if let Some(tls) = &self.tls {
            return Ok(tls.files());
        }
        let folder = match &self.certs {
            Some(folder) => folder.clone(),
            None => service::data_home().context("no folder for certificates")?.join("certs"),
        };
        Ok(certs::development(&folder)?.broker)
    }
}

impl Tls {
    fn files(&self) -> TlsFiles {
        let Self { ca, cert, key } = self.clone();
        TlsFiles { ca, cert, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file documents the defaults, so it must say what they are.
    #[test]
    fn the_documented_file_is_the_default() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config/core-broker.toml");
        let documented = read(Flags { config: Some(file), ..Flags::default() }).unwrap();
        let default = read(Flags::default()).unwrap();
        assert_eq!(format!("{documented:#?}"), format!("{default:#?}"));
    }

    fn read(flags: Flags) -> anyhow::Result<Config> {
        Config::settings(flags, &Environment::default())?.finish()
    }

    /// Without the place of each mistake, which `service` knows.
    fn told(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broker.toml");
        std::fs::write(&file, text).unwrap();
        let told = read(Flags { config: Some(file.clone()), ..Flags::default() });
        let told = told.map_or_else(|error| format!("{error:#}"), |_| "fine".to_owned());
        // FILE:LINE: what is wrong.
        let placed = told.strip_prefix(&format!("{}:", file.display()));
        placed.and_then(|rest| rest.split_once(": ")).map_or(told.as_str(), |(_, told)| told).to_owned()
    }

    #[test]
    fn a_value_that_makes_no_sense_is_told_with_its_key_and_what_is_allowed() {
        for (part, line, expected) in [
            ("broker", "node_id = -1", "broker.node_id is -1, but the id of a broker is 0 or more"),
            ("broker", "request_max = \"2MiB\"", "fine"),
            ("broker", "request_max = \"2KiB\"\nmessage_max = \"1KiB\"", "fine"),
            ("broker", "request_max = \"1MiB\"\nmessage_max = \"1023KiB\"", "fine"),
            (
                "broker",
                "request_max = \"1MiB\"\nmessage_max = \"1MiB\"",
                "broker.request_max is 1MiB, but a batch of broker.message_max, which is 1MiB, comes in a request of up to 1KiB more: make one larger, or the other smaller",
            ),
            ("broker", "request_max = \"1023B\"", "broker.request_max is 1023B, but must be 1KiB to 1GiB"),
            ("broker", "request_max = \"2GiB\"", "broker.request_max is 2GiB, but must be 1KiB to 1GiB"),
            (
                "broker",
                "requests_max = \"99MiB\"",
                "broker.requests_max is 99MiB, but must be 100MiB to 1024GiB",
            ),
            ("broker", "message_max = \"1099900B\"", "fine"),
            (
                "broker",
                "message_max = \"1099901B\"",
                "broker.message_max is 1099901B, but must be 1KiB to 1099900B",
            ),
            ("broker", "message_max = \"0B\"", "broker.message_max is 0B, but must be 1KiB to 1099900B"),
            ("broker", "max_connections = 1", "fine"),
            ("broker", "max_connections = 0", "broker.max_connections is 0, but must be 1 to 1000000"),
            (
                "broker",
                "max_connections = 9223372036854775807",
                "broker.max_connections is 9223372036854775807, but must be 1 to 1000000",
            ),
            ("broker", "max_connections_per_ip = 5", "fine"),
            (
                "broker",
                "max_connections_per_ip = 0",
                "broker.max_connections_per_ip is 0, but must be 1 to 1000000",
            ),
            (
                "broker",
                "connections_max_idle = \"1s\"",
                "broker.connections_max_idle is 1s, but must be 5s to 30d",
            ),
            ("quotas", "producer_byte_rate = \"1MiB\"", "fine"),
            (
                "quotas",
                "producer_byte_rate = \"1023B\"",
                "quotas.producer_byte_rate is 1023B, but must be 1KiB to 1024GiB",
            ),
            (
                "quotas.clients.\"a.b\"",
                "consumer_byte_rate = \"0B\"",
                "quotas.clients.\"a.b\".consumer_byte_rate is 0B, but must be 1KiB to 1024GiB",
            ),
            (
                "broker",
                "segment_bytes = \"1023KiB\"",
                "broker.segment_bytes is 1023KiB, but must be 1MiB or more",
            ),
            ("edge", "max_agents = 1000001", "edge.max_agents is 1000001, but must be 1 to 1000000"),
            ("topics", "num_partitions = 0", "topics.num_partitions is 0, but must be 1 to 1000"),
            ("topics", "num_partitions = -1", "topics.num_partitions is -1, but must be 1 to 1000"),
            (
                "groups",
                "min_session_timeout = \"31min\"",
                "groups.min_session_timeout is 31min, but must be 1s to 30min",
            ),
            ("groups", "max_size = 0", "groups.max_size is 0, but must be 1 to 1000000"),
            ("groups", "offsets_partitions = 0", "groups.offsets_partitions is 0, but must be 1 to 1000"),
        ] {
            assert_eq!(told(&format!("[{part}]\n{line}\n")), expected);
        }
    }

    #[test]
    fn certificates_that_are_named_are_there_and_belong_together() {
        let home = tempfile::tempdir().unwrap();
        let made = certs::development(&home.path().join("certs")).unwrap();
        let (broker, agent) = (&made.broker, &made.agent);
        let nowhere = home.path().join("nowhere.pem");
        for (ca, cert, key, expected) in [
            (&broker.ca, &broker.cert, &broker.key, "fine".to_owned()),
            (&nowhere, &broker.cert, &broker.key, cannot("read certificates", &nowhere)),
            (&broker.ca, &nowhere, &broker.key, cannot("read certificates", &nowhere)),
            (&broker.ca, &broker.cert, &nowhere, cannot("read a private key", &nowhere)),
            (&broker.ca, &broker.cert, &agent.key, format!("{} does not belong to", agent.key.display())),
        ] {
            let told = told(&format!("[edge.tls]\nca = {ca:?}\ncert = {cert:?}\nkey = {key:?}\n"));
            assert!(told.contains(&expected), "{told} instead of {expected}");
        }
    }

    fn cannot(what: &str, path: &Path) -> String {
        format!("edge.tls: cannot {what} from {}", path.display())
    }

    #[test]
    fn listeners_have_names_of_their_own() {
        let listener = |name: &str, port: u16| {
            format!("[[listener]]\nname = \"{name}\"\naddress = \"localhost:{port}\"\n")
        };
        for (text, expected) in [
            (listener("INSIDE", 9092) + &listener("OUTSIDE", 9093), "fine"),
            (
                listener("A", 9092) + &listener("A", 9093),
                "two listeners are called \"A\": give each a name of its own",
            ),
            (
                listener("", 9092),
                "a listener is called \"\", but a name has 1 to 100 letters, digits, '_', '-' or '.'",
            ),
            (
                listener("a b", 9092),
                "a listener is called \"a b\", but a name has 1 to 100 letters, digits, '_', '-' or '.'",
            ),
        ] {
            assert_eq!(told(&text), expected);
        }
    }

    #[test]
    fn no_two_listeners_have_one_address_and_port() {
        let listener = |name: &str, address: &str| {
            format!("[[listener]]\nname = \"{name}\"\naddress = \"{address}\"\nadvertised = \"a:1\"\n")
        };
        let two = |one: &str, other: &str| listener("A", one) + &listener("B", other);
        let admin = |address: &str| format!("[admin]\naddress = \"{address}\"\n");
        for (text, expected) in [
            (
                two("127.0.0.1:9092", "127.0.0.1:9092"),
                "listener.1.address is 127.0.0.1:9092, but listener.0.address has 127.0.0.1:9092: give one another port",
            ),
            (
                two("localhost:9092", "[::1]:9092"),
                "listener.1.address is [::1]:9092, but listener.0.address has [::1]:9092: give one another port",
            ),
            (
                listener("A", "127.0.0.1:9644") + &admin("0.0.0.0:9644"),
                "admin.address is 0.0.0.0:9644, but listener.0.address has 127.0.0.1:9644: give one another port",
            ),
            (
                two("127.0.0.1:9092", "[::]:9092"),
                "listener.1.address is [::]:9092, but listener.0.address has 127.0.0.1:9092: give one another port",
            ),
            (
                two("[::]:9092", "0.0.0.0:9092"),
                "listener.1.address is 0.0.0.0:9092, but listener.0.address has [::]:9092: give one another port",
            ),
            (
                two("127.0.0.1:9092", "[::ffff:127.0.0.1]:9092"),
                "listener.1.address is [::ffff:127.0.0.1]:9092, but listener.0.address has 127.0.0.1:9092: give one another port",
            ),
            (two("0.0.0.0:9092", "[::1]:9092"), "fine"),
            (two("[::]:9092", "127.0.0.1:9093"), "fine"),
            (two("127.0.0.1:9092", "127.0.0.2:9092"), "fine"),
            (two("127.0.0.1:9092", "[::1]:9092"), "fine"),
            (two("127.0.0.1:0", "127.0.0.1:0"), "fine"),
            (listener("A", "127.0.0.1:9092") + &admin("off"), "fine"),
            ("[edge]\nquic = \"127.0.0.1:9644\"\n".to_owned(), "fine"),
        ] {
            assert_eq!(told(&text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_to_listen_on_is_ip_and_port() {
        for (text, expected) in [
            ("[edge]\nquic = \"localhost:4433\"", "\"localhost:4433\" is not IP:PORT"),
            ("[edge]\nquic = \"0.0.0.0:4433\"", "is open to other machines: name certificates of your own"),
            ("[edge]\nquic = \"127.0.0.1\"", "\"127.0.0.1\" is not IP:PORT"),
            ("[[listener]]\naddress = \"host:9092\"", "\"host:9092\" is not IP:PORT"),
            ("[[listener]]\naddress = \"0.0.0.0:9092\"", "set advertised = \"HOST:PORT\""),
            (
                "[[listener]]\naddress = \"0.0.0.0:9092\"\nadvertised = \"h:0\"",
                "listener.0.advertised: \"h:0\" is not HOST:PORT",
            ),
            ("[[listener]]\naddress = \"0.0.0.0:9092\"\nadvertised = \"h:1\"", "fine"),
            ("[[listener]]\naddress = \"[::1]:9092\"", "fine"),
            ("[[listener]]\naddress = \"localhost:9092\"", "fine"),
        ] {
            let told = told(text);
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
