//! `kafka-delete-records`: moves the beginning of logs forward.

use std::{collections::BTreeMap, process::ExitCode};

use kafka_wire::{
    ErrorCode,
    messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
};
use serde_json::Value;

use super::{
    Tool,
    cluster::Cluster,
    connection::Connection,
    failure::{Exception, Failure},
    leaders::{self, Answers, Asked, Partition},
    options::{HELP, Spec, VERSION, value},
    output::{remark, say},
};

pub const DELETE_RECORDS: Tool = Tool {
    link: "kafka-delete-records",
    about: "This tool helps to delete records of the given partitions down to the specified offset.",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    value("bootstrap-server", "HOST:PORT,...", "REQUIRED: the brokers to begin with"),
    value("command-config", "file", "A properties file for the client"),
    HELP,
    value("offset-json-file", "file", "REQUIRED: the first offset that stays of each partition"),
    VERSION,
];

const TIMEOUT_MS: i32 = 60_000;

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    tool.end(delete(tool, words), |exception| remark(format_args!("{}\n{exception}", exception.message)))
}

fn delete(tool: &Tool, words: &[String]) -> Result<(), Failure> {
    let options = tool.parse(words)?;
    options.require(&["bootstrap-server", "offset-json-file"])?;
    let path = options.value("offset-json-file")?.unwrap_or_default();
    let text = std::fs::read_to_string(path)
        .map_err(|_| Exception::new("java.io.IOException", format!("Unable to read file {path}")))?;
    let offsets = offsets(&text)?;
    let mut cluster = Cluster::connect(&options, "adminclient-1")?;
    say("Executing records delete operation");
    let results = leaders::ask(&mut cluster, offsets, ask_leader)?;
    say("Records delete operation completed:");
    for ((topic, index), result) in results {
        match result {
            Ok(low_watermark) => {
                say(format_args!("partition: {topic}-{index}\tlow_watermark: {low_watermark}"))
            }
            Err(error) => {
                let exception = Exception::of(error, None);
                say(format_args!("partition: {topic}-{index}\terror: {exception}"));
            }
        }
    }
    Ok(())
}

fn ask_leader(leader: &mut Connection, asked: Asked<i64>) -> Result<Answers<i64>, Failure> {
    let topics = asked.into_iter().map(|(name, partitions)| {
        let partitions = partitions
            .into_iter()
            .map(|(partition_index, offset)| DeleteRecordsPartition { partition_index, offset });
        DeleteRecordsTopic { name, partitions: partitions.collect() }
    });
    let request = DeleteRecordsRequest { topics: topics.collect(), timeout_ms: TIMEOUT_MS };
    let mut answers = Answers::new();
    for topic in leader.call(request)?.topics {
        for partition in topic.partitions {
            let low_watermark = match partition.error_code {
                ErrorCode::None => Ok(partition.low_watermark),
                error => Err(error),
            };
            answers.insert((topic.name.clone(), partition.partition_index), low_watermark);
        }
    }
    Ok(answers)
}

/// `{"partitions": [{"topic": "foo", "partition": 1, "offset": 1}], "version": 1}`
fn offsets(text: &str) -> Result<BTreeMap<Partition, i64>, Failure> {
    let json: Value =
        serde_json::from_str(text).map_err(|_| operation("The input string is not a valid JSON"))?;
    let version = json.get("version").map_or(Ok(1), |version| integer(version, "Integer"))?;
    if version != 1 {
        return Err(operation(&format!("Not supported version field value {version}")));
    }
    let partitions = json.get("partitions").ok_or_else(|| operation("Missing partitions field"))?;
    let list = partitions
        .as_array()
        .ok_or_else(|| mapping(format!("Expected JSON array, received {partitions}")))?;
    let mut offsets = BTreeMap::new();
    let mut twice = Vec::new();
    for entry in list {
        let field =
            |name: &str| entry.get(name).ok_or_else(|| mapping(format!("No such field exists: `{name}`")));
        let topic = field("topic")?;
        let topic = topic.as_str().ok_or_else(|| expected("String", topic))?.to_owned();
        let partition = field("partition")?;
        let index =
            i32::try_from(integer(partition, "Integer")?).map_err(|_| expected("Integer", partition))?;
        let offset = integer(field("offset")?, "Long")?;
        let told = format!("{topic}-{index}");
        if offsets.insert((topic, index), offset).is_some() && !twice.contains(&told) {
            twice.push(told);
        }
    }
    match twice[..] {
        [] => Ok(offsets),
        _ => Err(Exception::new(
            "org.apache.kafka.tools.AdminCommandFailedException",
            format!("Offset json file contains duplicate topic partitions: {}", twice.join(",")),
        )
        .into()),
    }
}

fn integer(value: &Value, kind: &str) -> Result<i64, Failure> {
    value.as_i64().ok_or_else(|| expected(kind, value))
}

fn expected(kind: &str, value: &Value) -> Failure {
    mapping(format!("Expected `{kind}` value, received {value}"))
}

fn mapping(message: String) -> Failure {
    Exception::new("com.fasterxml.jackson.databind.JsonMappingException", message).into()
}

fn operation(message: &str) -> Failure {
    Exception::new("org.apache.kafka.tools.AdminOperationException", message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_partitions_and_their_offsets() {
        let plain = r#"{"partitions":[{"topic":"a","partition":1,"offset":5}],"version":1}"#;
        assert_eq!(offsets(plain).unwrap(), BTreeMap::from([(("a".to_owned(), 1), 5)]));
        for (text, said) in [
            ("{", "The input string is not a valid JSON"),
            (r#"{"version":2}"#, "Not supported version field value 2"),
            (r#"{"version":1}"#, "Missing partitions field"),
            (r#"{"partitions":7}"#, "Expected JSON array, received 7"),
            (r#"{"partitions":[{"topic":"a","offset":5}]}"#, "No such field exists: `partition`"),
            (
                r#"{"partitions":[{"topic":"a","partition":"x","offset":5}]}"#,
                "Expected `Integer` value, received \"x\"",
            ),
            (
                r#"{"partitions":[{"topic":"a","partition":4294967296,"offset":5}]}"#,
                "Expected `Integer` value, received 4294967296",
            ),
            (
                r#"{"partitions":[{"topic":"a","partition":0,"offset":5},{"topic":"a","partition":0,"offset":6}]}"#,
                "Offset json file contains duplicate topic partitions: a-0",
            ),
        ] {
            let Err(Failure::Exception(exception)) = offsets(text) else { panic!("{text} is accepted") };
            assert_eq!(exception.message, said);
        }
    }
}
