//! `kafka-topics --create`, `--alter` and `--delete`.

use broker_logic::cluster::{ConfigError, validate_topic_config};
use kafka_wire::{
    ErrorCode,
    messages::{
        create_partitions::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic},
        create_topics::{
            CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
        },
        delete_topics::{DeleteTopicState, DeleteTopicsRequest},
    },
};

use super::{
    super::{
        cluster::Cluster,
        failure::{Exception, Failure, accepted},
        options::Options,
        output::say,
    },
    chosen, ensure_some, number_format,
};

/// What a broker may take for a change, as the Java client asks for.
const TIMEOUT_MS: i32 = 60_000;

/// What `--create` and `--alter` say about the topic.
struct Wanted {
    name: String,
    partitions: Option<i32>,
    replication_factor: Option<i32>,
    /// Per partition its brokers; empty when the broker is to choose.
    assignment: Vec<Vec<i32>>,
    configs: Vec<(String, String)>,
}

pub fn create(cluster: &mut Cluster, options: &Options) -> Result<(), Failure> {
    let wanted = wanted(options)?;
    if wanted.name.contains(['.', '_']) {
        say("WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') \
             could collide. To avoid issues it is best to use either, but not both.");
    }
    let replication_factor = match wanted.replication_factor.map(i16::try_from) {
        None => -1,
        Some(Ok(factor @ 1..)) => factor,
        Some(_) => {
            return Err(Failure::illegal_argument(
                "The replication factor must be between 1 and 32767 inclusive",
            ));
        }
    };
    if wanted.partitions.is_some_and(|partitions| partitions < 1) {
        return Err(Failure::illegal_argument("The partitions must be greater than 0"));
    }
    let assignments = (0..)
        .zip(wanted.assignment)
        .map(|(partition_index, broker_ids)| CreatableReplicaAssignment { partition_index, broker_ids });
    let configs =
        wanted.configs.into_iter().map(|(name, value)| CreatableTopicConfig { name, value: Some(value) });
    let topic = CreatableTopic {
        name: wanted.name.clone(),
        num_partitions: wanted.partitions.unwrap_or(-1),
        replication_factor,
        assignments: assignments.collect(),
        configs: configs.collect(),
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS, validate_only: false };
    for result in cluster.any().call(request)?.topics {
        match result.error_code {
            ErrorCode::None => say(format_args!("Created topic {}.", wanted.name)),
            ErrorCode::TopicAlreadyExists if options.has("if-not-exists") => {}
            error => return Err(Exception::of(error, result.error_message).into()),
        }
    }
    Ok(())
}

pub fn alter(cluster: &mut Cluster, options: &Options) -> Result<(), Failure> {
    let wanted = wanted(options)?;
    let names = chosen(cluster, options)?;
    ensure_some(&names, options)?;
    if names.is_empty() {
        return Ok(());
    }
    let there = cluster.metadata(Some(names))?.topics;
    let topics = there.into_iter().map(|topic| CreatePartitionsTopic {
        assignments: (!wanted.assignment.is_empty()).then(|| {
            // Those of the partitions that there are stay as they are.
            let added = wanted.assignment.iter().skip(topic.partitions.len()).cloned();
            added.map(|broker_ids| CreatePartitionsAssignment { broker_ids }).collect()
        }),
        name: topic.name.unwrap_or_default(),
        count: wanted.partitions.unwrap_or(-1),
    });
    let request =
        CreatePartitionsRequest { topics: topics.collect(), timeout_ms: TIMEOUT_MS, validate_only: false };
    for result in cluster.any().call(request)?.results {
        accepted(result.error_code, result.error_message)?;
    }
    Ok(())
}

pub fn delete(cluster: &mut Cluster, options: &Options) -> Result<(), Failure> {
    let names = chosen(cluster, options)?;
    ensure_some(&names, options)?;
    if names.is_empty() {
        return Ok(());
    }
    let topics = names.iter().map(|name| DeleteTopicState { name: Some(name.clone()), ..Default::default() });
    let request =
        DeleteTopicsRequest { topics: topics.collect(), topic_names: names.clone(), timeout_ms: TIMEOUT_MS };
    for result in cluster.any().call(request)?.responses {
        accepted(result.error_code, result.error_message)?;
    }
    Ok(())
}

