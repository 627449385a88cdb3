//! `kafka-log-dirs`: how much of which partition lies in which directory of which broker.

use std::{collections::BTreeSet, process::ExitCode};

use kafka_wire::{
    ErrorCode,
    messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResult},
};
use serde_json::Value;

use super::{
    Tool,
    cluster::Cluster,
    failure::{Exception, Failure, accepted},
    options::{HELP, Options, Spec, VERSION, switch, value},
    output::{remark, say},
};

pub const LOG_DIRS: Tool = Tool {
    link: "kafka-log-dirs",
    about: "This tool helps to query log directory usage on the specified brokers.",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    value("bootstrap-server", "HOST:PORT,...", "REQUIRED: the brokers to begin with"),
    value("broker-list", "id,...", "Only these brokers"),
    value("command-config", "file", "A properties file for the client"),
    switch("describe", "REQUIRED: print what lies where, as JSON"),
    HELP,
    value("topic-list", "topic,...", "Only these topics"),
    VERSION,
];

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    tool.end(describe(tool, words), |exception| remark(format_args!("{}", exception.message)))
}

fn describe(tool: &Tool, words: &[String]) -> Result<(), Failure> {
    let options = tool.parse(words)?;
    options.require(&["bootstrap-server", "describe"])?;
    let mut cluster = Cluster::connect(&options, "log-dirs-tool")?;
    let topics: BTreeSet<String> = list(&options, "topic-list")?.into_iter().collect();
    let existing: BTreeSet<i32> = cluster.brokers()?.into_iter().collect();
    let asked = brokers(&options)?;
    let missing: BTreeSet<i32> = asked.difference(&existing).copied().collect();
    if !missing.is_empty() {
        return Err(Failure::terse(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            comma_separated(&missing),
            comma_separated(&existing)
        )));
    }
    let asked = if asked.is_empty() { existing } else { asked };
    say("Querying brokers for log directories information");
    let mut described = Vec::new();
    for id in &asked {
        let answer = cluster.broker(*id)?.call(DescribeLogDirsRequest { topics: None })?;
        accepted(answer.error_code, None)?;
        described.push(broker_json(*id, answer.results, &topics));
    }
    say(format_args!("Received log directory information from brokers {}", comma_separated(&asked)));
    say(format_args!("{{\"brokers\":[{}],\"version\":1}}", described.join(",")));
    Ok(())
}

fn list(options: &Options, name: &str) -> Result<Vec<String>, Failure> {
    let list = options.value(name)?.unwrap_or_default();
    Ok(list.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

fn brokers(options: &Options) -> Result<BTreeSet<i32>, Failure> {
    let ids = list(options, "broker-list")?;
    let number = |id: &String| {
        let said = format!("For input string: \"{id}\"");
        id.parse().map_err(|_| Exception::new("java.lang.NumberFormatException", said).into())
    };
    ids.iter().map(number).collect()
}

fn comma_separated(ids: &BTreeSet<i32>) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// Written field by field: the order of the fields is what Apache Kafka's tool happens to print.
fn broker_json(id: i32, dirs: Vec<DescribeLogDirsResult>, topics: &BTreeSet<String>) -> String {
    let dirs = dirs.into_iter().map(|mut dir| {
        dir.topics.sort_by(|one, other| one.name.cmp(&other.name));
        let mut partitions = Vec::new();
        for topic in dir.topics.iter_mut().filter(|topic| topics.is_empty() || topics.contains(&topic.name)) {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
            partitions.extend(topic.partitions.iter().map(|partition| {
                format!(
                    "{{\"partition\":{},\"size\":{},\"offsetLag\":{},\"isFuture\":{}}}",
                    Value::from(format!("{}-{}", topic.name, partition.partition_index)),
                    partition.partition_size,
                    partition.offset_lag,
                    partition.is_future_key
                )
            }));
        }
        let error = match dir.error_code {
            ErrorCode::None => Value::Null,
            error => Value::from(Exception::of(error, None).class),
        };
        let log_dir = Value::from(dir.log_dir);
        format!("{{\"partitions\":[{}],\"error\":{error},\"logDir\":{log_dir}}}", partitions.join(","))
    });
    format!("{{\"broker\":{id},\"logDirs\":[{}]}}", dirs.collect::<Vec<_>>().join(","))
}
