//! The brokers of a cluster as a tool sees them: found through any of them, asked each for its own.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kafka_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};

use super::{
    bootstrap,
    connection::Connection,
    failure::{Exception, Failure},
    options::Options,
    properties,
};

pub struct Cluster {
    client_id: String,
    /// Whichever bootstrap broker answered; it is asked what any broker can answer.
    seed: Connection,
    addresses: BTreeMap<i32, String>,
    connections: BTreeMap<i32, Connection>,
}

impl Cluster {
    /// As `--bootstrap-server` and `--command-config` say.
    pub fn connect(options: &Options, client_id: &str) -> Result<Self, Failure> {
        Self::connect_to(options.value("bootstrap-server")?.unwrap_or_default(), options, client_id)
    }

    /// As `--command-config` says, to brokers that have another flag's name.
    pub fn connect_to(bootstrap: &str, options: &Options, client_id: &str) -> Result<Self, Failure> {
        if let Some(path) = options.value("command-config")? {
            check_security(&properties::load(path)?)?;
        }
        Self::at(bootstrap, client_id)
    }

    /// Through the first of `HOST:PORT,HOST:PORT...` that answers.
    pub fn at(bootstrap: &str, client_id: &str) -> Result<Self, Failure> {
        let mut last = None;
        for address in bootstrap::addresses(bootstrap) {
            if !is_host_and_port(address) {
                return Err(unusable_bootstrap().into());
            }
            match Connection::open(address, client_id) {
                Ok(seed) => {
                    let client_id = client_id.to_owned();
                    return Ok(Self {
                        client_id,
                        seed,
                        addresses: BTreeMap::new(),
                        connections: BTreeMap::new(),
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(|| unusable_bootstrap().into(), Failure::from))
    }

    /// A broker that is asked what any of them can answer.
    pub fn any(&mut self) -> &mut Connection {
        &mut self.seed
    }

    /// The broker `id`, which [`metadata`](Self::metadata) must have named.
    pub fn broker(&mut self, id: i32) -> Result<&mut Connection> {
        if !self.connections.contains_key(&id) {
            let address = self.addresses.get(&id).with_context(|| format!("broker {id} is not available"))?;
            self.connections.insert(id, Connection::open(address, &self.client_id)?);
        }
        self.connections.get_mut(&id).with_context(|| format!("broker {id} is not connected"))
    }

    /// Whoever keeps the configs called `name`: a broker its own, any of them the rest.
    pub fn of_resource(&mut self, of_a_broker: bool, name: &str) -> Result<&mut Connection> {
        match name.parse() {
            Ok(id) if of_a_broker => {
                self.brokers()?;
                self.broker(id)
            }
            _ => Ok(self.any()),
        }
    }

    /// `None` asks for all topics. Never creates one.
    pub fn metadata(&mut self, topics: Option<Vec<String>>) -> Result<MetadataResponse> {
        let topics = topics.map(|names| {
            let named =
                names.into_iter().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() });
            named.collect()
        });
        let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
        let answer = self.seed.call(request)?;
        for broker in &answer.brokers {
            self.addresses.insert(broker.node_id, format!("{}:{}", broker.host, broker.port));
        }
        Ok(answer)
    }

    /// The ids of the brokers there are.
    pub fn brokers(&mut self) -> Result<Vec<i32>> {
        self.metadata(Some(Vec::new()))?;
        Ok(self.addresses.keys().copied().collect())
    }
}

fn is_host_and_port(address: &str) -> bool {
    let is_host = |host: &str| !host.is_empty() && !host.contains('/');
    address.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok())
}

fn unusable_bootstrap() -> Exception {
    Exception::new("org.apache.kafka.common.KafkaException", "Failed to create new KafkaAdminClient")
}

/// What a file says about clients in general is welcome and changes nothing here. A promise of encryption
/// or of a login is another matter: to go on without would send in the clear what should not be.
fn check_security(properties: &[(String, String)]) -> Result<(), Failure> {
    for (key, value) in properties {
        let plaintext = match key.as_str() {
            "security.protocol" => value.eq_ignore_ascii_case("PLAINTEXT"),
            key => !key.starts_with("sasl.") && !key.starts_with("ssl."),
        };
        if !plaintext {
            return Err(Failure::illegal_argument(format!(
                "{key} is set in --command-config, but this tool speaks PLAINTEXT alone: \
                 use a listener with security.protocol=PLAINTEXT"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_or_encryption_that_is_asked_for_is_refused() {
        for (text, refused) in [
            ("client.id=x\nrequest.timeout.ms=1000\nsecurity.protocol=PLAINTEXT", None),
            ("security.protocol=SASL_SSL", Some("security.protocol is set")),
            ("sasl.mechanism=PLAIN", Some("sasl.mechanism is set")),
            ("ssl.truststore.location=/x", Some("ssl.truststore.location is set")),
        ] {
            let said = check_security(&properties::parse(text)).err();
            match (refused, &said) {
                (None, None) => {}
                (Some(start), Some(Failure::Exception(exception))) => {
                    assert!(exception.message.starts_with(start), "{exception}");
                }
                _ => panic!("{text}: {said:?}"),
            }
        }
    }

    #[test]
    fn a_bootstrap_without_a_port_is_refused() {
        for (address, good) in [
            ("a:1", true),
            ("[::1]:9092", true),
            ("nonsense", false),
            ("a:70000", false),
            ("x/y://a:1", false),
        ] {
            assert_eq!(is_host_and_port(address), good, "{address}");
        }
    }
}