fn wanted(options: &Options) -> Result<Wanted, Failure> {
    Ok(Wanted {
        name: options.value("topic")?.unwrap_or_default().to_owned(),
        partitions: options.number("partitions")?,
        replication_factor: options.number("replication-factor")?,
        assignment: match options.value("replica-assignment")? {
            None | Some("") => Vec::new(),
            Some(list) => replica_assignment(list)?,
        },
        configs: configs(options.values("config"))?,
    })
}

/// Checked here as by a broker of Apache Kafka, before one is asked: first the names, then the values.
fn configs(texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let configs: Vec<_> = texts.iter().map(|text| key_value(text)).collect::<Result<_, _>>()?;
    let refusals = || configs.iter().filter_map(|(key, value)| validate_topic_config(key, value).err());
    let unknown = refusals().find(|refusal| matches!(refusal, ConfigError::UnknownTopicConfig { .. }));
    if let Some(unknown) = unknown {
        return Err(Exception::of(ErrorCode::InvalidConfig, Some(unknown.to_string())).into());
    }
    match refusals().next() {
        None => Ok(configs),
        Some(refusal) => {
            Err(Exception::new("org.apache.kafka.common.config.ConfigException", refusal.to_string()).into())
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), Failure> {
    // As Java splits: what is empty at the end is not there.
    let parts: Vec<_> = text.trim_end_matches('=').split('=').map(str::trim).collect();
    match parts[..] {
        [key, value] => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::illegal_argument(
            "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".",
        )),
    }
}

/// `1:2,2:1`: the brokers of partition 0, then those of partition 1.
fn replica_assignment(list: &str) -> Result<Vec<Vec<i32>>, Failure> {
    let mut assignment: Vec<Vec<i32>> = Vec::new();
    // As Java splits: what is empty at the end is not there.
    let list = list.trim_end_matches(',');
    for (partition, text) in list.split(',').enumerate().filter(|_| !list.is_empty()) {
        let mut brokers: Vec<i32> = Vec::new();
        for id in text.split(':').map(str::trim) {
            brokers.push(id.parse().map_err(|_| number_format(id))?);
        }
        let twice: Vec<_> = (1..brokers.len()).filter(|at| brokers[..*at].contains(&brokers[*at])).collect();
        if !twice.is_empty() {
            let twice: Vec<_> = twice.into_iter().map(|at| brokers[at].to_string()).collect();
            return Err(Exception::new(
                "org.apache.kafka.tools.AdminCommandFailedException",
                format!("Partition replica lists may not contain duplicate entries: {}", twice.join(",")),
            )
            .into());
        }
        if assignment.first().is_some_and(|first| first.len() != brokers.len()) {
            return Err(Exception::new(
                "org.apache.kafka.tools.AdminOperationException",
                format!("Partition {partition} has different replication factor: {brokers:?}"),
            )
            .into());
        }
        assignment.push(brokers);
    }
    Ok(assignment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_name_the_brokers_of_each_partition() {
        for (list, expected) in [
            ("1", Ok(vec![vec![1]])),
            ("1:2,2:1", Ok(vec![vec![1, 2], vec![2, 1]])),
            (" 1 : 2", Ok(vec![vec![1, 2]])),
            ("1,", Ok(vec![vec![1]])),
            (",", Ok(Vec::new())),
            (",1", Err("For input string: \"\"")),
            ("1:1", Err("Partition replica lists may not contain duplicate entries: 1")),
            ("1,1:2", Err("Partition 1 has different replication factor: [1, 2]")),
            ("x", Err("For input string: \"x\"")),
        ] {
            let said = replica_assignment(list).map_err(|failure| match failure {
                Failure::Exception(exception) => exception.message,
                other => format!("{other:?}"),
            });
            assert_eq!(said, expected.map_err(str::to_owned), "{list}");
        }
    }

    #[test]
    fn a_config_is_one_key_and_one_value() {
        for (text, good) in
            [("a=b", true), (" a = b ", true), ("a", false), ("a=", false), ("a=b=c", false), ("a=b=", true)]
        {
            assert_eq!(key_value(text).is_ok(), good, "{text}");
        }
    }
}
