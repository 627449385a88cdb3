//! The words of the consumer tool, and what they come to.

use std::time::Duration;

use super::{
    super::{
        Tool,
        client_properties::{Properties, from_flags},
        failure::{Exception, Failure},
        librdkafka::Start,
        options::Options,
        output::say,
        properties,
    },
    formatter::Formatter,
};

/// What a consumer is to do.
pub struct Plan {
    pub bootstrap: String,
    pub properties: Properties,
    pub source: Source,
    pub formatter: Formatter,
    pub max_messages: Option<u64>,
    pub timeout: Option<Duration>,
    pub skips_errors: bool,
    pub announces_shutdown: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    Topic(String),
    Matching(String),
    Partition(String, i32, Start),
}

impl Source {
    pub fn topic(&self) -> Option<&str> {
        match self {
            Self::Topic(topic) | Self::Partition(topic, ..) => Some(topic),
            Self::Matching(_) => None,
        }
    }
}

pub fn read(tool: &Tool, words: &[String]) -> Result<Plan, Failure> {
    let options = tool.parse(words).map_err(usage)?;
    check(&options)?;
    let source = source(&options).map_err(usage)?;
    let given = given_properties(&options)?;
    let group = group(&options, &given)?;
    let properties = consumer_properties(&options, given, group)?;
    Ok(Plan {
        bootstrap: options.value("bootstrap-server")?.unwrap_or_default().to_owned(),
        properties,
        source,
        formatter: formatter(&options)?,
        // As there: anything below zero is no limit.
        max_messages: options.number::<i32>("max-messages")?.and_then(|most| most.try_into().ok()),
        timeout: options
            .number::<i64>("timeout-ms")?
            .and_then(|ms| ms.try_into().ok())
            .map(Duration::from_millis),
        skips_errors: options.has("skip-message-on-error"),
        announces_shutdown: options.has("enable-systest-events"),
    })
}

/// Words that cannot be read are answered with the usage.
fn usage(failure: impl Into<Failure>) -> Failure {
    match failure.into() {
        Failure::Exception(exception) => Failure::Usage(exception.message),
        failure => failure,
    }
}

fn check(options: &Options) -> Result<(), Failure> {
    let refuse = |said: &str| Err(Failure::Usage(said.to_owned()));
    if options.has("topic") == expression(options)?.is_some() {
        return refuse("Exactly one of the following arguments is required: [topic], [include]");
    }
    if options.has("partition") {
        if !options.has("topic") {
            return refuse("The topic is required when partition is specified.");
        }
        if options.has("from-beginning") && options.has("offset") {
            return refuse("Options from-beginning and offset cannot be specified together.");
        }
    } else if options.has("offset") {
        return refuse("The partition is required when offset is specified.");
    }
    options.require(&["bootstrap-server"])?;
    for (deprecated, successor) in
        [("consumer-property", "command-property"), ("consumer.config", "command-config")]
    {
        replaced(options, deprecated, successor)?;
    }
    Ok(())
}

/// The name in which an option was given that has an old and a new one.
fn replaced<'a>(options: &Options, deprecated: &'a str, successor: &'a str) -> Result<&'a str, Failure> {
    match (options.has(deprecated), options.has(successor)) {
        (true, true) => Err(Failure::Usage(format!(
            "Options --{deprecated} and --{successor} cannot be specified together."
        ))),
        (true, false) => {
            say(format_args!(
                "Option --{deprecated} is deprecated and will be removed in a future version. Use \
                 --{successor} instead."
            ));
            Ok(deprecated)
        }
        (false, _) => Ok(successor),
    }
}

fn expression(options: &Options) -> Result<Option<&str>, Exception> {
    Ok(options.value("include")?.or(options.value("whitelist")?))
}

fn source(options: &Options) -> Result<Source, Failure> {
    let start = start(options)?;
    if let Some(expression) = expression(options)? {
        return Ok(Source::Matching(expression.to_owned()));
    }
    let topic = options.value("topic")?.unwrap_or_default().to_owned();
    Ok(match options.number("partition")? {
        Some(partition) => Source::Partition(topic, partition, start),
        None => Source::Topic(topic),
    })
}

fn start(options: &Options) -> Result<Start, Failure> {
    match options.value("offset")? {
        None if options.has("from-beginning") => Ok(Start::Earliest),
        None => Ok(Start::Latest),
        Some(word) if word.eq_ignore_ascii_case("earliest") => Ok(Start::Earliest),
        Some(word) if word.eq_ignore_ascii_case("latest") => Ok(Start::Latest),
        Some(word) => match word.parse() {
            Ok(offset @ 0..) => Ok(Start::At(offset)),
            _ => Err(Failure::Usage(format!(
                "The provided offset value '{word}' is incorrect. Valid values are 'earliest', 'latest', or a \
                 non-negative long."
            ))),
        },
    }
}

