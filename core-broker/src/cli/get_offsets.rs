//! `kafka-get-offsets`: where the logs of partitions begin and end, or where a time is in them.

use std::{collections::BTreeMap, process::ExitCode};

use kafka_wire::{
    ApiKey, ErrorCode,
    messages::list_offsets::{
        EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP,
        LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsRequest,
        ListOffsetsTopic, MAX_TIMESTAMP,
    },
};

use super::{
    Tool,
    cluster::Cluster,
    connection::Connection,
    failure::{Exception, Failure},
    leaders::{self, Answers, Asked, Partition},
    options::{HELP, Options, Spec, VERSION, switch, value},
    output::{remark, say},
    topic_filter::TopicFilter,
};

pub const GET_OFFSETS: Tool = Tool {
    link: "kafka-get-offsets",
    about: "An interactive shell for getting topic-partition offsets.",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    value("bootstrap-server", "HOST:PORT,...", "REQUIRED: the brokers to begin with"),
    value("broker-list", "HOST:PORT,...", "The name of --bootstrap-server before Kafka 3.0"),
    value("command-config", "file", "A properties file for the client"),
    switch("exclude-internal-topics", "Without the broker's own topics"),
    HELP,
    value("partitions", "n,...", "Only these partitions; not with --topic-partitions"),
    value("time", "time", "Milliseconds since 1970, earliest, max-timestamp ... or latest"),
    value("topic", "topic", "The topics, a regular expression; not with --topic-partitions"),
    value(
        "topic-partitions",
        "topic:n,...",
        "Topics and their partitions: n, n-m (without m), n-, -m or all",
    ),
    VERSION,
];

/// What `--time` knows by name.
const TIMES: [(&str, i64); 6] = [
    ("latest", LATEST_TIMESTAMP),
    ("earliest", EARLIEST_TIMESTAMP),
    ("max-timestamp", MAX_TIMESTAMP),
    ("earliest-local", EARLIEST_LOCAL_TIMESTAMP),
    ("latest-tiered", LATEST_TIERED_TIMESTAMP),
    ("earliest-pending-upload", EARLIEST_PENDING_UPLOAD_TIMESTAMP),
];

/// The first version of ListOffsets that knows the time.
const KNOWN_FROM: [(i64, i16); 4] = [
    (MAX_TIMESTAMP, 7),
    (EARLIEST_LOCAL_TIMESTAMP, 8),
    (LATEST_TIERED_TIMESTAMP, 9),
    (EARLIEST_PENDING_UPLOAD_TIMESTAMP, 11),
];

const TIMEOUT_MS: i32 = 60_000;

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    tool.end(print_offsets(tool, words), |exception| {
        remark(format_args!("Error occurred: {}", exception.message))
    })
}

fn print_offsets(tool: &Tool, words: &[String]) -> Result<(), Failure> {
    let options = tool.parse(words)?;
    let bootstrap = match options.value("broker-list")? {
        Some(brokers) if !options.has("bootstrap-server") => brokers,
        _ => {
            options.require(&["bootstrap-server"])?;
            options.value("bootstrap-server")?.unwrap_or_default()
        }
    };
    check_bootstrap(bootstrap)?;
    let has_lists = options.has("topic") || options.has("partitions");
    if options.has("topic-partitions") && has_lists {
        return Err(Failure::terse("--topic-partitions cannot be used with --topic or --partitions"));
    }
    let timestamp = timestamp(options.value("time")?.unwrap_or("latest"))?;
    let rules = rules(&options)?;
    let mut cluster = Cluster::connect_to(bootstrap, &options, "GetOffsetShell")?;
    let partitions = partitions(&mut cluster, &rules, options.has("exclude-internal-topics"))?;
    if partitions.is_empty() {
        return Err(Failure::terse("Could not match any topic-partitions with the specified filters"));
    }
    for line in offsets(&mut cluster, partitions, timestamp)? {
        say(line);
    }
    Ok(())
}

fn check_bootstrap(bootstrap: &str) -> Result<(), Failure> {
    if bootstrap.trim().is_empty() {
        return Err(Failure::Usage("Error while validating the bootstrap address\n".to_owned()));
    }
    let is_number = |port: &str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    let has_port = |address: &str| address.trim().rsplit_once(':').is_some_and(|(_, port)| is_number(port));
    match bootstrap.split(',').all(has_port) {
        true => Ok(()),
        false => {
            Err(Failure::Usage("Please provide valid host:port like host1:9091,host2:9092\n".to_owned()))
        }
    }
}

fn timestamp(text: &str) -> Result<i64, Failure> {
    let named = TIMES.iter().find(|(name, _)| *name == text).map(|(_, time)| *time);
    named.or_else(|| text.parse().ok()).ok_or_else(|| {
        Failure::terse(format!(
            "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / \
             -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long \
             format timestamp"
        ))
    })
}

/// One of the topics that a filter chooses, and of their partitions.
#[derive(Debug)]
struct Rule {
    topics: TopicFilter,
    partitions: Partitions,
}

#[derive(Debug, PartialEq, Eq)]
enum Partitions {
    /// Empty: every partition.
    Of(Vec<i32>),
    /// The second is not in it.
    Between(i32, i32),
}

impl Partitions {
    fn choose(&self, partition: i32) -> bool {
        match self {
            Self::Of(list) => list.is_empty() || list.contains(&partition),
            Self::Between(first, end) => (*first..*end).contains(&partition),
        }
    }
}

