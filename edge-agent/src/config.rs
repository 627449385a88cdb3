//! What an agent can be told: file, then environment, then flag. Each default carries its reason.

mod allowed;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use certs::TlsFiles;
use edge_logic::routes::{RouteConfig, default_routes};
use serde::{Deserialize, Serialize};
use service::{ByteSize, Environment, Flag, LogFlags, Period, Settings};

/// Of the agent's variables; the rest of a name says which key.
const VARIABLES: &str = "LONGHAUL_AGENT";

/// The flags of `edge-agent run`. What is not given comes from the file, then from the default.
#[derive(Debug, Default, clap::Args)]
#[command(
    next_line_help = true,
    after_help = "Every key of the config file has a variable too: LONGHAUL_AGENT__PART__KEY. A flag is stronger\nthan a variable, that than the file. `edge-agent check-config` prints what is in force."
)]
pub struct Flags {
    /// Config file (TOML)
    #[arg(long, value_name = "FILE", env = "LONGHAUL_AGENT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the outbox [default: ~/.local/share/longhaul/edge-agent]
    #[arg(long, value_name = "DIR", env = "LONGHAUL_AGENT_DATA")]
    pub data: Option<PathBuf>,
    /// Listen here for devices [default: 127.0.0.1:1883]
    #[arg(long, value_name = "IP:PORT", env = "LONGHAUL_AGENT_MQTT", value_parser = service::ip_port)]
    pub mqtt: Option<SocketAddr>,
    /// The broker's edge listener [default: 127.0.0.1:4433]
    #[arg(long, value_name = "HOST:PORT", env = "LONGHAUL_AGENT_UPLINK")]
    pub uplink: Option<String>,
    /// Folder of the development certificates [default: ~/.local/share/longhaul/certs]
    #[arg(long, value_name = "DIR", env = "LONGHAUL_CERTS")]
    pub certs: Option<PathBuf>,
    #[command(flatten)]
    pub log: LogFlags,
}

/// `deploy/config/edge-agent.toml` shows every key with its default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of the outbox; unset: `edge-agent` in the user's data directory.
    pub data: Option<PathBuf>,
    pub mqtt: Mqtt,
    pub uplink: Uplink,
    pub outbox: Outbox,
    pub downlink: Downlink,
    /// The first whose filter matches is taken. None given: GPS of trucks and of persons with watches.
    pub route: Vec<RouteConfig>,
    pub log: service::Log,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mqtt {
    #[serde(deserialize_with = "service::read_ip_port")]
    pub address: SocketAddr,
    /// Devices connected at a time. A gateway serves a depot, not a country.
    pub max_connections: usize,
    /// Largest MQTT packet; a header that announces more closes the connection.
    pub max_packet: ByteSize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uplink {
    /// HOST:PORT of the broker's edge listener (UDP).
    pub broker: String,
    /// The name that the broker's certificate must carry; unset: the host, or `localhost` with development
    /// certificates.
    pub server_name: Option<String>,
    /// What the broker's log calls this agent; unset: the machine's host name.
    pub agent_id: Option<String>,
    /// PEM files; unset: development certificates.
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
pub struct Outbox {
    /// Blocks that wait for the broker may take this much; then events are no longer acknowledged. A week
    /// of one fix a second from ten devices is a tenth of it.
    pub max_size: ByteSize,
    /// How long the first event of a commit waits for company. 0 answers at once; `1s` spares an SD card.
    pub linger: Period,
    /// redb's page cache.
    pub cache: ByteSize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Downlink {
    /// Kafka topics whose records, JSON with a `vehicle_id`, are for the devices behind this agent.
    pub topics: Vec<String>,
    /// How long an alert is worth hearing.
    pub ttl: Period,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            address: ([127, 0, 0, 1], 1883).into(),
            max_connections: 1_000,
            max_packet: ByteSize(256 << 10),
        }
    }
}

impl Default for Uplink {
    fn default() -> Self {
        Self { broker: "127.0.0.1:4433".into(), server_name: None, agent_id: None, tls: None, certs: None }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            max_size: ByteSize(1 << 30),
            linger: Period(std::time::Duration::ZERO),
            cache: ByteSize(8 << 20),
        }
    }
}

impl Default for Downlink {
    fn default() -> Self {
        Self { topics: vec!["driver_alerts".into()], ttl: Period(std::time::Duration::from_secs(600)) }
    }
}

impl Config {
    /// What is in force for an agent that is started with these flags.
    pub fn load(flags: Flags) -> anyhow::Result<Self> {
        Self::settings(flags, &Environment::of_process())?.finish()
    }

