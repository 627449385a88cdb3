//! `kafka-topics --describe`: a line for the topic, a line for each partition.

use std::collections::{BTreeMap, BTreeSet};

use kafka_wire::{
    ApiKey, ErrorCode,
    configs::{resource_type, source},
    messages::{
        describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult},
        describe_topic_partitions::{Cursor, DescribeTopicPartitionsRequest, TopicRequest},
        list_partition_reassignments::{
            ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics, OngoingPartitionReassignment,
        },
    },
};
use uuid::Uuid;

use super::{
    super::{
        cluster::Cluster,
        failure::{Failure, accepted},
        options::Options,
        output::say,
    },
    chosen, ensure_some,
    words::REPORTS,
};

/// Partitions in one answer of a broker, as the Java client asks for.
const PAGE: i32 = 2_000;

struct Topic {
    name: String,
    id: Uuid,
    partitions: Vec<Partition>,
}

struct Partition {
    index: i32,
    leader: Option<i32>,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
    /// Not known when the broker answers in the old way.
    eligible: Option<Vec<i32>>,
    last_known_eligible: Option<Vec<i32>>,
}

type Reassignments = BTreeMap<(String, i32), OngoingPartitionReassignment>;

pub fn describe(cluster: &mut Cluster, options: &Options) -> Result<(), Failure> {
    let topics = match options.value("topic-id")?.map(topic_id).transpose()? {
        Some(id) if !id.is_nil() => by_id(cluster, options, id)?,
        _ => by_name(cluster, options)?,
    };
    let configs = configs(cluster, &topics)?;
    let live: BTreeSet<i32> = cluster.brokers()?.into_iter().collect();
    let reassignments = reassignments(cluster, &topics)?;
    for topic in &topics {
        let configs = configs.get(&topic.name).map_or(&[][..], Vec::as_slice);
        print_topic(options, topic, configs, &reassignments);
        if !options.has("topics-with-overrides") {
            for partition in &topic.partitions {
                let reassignment = reassignments.get(&(topic.name.clone(), partition.index));
                if is_asked_for(options, partition, reassignment, &live, min_in_sync(configs)) {
                    print_partition(&topic.name, partition, reassignment);
                }
            }
        }
    }
    Ok(())
}

fn by_id(cluster: &mut Cluster, options: &Options, id: Uuid) -> Result<Vec<Topic>, Failure> {
    let found = cluster.metadata(None)?.topics.into_iter().filter(|topic| topic.topic_id == id);
    let names: Vec<_> = found.filter_map(|topic| topic.name).collect();
    if names.is_empty() {
        if options.has("if-exists") {
            return Ok(Vec::new());
        }
        let id = as_text(id);
        return Err(Failure::illegal_argument(format!("TopicId '{id}' does not exist as expected")));
    }
    from_metadata(cluster, names)
}

fn by_name(cluster: &mut Cluster, options: &Options) -> Result<Vec<Topic>, Failure> {
    let names = chosen(cluster, options)?;
    ensure_some(&names, options)?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if !cluster.any().serves(ApiKey::DescribeTopicPartitions) {
        return from_metadata(cluster, names);
    }
    let limit = options.number("partition-size-limit-per-response")?.unwrap_or(PAGE);
    let mut topics: Vec<Topic> = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        // A broker that goes on from a cursor wants to hear of the topics from there on.
        let begin = cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
        let rest = names.iter().filter(|name| name.as_str() >= begin);
        let request = DescribeTopicPartitionsRequest {
            topics: rest.map(|name| TopicRequest { name: name.clone() }).collect(),
            response_partition_limit: limit,
            cursor,
        };
        let answer = cluster.any().call(request)?;
        for described in answer.topics {
            accepted(described.error_code, None)?;
            let name = described.name.unwrap_or_default();
            if topics.last().is_none_or(|last| last.name != name) {
                topics.push(Topic { name, id: described.topic_id, partitions: Vec::new() });
            }
            let partitions = described.partitions.into_iter().map(|partition| Partition {
                index: partition.partition_index,
                leader: (partition.leader_id >= 0).then_some(partition.leader_id),
                replicas: partition.replica_nodes,
                in_sync: partition.isr_nodes,
                eligible: Some(partition.eligible_leader_replicas.unwrap_or_default()),
                last_known_eligible: Some(partition.last_known_elr.unwrap_or_default()),
            });
            if let Some(topic) = topics.last_mut() {
                topic.partitions.extend(partitions);
            }
        }
        match answer.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(sorted(topics))
}

fn from_metadata(cluster: &mut Cluster, names: Vec<String>) -> Result<Vec<Topic>, Failure> {
    let mut topics = Vec::new();
    for topic in cluster.metadata(Some(names))?.topics {
        accepted(topic.error_code, None)?;
        let partitions = topic.partitions.into_iter().map(|partition| Partition {
            index: partition.partition_index,
            leader: (partition.leader_id >= 0).then_some(partition.leader_id),
            replicas: partition.replica_nodes,
            in_sync: partition.isr_nodes,
            eligible: None,
            last_known_eligible: None,
        });
        topics.push(Topic {
            name: topic.name.unwrap_or_default(),
            id: topic.topic_id,
            partitions: partitions.collect(),
        });
    }
    Ok(sorted(topics))
}

fn sorted(mut topics: Vec<Topic>) -> Vec<Topic> {
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    for topic in &mut topics {
        topic.partitions.sort_by_key(|partition| partition.index);
    }
    topics
}

/// As Kafka writes ids.
fn as_text(id: Uuid) -> String {
    data_encoding::BASE64URL_NOPAD.encode(id.as_bytes())
}