fn rules(options: &Options) -> Result<Vec<Rule>, Failure> {
    if let Some(list) = options.value("topic-partitions")? {
        return list.split(',').map(rule).collect();
    }
    let list = options.value("partitions")?.unwrap_or_default();
    // As Java splits: what is empty at the end is not there.
    let parts = list.trim_end_matches(',').split(',').filter(|_| !list.is_empty());
    let numbers: Result<Vec<i32>, _> = parts.map(str::parse::<i32>).collect();
    let partitions = numbers.map_err(|_| {
        Failure::terse(format!(
            "--partitions expects a comma separated list of numeric partition ids, but received: {list}"
        ))
    })?;
    let topics = TopicFilter::new(options.value("topic")?.unwrap_or(".*"))?;
    Ok(vec![Rule { topics, partitions: Partitions::Of(partitions) }])
}

/// `topic:partitions`, where either may be left out.
fn rule(text: &str) -> Result<Rule, Failure> {
    let (topics, partitions) = text.split_once(':').unwrap_or((text, ""));
    let number = |digits: &str, empty| match digits {
        "" => Ok(empty),
        digits if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits.parse().map_err(drop),
        _ => Err(()),
    };
    let partitions = match partitions.split_once('-') {
        Some((first, end)) => {
            number(first, 0).and_then(|first| Ok(Partitions::Between(first, number(end, i32::MAX)?)))
        }
        None if partitions.is_empty() => Ok(Partitions::Between(0, i32::MAX)),
        None => number(partitions, 0).map(|only| Partitions::Of(vec![only])),
    };
    let partitions = partitions.map_err(|()| {
        let said = format!("org.apache.kafka.tools.TerseException: Invalid rule specification: {text}");
        Exception::new("java.lang.RuntimeException", said)
    })?;
    let topics = TopicFilter::new(if topics.is_empty() { ".*" } else { topics })?;
    Ok(Rule { topics, partitions })
}

fn partitions(
    cluster: &mut Cluster,
    rules: &[Rule],
    exclude_internal: bool,
) -> Result<Vec<Partition>, Failure> {
    let mut chosen = Vec::new();
    for topic in cluster.metadata(None)?.topics {
        if exclude_internal && topic.is_internal {
            continue;
        }
        let name = topic.name.unwrap_or_default();
        let indexes = topic.partitions.into_iter().map(|partition| partition.partition_index);
        let of_rule = |rule: &Rule, index| rule.topics.chooses(&name) && rule.partitions.choose(index);
        let of_rules = indexes.filter(|index| rules.iter().any(|rule| of_rule(rule, *index)));
        chosen.extend(of_rules.map(|index| (name.clone(), index)));
    }
    Ok(chosen)
}

/// `topic:partition:offset`, in the order that Kafka gives partitions by their names. A partition that has no
/// offset at that time is left out.
fn offsets(
    cluster: &mut Cluster,
    partitions: Vec<Partition>,
    timestamp: i64,
) -> Result<Vec<String>, Failure> {
    let wanted = partitions.into_iter().map(|partition| (partition, timestamp)).collect();
    let mut lines = BTreeMap::new();
    for ((topic, index), offset) in leaders::ask(cluster, wanted, list_offsets)? {
        match offset {
            Ok(offset @ 0..) => {
                lines.insert(format!("{topic}-{index}"), format!("{topic}:{index}:{offset}"));
            }
            Ok(_) => {}
            Err(error) => remark(format_args!(
                "Skip getting offsets for topic-partition {topic}-{index} due to error: {}",
                Exception::of(error, None)
            )),
        }
    }
    Ok(lines.into_values().collect())
}

fn list_offsets(leader: &mut Connection, asked: Asked<i64>) -> Result<Answers<i64>, Failure> {
    let mut known_from = None;
    let topics = asked.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition_index, timestamp)| {
            let special = KNOWN_FROM.iter().find(|(time, _)| *time == timestamp);
            known_from = known_from.max(special.map(|(_, version)| *version));
            ListOffsetsPartition { partition_index, timestamp, ..Default::default() }
        });
        ListOffsetsTopic { name, partitions: partitions.collect() }
    });
    let request =
        ListOffsetsRequest { topics: topics.collect(), timeout_ms: TIMEOUT_MS, ..Default::default() };
    if leader.version(ApiKey::ListOffsets, i16::MAX) < known_from {
        return Err(Exception::of(ErrorCode::UnsupportedVersion, None).into());
    }
    let mut answers = Answers::new();
    for topic in leader.call(request)?.topics {
        for partition in topic.partitions {
            let offset = match partition.error_code {
                ErrorCode::None => Ok(partition.offset),
                error => Err(error),
            };
            answers.insert((topic.name.clone(), partition.partition_index), offset);
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_chooses_topics_and_partitions() {
        for (text, chosen, not) in [
            ("gps", ("gps", 7), ("gps2", 0)),
            ("gps:1", ("gps", 1), ("gps", 0)),
            ("gps:1-3", ("gps", 2), ("gps", 3)),
            ("gps:1-", ("gps", 9), ("gps", 0)),
            ("gps:-2", ("gps", 1), ("gps", 2)),
            (":1", ("any", 1), ("any", 2)),
            ("g.*:0", ("gps", 0), ("alerts", 0)),
        ] {
            let rule = rule(text).unwrap();
            let chooses =
                |(topic, index): (&str, i32)| rule.topics.chooses(topic) && rule.partitions.choose(index);
            assert!(chooses(chosen), "{text}");
            assert!(!chooses(not), "{text}");
        }
        for broken in ["gps:x", "gps:1-x", "gps:1:2", "gps:--", "(:1"] {
            assert!(rule(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn times_are_numbers_or_names() {
        for (text, expected) in
            [("latest", -1), ("-2", -2), ("earliest-local", -4), ("1700000000000", 1_700_000_000_000)]
        {
            assert_eq!(timestamp(text).unwrap(), expected);
        }
        assert!(timestamp("yesterday").is_err());
    }
}
