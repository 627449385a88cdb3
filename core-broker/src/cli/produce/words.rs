//! The words of the producer tool, and what they come to.

use std::time::Duration;

use super::{
    super::{
        Tool,
        client_properties::{Properties, Translated, from_flags, translate},
        failure::{Exception, Failure},
        options::Options,
        output::{log, say},
        properties,
    },
    reader::Reader,
};

const READER: &str = "org.apache.kafka.tools.LineMessageReader";

/// What a producer is to do.
pub struct Plan {
    pub bootstrap: String,
    pub topic: String,
    pub client: Translated,
    pub reader: Reader,
    pub max_line_bytes: usize,
    pub max_block: Duration,
    pub is_sync: bool,
}

/// Flags that set a property of the producer, which one in a file or in `--command-property` goes before.
/// Where librdkafka does better than the default of Kafka's tool, nothing is set.
const PROPERTIES: [(&str, &str, Option<&str>); 10] = [
    ("timeout", "linger.ms", Some("1000")),
    ("request-required-acks", "acks", Some("-1")),
    ("request-timeout-ms", "request.timeout.ms", Some("1500")),
    ("message-send-max-retries", "retries", Some("3")),
    ("retry-backoff-ms", "retry.backoff.ms", Some("100")),
    ("socket-buffer-size", "send.buffer.bytes", None),
    ("max-memory-bytes", "buffer.memory", Some("33554432")),
    ("batch-size", "batch.size", None),
    ("metadata-expiry-ms", "metadata.max.age.ms", Some("300000")),
    ("max-block-ms", "max.block.ms", Some("60000")),
];

pub fn read(tool: &Tool, words: &[String]) -> Result<Plan, Failure> {
    let options = tool.parse(words).map_err(usage)?;
    check(&options)?;
    let bootstrap = options.value("bootstrap-server")?.or(options.value("broker-list")?).unwrap_or_default();
    check_bootstrap(bootstrap)?;
    let topic = options.value("topic")?.unwrap_or_default();
    let reader = reader(&options)?;
    let properties = producer_properties(&options, bootstrap)?;
    let mut client = translate(&properties)?;
    for name in &client.unknown {
        let said = format_args!("{name} is no property that this producer knows: it has no effect");
        log("WARN", said, "org.apache.kafka.tools.ConsoleProducer");
    }
    // Kafka's producer counts bytes alone.
    client.settings.push(("queue.buffering.max.messages".to_owned(), "2000000".to_owned()));
    // A key goes where Java's producer sends it.
    client.settings.push(("partitioner".to_owned(), "murmur2_random".to_owned()));
    let number = |name: &str| properties.get(name).and_then(|value| value.trim().parse().ok());
    let max_request_bytes = number("max.request.size").and_then(|bytes| usize::try_from(bytes).ok());
    Ok(Plan {
        bootstrap: bootstrap.to_owned(),
        topic: topic.to_owned(),
        client,
        reader,
        max_line_bytes: max_request_bytes.unwrap_or(1 << 20),
        max_block: Duration::from_millis(number("max.block.ms").unwrap_or(60_000)),
        is_sync: options.has("sync"),
    })
}

/// Words that cannot be read are answered with the usage.
fn usage(failure: Failure) -> Failure {
    match failure {
        Failure::Exception(exception) => Failure::Usage(exception.message),
        failure => failure,
    }
}

fn check(options: &Options) -> Result<(), Failure> {
    options.require(&["topic"])?;
    for (deprecated, successor) in [
        ("producer-property", "command-property"),
        ("producer.config", "command-config"),
        ("property", "reader-property"),
    ] {
        match (options.has(deprecated), options.has(successor)) {
            (true, true) => {
                let said = format!("Options --{successor} and --{deprecated} cannot be specified together.");
                return Err(Failure::Usage(said));
            }
            (true, false) => say(format_args!(
                "Warning: --{deprecated} is deprecated and will be removed in a future version. Use \
                 --{successor} instead."
            )),
            (false, _) => {}
        }
    }
    Ok(())
}

fn check_bootstrap(bootstrap: &str) -> Result<(), Failure> {
    if bootstrap.trim().is_empty() {
        return Err(Failure::Usage("Error while validating the bootstrap address\n".to_owned()));
    }
    let has_port = |address: &str| {
        address
            .trim()
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    match bootstrap.split(',').all(has_port) {
        true => Ok(()),
        false => {
            Err(Failure::Usage("Please provide valid host:port like host1:9091,host2:9092\n".to_owned()))
        }
    }
}

fn reader(options: &Options) -> Result<Reader, Failure> {
    let class = options.value("line-reader")?.unwrap_or(READER);
    // Kafka 3 had it elsewhere.
    if class != READER && class != "kafka.tools.ConsoleProducer$LineMessageReader" {
        return Err(Exception::new("java.lang.ClassNotFoundException", class).into());
    }
    let mut properties = match options.value("reader-config")? {
        Some(path) => properties::load(path)?.into_iter().collect(),
        None => Properties::new(),
    };
    let flags = [options.values("reader-property"), options.values("property")].concat();
    properties.extend(from_flags(&flags));
    Ok(Reader::new(&properties)?)
}

fn producer_properties(options: &Options, bootstrap: &str) -> Result<Properties, Failure> {
    let file = match options.value("command-config")?.or(options.value("producer.config")?) {
        Some(path) => properties::load(path)?.into_iter().collect(),
        None => Properties::new(),
    };
    let mut properties: Properties = file;
    let flags = [options.values("command-property"), options.values("producer-property")].concat();
    properties.extend(from_flags(&flags));
    for (flag, name, default) in PROPERTIES {
        let given = options.number::<i64>(flag).map(|number| number.map(|number| number.to_string()));
        let given = if name == "acks" { Ok(options.value(flag)?.map(str::to_owned)) } else { given };
        // As there: a flag goes before a file, a default behind it.
        match (given?, default) {
            (Some(value), _) => _ = properties.insert(name.to_owned(), value),
            (None, Some(default)) => {
                properties.entry(name.to_owned()).or_insert_with(|| default.to_owned());
            }
            (None, None) => {}
        }
    }
    if let Some(bytes) = options.number::<i64>("max-partition-memory-bytes")? {
        properties.insert("batch.size".to_owned(), bytes.to_string());
    }
    let codec = match options.has("compression-codec") {
        true => Some(options.value("compression-codec")?.unwrap_or("gzip")),
        false => None,
    };
    if let Some(codec) = codec {
        properties.insert("compression.type".to_owned(), codec.to_owned());
    }
    let mut default = |name: &str, value: &str| {
        properties.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    };
    default("client.id", "console-producer");
    default("max.request.size", "1048576");
    default("delivery.timeout.ms", "120000");
    properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    be_idempotent(&mut properties);
    Ok(properties)
}

/// As Java's producer: unless it was said otherwise, and unless what was said excludes it.
fn be_idempotent(properties: &mut Properties) {
    let is = |name: &str, values: &[&str]| {
        properties.get(name).is_none_or(|value| values.contains(&value.as_str()))
    };
    let retries = properties.get("retries").is_none_or(|retries| retries != "0");
    let in_flight = is("max.in.flight.requests.per.connection", &["1", "2", "3", "4", "5"]);
    if is("acks", &["all", "-1"]) && retries && in_flight {
        properties.entry("enable.idempotence".to_owned()).or_insert_with(|| "true".to_owned());
    }
}