/// Of the file and of the flags, which go before it.
struct Given {
    file: Properties,
    flags: Properties,
}

fn given_properties(options: &Options) -> Result<Given, Failure> {
    let value = |new: &str, old: &str| options.value(new).and_then(|value| Ok(value.or(options.value(old)?)));
    let file = match value("command-config", "consumer.config")? {
        Some(path) => properties::load(path)?.into_iter().collect(),
        None => Properties::new(),
    };
    let flags = [options.values("command-property"), options.values("consumer-property")].concat();
    Ok(Given { file, flags: from_flags(&flags).collect() })
}

fn group(options: &Options, given: &Given) -> Result<Option<String>, Failure> {
    let mut groups = vec![];
    groups.extend(options.value("group")?.map(str::to_owned));
    for properties in [&given.file, &given.flags] {
        groups.extend(properties.get("group.id").cloned());
    }
    groups.dedup();
    if groups.len() > 1 {
        let groups: Vec<_> = groups.iter().map(|group| format!("'{group}'")).collect();
        return Err(Failure::Usage(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', \
             or via '--consumer.config') do not match. Detected group ids: {}",
            groups.join(", ")
        )));
    }
    if !groups.is_empty() && options.has("partition") {
        return Err(Failure::Usage("Options group and partition cannot be specified together.".to_owned()));
    }
    Ok(groups.pop())
}

fn consumer_properties(
    options: &Options,
    given: Given,
    group: Option<String>,
) -> Result<Properties, Failure> {
    let mut properties = given.file;
    properties.extend(given.flags);
    let mut default = |name: &str, value: &str| {
        properties.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    };
    default("client.id", "console-consumer");
    // What Java's consumer does unasked.
    default("allow.auto.create.topics", "true");
    default("check.crcs", "true");
    default("partition.assignment.strategy", "range");
    if options.has("isolation-level") {
        let level = options.value("isolation-level")?.unwrap_or_default();
        properties.insert("isolation.level".to_owned(), level.to_owned());
    } else {
        default("isolation.level", "read_uncommitted");
    }
    match group {
        Some(group) => properties.insert("group.id".to_owned(), group),
        None => {
            // Nobody comes back to this group, so that nothing of it needs to stay.
            properties.entry("enable.auto.commit".to_owned()).or_insert_with(|| "false".to_owned());
            properties.insert("group.id".to_owned(), format!("console-consumer-{}", number_below(100_000)))
        }
    };
    set_reset(options, &mut properties)?;
    let bootstrap = options.value("bootstrap-server")?.unwrap_or_default();
    properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    Ok(properties)
}

fn set_reset(options: &Options, properties: &mut Properties) -> Result<(), Failure> {
    let from_beginning = options.has("from-beginning");
    match properties.get("auto.offset.reset") {
        Some(reset) if from_beginning && reset != "earliest" => {
            return Err(Exception::terse(format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please remove \
                 one option"
            ))
            .into());
        }
        Some(_) => {}
        None => {
            let reset = if from_beginning { "earliest" } else { "latest" };
            properties.insert("auto.offset.reset".to_owned(), reset.to_owned());
        }
    }
    Ok(())
}

fn formatter(options: &Options) -> Result<Formatter, Failure> {
    let mut properties = match options.value("formatter-config")? {
        Some(path) => properties::load(path)?.into_iter().collect(),
        None => Properties::new(),
    };
    for side in ["key", "value"] {
        if let Some(class) = options.value(&format!("{side}-deserializer"))? {
            properties.insert(format!("{side}.deserializer"), class.to_owned());
        }
    }
    if options.has("print-key") {
        properties.insert("print.key".to_owned(), "true".to_owned());
    }
    let name = replaced(options, "property", "formatter-property")?;
    properties.extend(from_flags(options.values(name)));
    let class = options.value("formatter")?;
    // Java says the name of a class that it does not find, and nothing else.
    Formatter::new(class, &properties).ok_or_else(|| Failure::Usage(class.unwrap_or_default().to_owned()))
}

/// Two tools that begin at once should have different groups.
fn number_below(limit: u128) -> u128 {
    uuid::Uuid::new_v4().as_u128() % limit
}