fn topic_id(text: &str) -> Result<Uuid, Failure> {
    let bytes =
        data_encoding::BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).unwrap_or_default();
    <[u8; 16]>::try_from(bytes).map(Uuid::from_bytes).map_err(|bytes| {
        Failure::illegal_argument(format!(
            "Input string `{text}` decoded as {} bytes, which is not equal to the expected 16 bytes of a \
             base64-encoded UUID",
            bytes.len()
        ))
    })
}

type Configs = BTreeMap<String, Vec<DescribeConfigsResourceResult>>;

fn configs(cluster: &mut Cluster, topics: &[Topic]) -> Result<Configs, Failure> {
    if topics.is_empty() {
        return Ok(Configs::new());
    }
    let resources = topics.iter().map(|topic| DescribeConfigsResource {
        resource_type: resource_type::TOPIC,
        resource_name: topic.name.clone(),
        configuration_keys: None,
    });
    let request = DescribeConfigsRequest { resources: resources.collect(), ..Default::default() };
    let mut configs = Configs::new();
    for mut result in cluster.any().call(request)?.results {
        accepted(result.error_code, result.error_message)?;
        result.configs.sort_by(|one, other| one.name.cmp(&other.name));
        configs.insert(result.resource_name, result.configs);
    }
    Ok(configs)
}

/// Moves under way. A broker that cannot tell has none.
fn reassignments(cluster: &mut Cluster, topics: &[Topic]) -> Result<Reassignments, Failure> {
    if topics.is_empty() || !cluster.any().serves(ApiKey::ListPartitionReassignments) {
        return Ok(Reassignments::new());
    }
    let topics = topics.iter().map(|topic| ListPartitionReassignmentsTopics {
        name: topic.name.clone(),
        partition_indexes: topic.partitions.iter().map(|partition| partition.index).collect(),
    });
    let request = ListPartitionReassignmentsRequest { topics: Some(topics.collect()), ..Default::default() };
    let answer = cluster.any().call(request)?;
    match answer.error_code {
        ErrorCode::ClusterAuthorizationFailed => return Ok(Reassignments::new()),
        error => accepted(error, answer.error_message)?,
    }
    let moves = answer.topics.into_iter().flat_map(|topic| {
        let name = topic.name;
        topic.partitions.into_iter().map(move |it| ((name.clone(), it.partition_index), it))
    });
    Ok(moves.collect())
}

fn is_default(config: &DescribeConfigsResourceResult) -> bool {
    config.config_source == source::DEFAULT
}

fn min_in_sync(configs: &[DescribeConfigsResourceResult]) -> usize {
    let config = configs.iter().find(|config| config.name == "min.insync.replicas");
    config.and_then(|config| config.value.as_deref()?.parse().ok()).unwrap_or(1)
}

/// Without those that a move is about to add.
fn replication_factor(partition: &Partition, reassignment: Option<&OngoingPartitionReassignment>) -> usize {
    match reassignment {
        Some(it)
            if partition
                .replicas
                .iter()
                .any(|id| it.adding_replicas.contains(id) || it.removing_replicas.contains(id)) =>
        {
            it.replicas.len().saturating_sub(it.adding_replicas.len())
        }
        _ => partition.replicas.len(),
    }
}

fn is_asked_for(
    options: &Options,
    partition: &Partition,
    reassignment: Option<&OngoingPartitionReassignment>,
    live: &BTreeSet<i32>,
    min_in_sync: usize,
) -> bool {
    let in_sync = partition.in_sync.len();
    let reports = [
        ("under-replicated-partitions", replication_factor(partition, reassignment) > in_sync),
        ("unavailable-partitions", partition.leader.is_none_or(|leader| !live.contains(&leader))),
        ("under-min-isr-partitions", partition.leader.is_none() || in_sync < min_in_sync),
        ("at-min-isr-partitions", in_sync == min_in_sync),
    ];
    let mut asked = reports.into_iter().filter(|(report, _)| options.has(report)).peekable();
    asked.peek().is_none() || asked.any(|(_, is_so)| is_so)
}

fn print_topic(
    options: &Options,
    topic: &Topic,
    configs: &[DescribeConfigsResourceResult],
    reassignments: &Reassignments,
) {
    let has_own = configs.iter().any(|config| !is_default(config));
    if REPORTS.iter().any(|report| options.has(report)) || (options.has("topics-with-overrides") && !has_own)
    {
        return;
    }
    let own = configs.iter().filter(|config| !is_default(config));
    let own = own.map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("null")));
    let factor = topic
        .partitions
        .first()
        .map_or(0, |first| replication_factor(first, reassignments.get(&(topic.name.clone(), first.index))));
    let id = match topic.id.is_nil() {
        true => String::new(),
        false => format!("\tTopicId: {}", as_text(topic.id)),
    };
    say(format_args!(
        "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {factor}\tConfigs: {}",
        topic.name,
        topic.partitions.len(),
        own.collect::<Vec<_>>().join(",")
    ));
}

fn print_partition(topic: &str, partition: &Partition, reassignment: Option<&OngoingPartitionReassignment>) {
    let leader = partition.leader.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let moves = reassignment.map(|it| {
        let (adding, removing) = (ids(&it.adding_replicas), ids(&it.removing_replicas));
        format!("\tAdding Replicas: {adding}\tRemoving Replicas: {removing}")
    });
    let known = |replicas: &Option<Vec<i32>>| replicas.as_deref().map_or_else(|| "N/A".to_owned(), ids);
    say(format_args!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}{}\tElr: {}\tLastKnownElr: {}",
        partition.index,
        ids(&partition.replicas),
        ids(&partition.in_sync),
        moves.unwrap_or_default(),
        known(&partition.eligible),
        known(&partition.last_known_eligible),
    ));
}

fn ids(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}
