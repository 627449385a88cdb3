//! The properties of Kafka's Java clients, as people write them in `--command-property` and in files, and
//! what librdkafka calls the same.

use std::collections::BTreeMap;

use super::{
    bootstrap,
    failure::{Exception, Failure},
};

/// As they were given: by their Java names.
pub type Properties = BTreeMap<String, String>;

/// What librdkafka is to be told, and what it cannot be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Translated {
    pub settings: Vec<(String, String)>,
    /// Names that mean nothing to this client.
    pub unknown: Vec<String>,
}

/// Where a property goes.
enum To {
    Same,
    As(&'static str),
    /// With protocols before them there, without here.
    Addresses,
    /// Bytes there, KiB here.
    Kibibytes(&'static str),
    /// Class names there, words here.
    Classes(&'static str, &'static [(&'static str, &'static str)]),
    /// It is read by the tool, or has no meaning outside Java.
    Nowhere,
}

/// One of the words that Kafka accepts, in its order.
const CHOICES: [(&str, &[&str]); 3] = [
    ("compression.type", &["none", "gzip", "snappy", "lz4", "zstd"]),
    ("acks", &["all", "-1", "0", "1"]),
    ("isolation.level", &["read_committed", "read_uncommitted"]),
];

const KNOWN: &[(&str, To)] = &[
    ("acks", To::Same),
    ("allow.auto.create.topics", To::Same),
    ("auto.commit.interval.ms", To::Same),
    ("auto.offset.reset", To::Classes("auto.offset.reset", &[("none", "error")])),
    ("batch.size", To::Same),
    ("bootstrap.servers", To::Addresses),
    ("buffer.memory", To::Kibibytes("queue.buffering.max.kbytes")),
    ("check.crcs", To::Same),
    ("client.dns.lookup", To::Same),
    ("client.id", To::Same),
    ("client.rack", To::Same),
    ("compression.gzip.level", To::As("compression.level")),
    ("compression.lz4.level", To::As("compression.level")),
    ("compression.type", To::Same),
    ("compression.zstd.level", To::As("compression.level")),
    ("connections.max.idle.ms", To::Same),
    ("default.api.timeout.ms", To::Nowhere),
    ("delivery.timeout.ms", To::Same),
    ("enable.auto.commit", To::Same),
    ("enable.idempotence", To::Same),
    ("enable.metrics.push", To::Same),
    ("exclude.internal.topics", To::Nowhere),
    ("fetch.max.bytes", To::Same),
    ("fetch.max.wait.ms", To::As("fetch.wait.max.ms")),
    ("fetch.min.bytes", To::Same),
    ("group.id", To::Same),
    ("group.instance.id", To::Same),
    ("group.protocol", To::Same),
    ("group.remote.assignor", To::Same),
    ("heartbeat.interval.ms", To::Same),
    ("isolation.level", To::Same),
    ("key.deserializer", To::Nowhere),
    ("key.serializer", To::Nowhere),
    ("linger.ms", To::Same),
    ("max.block.ms", To::Nowhere),
    ("max.in.flight.requests.per.connection", To::Same),
    ("max.partition.fetch.bytes", To::Same),
    ("max.poll.interval.ms", To::Same),
    ("max.poll.records", To::Nowhere),
    ("max.request.size", To::As("message.max.bytes")),
    ("metadata.max.age.ms", To::Same),
    (
        "partition.assignment.strategy",
        To::Classes(
            "partition.assignment.strategy",
            &[
                ("org.apache.kafka.clients.consumer.RangeAssignor", "range"),
                ("org.apache.kafka.clients.consumer.RoundRobinAssignor", "roundrobin"),
                ("org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "cooperative-sticky"),
            ],
        ),
    ),
    ("receive.buffer.bytes", To::As("socket.receive.buffer.bytes")),
    ("reconnect.backoff.max.ms", To::Same),
    ("reconnect.backoff.ms", To::Same),
    ("request.timeout.ms", To::Same),
    ("retries", To::Same),
    ("retry.backoff.max.ms", To::Same),
    ("retry.backoff.ms", To::Same),
    ("security.protocol", To::Same),
    ("send.buffer.bytes", To::As("socket.send.buffer.bytes")),
    ("session.timeout.ms", To::Same),
    ("value.deserializer", To::Nowhere),
    ("value.serializer", To::Nowhere),
];

/// `key=value` as the flags have them; a word without a value has an empty one.
pub fn from_flags(words: &[String]) -> impl Iterator<Item = (String, String)> {
    let split = |word: &String| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_owned(), value.to_owned())
    };
    words.iter().filter(|word| !word.is_empty()).map(split)
}

/// In librdkafka's words. A value that no Kafka client takes is refused; so are encryption and logins, since
/// to go on without would send in the clear what should not be.
pub fn translate(properties: &Properties) -> Result<Translated, Failure> {
    let mut translated = Translated::default();
    for (name, value) in properties {
        check_choice(name, value)?;
        check_security(name, value)?;
        let Some((_, to)) = KNOWN.iter().find(|(known, _)| known == name) else {
            translated.unknown.push(name.clone());
            continue;
        };
        let (name, value) = match to {
            To::Same => (name.as_str(), value.clone()),
            To::Addresses => (name.as_str(), bootstrap::addresses(value).collect::<Vec<_>>().join(",")),
            To::As(name) => (*name, value.clone()),
            To::Kibibytes(native) => (*native, kibibytes(name, value)?),
            To::Classes(name, classes) => (*name, words(value, classes)),
            To::Nowhere => continue,
        };
        translated.settings.push((name.to_owned(), value));
    }
    Ok(translated)
}

fn check_choice(name: &str, value: &str) -> Result<(), Failure> {
    match CHOICES.iter().find(|(choice, _)| *choice == name) {
        Some((_, words)) if !words.contains(&value) => Err(config_exception(format!(
            "Invalid value {value} for configuration {name}: String must be one of: {}",
            words.join(", ")
        ))),
        _ => Ok(()),
    }
}

fn check_security(name: &str, value: &str) -> Result<(), Failure> {
    let plaintext = match name {
        "security.protocol" => value.eq_ignore_ascii_case("PLAINTEXT"),
        name => !name.starts_with("sasl.") && !name.starts_with("ssl."),
    };
    match plaintext {
        true => Ok(()),
        false => Err(config_exception(format!(
            "{name} is set, but this tool speaks PLAINTEXT alone: use a listener with \
             security.protocol=PLAINTEXT"
        ))),
    }
}

fn kibibytes(name: &str, value: &str) -> Result<String, Failure> {
    let not_a_number = || {
        config_exception(format!("Invalid value {value} for configuration {name}: Not a number of type LONG"))
    };
    let bytes: u64 = value.trim().parse().map_err(|_| not_a_number())?;
    Ok(bytes.div_ceil(1024).max(1).to_string())
}

fn words(value: &str, classes: &[(&str, &str)]) -> String {
    let word = |class: &str| {
        let known = classes.iter().find(|(name, _)| *name == class.trim());
        known.map_or(class.trim(), |(_, word)| word).to_owned()
    };
    value.split(',').map(word).collect::<Vec<_>>().join(",")
}

fn config_exception(message: String) -> Failure {
    Exception::new("org.apache.kafka.common.config.ConfigException", message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_names_become_librdkafkas() {
        for (name, value, expected) in [
            ("acks", "all", "acks=all"),
            ("buffer.memory", "33554432", "queue.buffering.max.kbytes=32768"),
            ("buffer.memory", "1", "queue.buffering.max.kbytes=1"),
            ("send.buffer.bytes", "7", "socket.send.buffer.bytes=7"),
            ("auto.offset.reset", "none", "auto.offset.reset=error"),
            (
                "partition.assignment.strategy",
                "org.apache.kafka.clients.consumer.RangeAssignor, range",
                "partition.assignment.strategy=range,range",
            ),
            ("max.poll.records", "1", ""),
            ("interceptor.classes", "x", "unknown: interceptor.classes"),
        ] {
            let translated = translate(&BTreeMap::from([(name.to_owned(), value.to_owned())])).unwrap();
            let mut said: Vec<_> =
                translated.settings.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
            said.extend(translated.unknown.iter().map(|name| format!("unknown: {name}")));
            assert_eq!(said.join(" "), expected, "{name}");
        }
    }

    #[test]
    fn a_value_that_no_kafka_client_takes_is_refused() {
        for (name, value, said) in [
            (
                "compression.type",
                "blurp",
                "Invalid value blurp for configuration compression.type: String must be one of: none, gzip, \
                 snappy, lz4, zstd",
            ),
            ("acks", "7", "Invalid value 7 for configuration acks: String must be one of: all, -1, 0, 1"),
            (
                "buffer.memory",
                "much",
                "Invalid value much for configuration buffer.memory: Not a number of type LONG",
            ),
            (
                "security.protocol",
                "SSL",
                "security.protocol is set, but this tool speaks PLAINTEXT alone: use a listener with \
                 security.protocol=PLAINTEXT",
            ),
        ] {
            let refused = translate(&BTreeMap::from([(name.to_owned(), value.to_owned())])).unwrap_err();
            assert!(
                matches!(&refused, Failure::Exception(exception) if exception.message == said),
                "{refused:?}"
            );
        }
    }
}