    /// The file named by the flags, the environment and the flags over it, every path filled in.
    pub fn settings(flags: Flags, environment: &Environment) -> anyhow::Result<Settings<Self>> {
        let file = flags.config.as_deref();
        let mut settings = Settings::<Self>::read::<Flags>(VARIABLES, file, environment, flags.given());
        let config = &mut settings.values;
        if config.data.is_none() {
            config.data = Some(service::data_home()?.join("edge-agent"));
        }
        if config.route.is_empty() {
            config.route = default_routes();
        }
        allowed::check(config, &mut settings.mistakes);
        Ok(settings)
    }

    pub fn data(&self) -> &Path {
        self.data.as_deref().expect("filled in by load")
    }
}

impl Flags {
    fn given(&self) -> Vec<Flag> {
        let mut given = vec![
            Flag::path("data", "data", self.data.as_deref()),
            Flag::new("mqtt.address", "mqtt", self.mqtt),
            Flag::new("uplink.broker", "uplink", self.uplink.as_ref()),
            Flag::path("uplink.certs", "certs", self.certs.as_deref()),
        ];
        given.extend(self.log.flags());
        given
    }
}

/// Prints what is in force, or everything that is wrong.
pub fn check(flags: Flags) -> anyhow::Result<()> {
    Config::settings(flags, &Environment::of_process())?.print()
}

impl Uplink {
    /// The files, and the name that the broker's certificate must carry.
    pub fn tls_files(&self) -> anyhow::Result<(TlsFiles, String)> {
        if let Some(Tls { ca, cert, key }) = self.tls.clone() {
            let host = self.broker.rsplit_once(':').map_or(self.broker.as_str(), |(host, _)| host);
            let name = self.server_name.clone().unwrap_or_else(|| host.trim_matches(['[', ']']).to_owned());
            return Ok((TlsFiles { ca, cert, key }, name));
        }
        let folder = match &self.certs {
            Some(folder) => folder.clone(),
            None => service::data_home()?.join("certs"),
        };
        let name = self.server_name.clone().unwrap_or_else(|| certs::DEVELOPMENT_BROKER.into());
        Ok((certs::development(&folder)?.agent, name))
    }

    pub fn agent_id(&self) -> String {
        let host = || std::fs::read_to_string("/etc/hostname").map(|name| name.trim().to_owned()).ok();
        self.agent_id.clone().or_else(host).filter(|id| !id.is_empty()).unwrap_or_else(|| "edge-agent".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: Flags) -> anyhow::Result<Config> {
        Config::settings(flags, &Environment::default())?.finish()
    }

    /// The file documents the defaults, so it must say what they are.
    #[test]
    fn the_documented_file_is_the_default() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config/edge-agent.toml");
        let documented = read(Flags { config: Some(file), ..Flags::default() }).unwrap();
        let default = read(Flags::default()).unwrap();
        assert_eq!(format!("{documented:#?}"), format!("{default:#?}"));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_told_with_its_key_and_what_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        for (part, line, expected) in [
            ("[mqtt]", "max_connections = 1000000", "fine"),
            ("[mqtt]", "max_connections = 0", "mqtt.max_connections is 0, but must be 1 to 1000000"),
            (
                "[mqtt]",
                "max_connections = 9223372036854775807",
                "mqtt.max_connections is 9223372036854775807, but must be 1 to 1000000",
            ),
            ("[mqtt]", "max_packet = \"256MiB\"", "fine"),
            ("[mqtt]", "max_packet = \"257MiB\"", "mqtt.max_packet is 257MiB, but must be 1KiB to 256MiB"),
            ("[mqtt]", "max_packet = \"1B\"", "mqtt.max_packet is 1B, but must be 1KiB to 256MiB"),
            ("[mqtt]", "address = \"localhost:1883\"", "\"localhost:1883\" is not IP:PORT"),
            ("[uplink]", "broker = \"broker.example.com:4433\"", "fine"),
            ("[uplink]", "broker = \"host\"", "uplink.broker is \"host\", but must be HOST:PORT"),
            ("[uplink]", "broker = \":4433\"", "uplink.broker is \":4433\", but must be HOST:PORT"),
            ("[outbox]", "max_size = \"1MiB\"", "fine"),
            ("[outbox]", "max_size = \"0B\"", "outbox.max_size is 0B, but must be 1MiB or more"),
            ("[downlink]", "topics = []", "fine"),
            ("[downlink]", "topics = [\"a\", \"b c\"]", "downlink.topics holds \"b c\", but a Kafka topic"),
            ("[downlink]", "topics = [\"\"]", "downlink.topics holds \"\", but a Kafka topic"),
            ("[[route]]", "filter = \"a/#/b\"\ntopic = \"a\"\nkey = \"k\"", "route \"a/#/b\": "),
        ] {
            std::fs::write(&file, format!("{part}\n{line}\n")).unwrap();
            let loaded = read(Flags { config: Some(file.clone()), ..Flags::default() });
            let told = loaded.map_or_else(|error| format!("{error:#}"), |_| "fine".to_owned());
            assert!(told.contains(expected), "{line}: {told}");
        }
    }
}
