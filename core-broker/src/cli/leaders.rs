//! What only the leader of a partition can answer, asked of each leader for all of its partitions at once, and
//! again while the answer is one that passes: a leader that moved, a topic that not every broker knows yet.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use kafka_wire::ErrorCode;

use super::{cluster::Cluster, connection::Connection, failure::Failure};

/// Longer than an election takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kafka's `retry.backoff.ms`.
const PAUSE: Duration = Duration::from_millis(100);

/// A topic and the number of the partition.
pub type Partition = (String, i32);

/// Of one leader: what is asked about each partition, by topic.
pub type Asked<W> = BTreeMap<String, Vec<(i32, W)>>;

pub type Answers<T> = BTreeMap<Partition, Result<T, ErrorCode>>;

/// Every partition of `wanted` has an answer in the end, if only why there is none.
pub fn ask<W: Clone, T>(
    cluster: &mut Cluster,
    mut wanted: BTreeMap<Partition, W>,
    mut ask: impl FnMut(&mut Connection, Asked<W>) -> Result<Answers<T>, Failure>,
) -> Result<Answers<T>, Failure> {
    let begun = Instant::now();
    let mut answers = Answers::new();
    loop {
        let mut by_leader: BTreeMap<i32, Asked<W>> = BTreeMap::new();
        for (partition, leader) in leaders(cluster, wanted.keys())? {
            match (leader, wanted.get(&partition)) {
                (Ok(leader), Some(about)) => {
                    let (topic, index) = partition;
                    let of_leader = by_leader.entry(leader).or_default();
                    of_leader.entry(topic).or_default().push((index, about.clone()));
                }
                (Err(error), _) => {
                    answers.insert(partition, Err(error));
                }
                (Ok(_), None) => {}
            }
        }
        for (leader, asked) in by_leader {
            answers.extend(ask(cluster.broker(leader)?, asked)?);
        }
        wanted.retain(|partition, _| {
            answers.get(partition).is_none_or(|answer| answer.as_ref().is_err_and(|error| error.retriable()))
        });
        if wanted.is_empty() || begun.elapsed() > PATIENCE {
            for partition in wanted.into_keys() {
                answers.entry(partition).or_insert(Err(ErrorCode::UnknownServerError));
            }
            return Ok(answers);
        }
        thread::sleep(PAUSE);
    }
}

fn leaders<'a>(
    cluster: &mut Cluster,
    partitions: impl Iterator<Item = &'a Partition> + Clone,
) -> Result<BTreeMap<Partition, Result<i32, ErrorCode>>, Failure> {
    let mut topics: Vec<_> = partitions.clone().map(|(topic, _)| topic.clone()).collect();
    topics.dedup();
    let missing = |partition: &Partition| (partition.clone(), Err(ErrorCode::UnknownTopicOrPartition));
    let mut leaders: BTreeMap<_, _> = partitions.map(missing).collect();
    for topic in cluster.metadata(Some(topics))?.topics {
        let name = topic.name.unwrap_or_default();
        if !topic.error_code.is_ok() {
            let of_topic = leaders.iter_mut().filter(|((topic, _), _)| *topic == name);
            of_topic.for_each(|(_, leader)| *leader = Err(topic.error_code));
        }
        for partition in topic.partitions {
            if let Some(leader) = leaders.get_mut(&(name.clone(), partition.partition_index)) {
                *leader = match partition.leader_id {
                    id @ 0.. => Ok(id),
                    _ => Err(ErrorCode::LeaderNotAvailable),
                };
            }
        }
    }
    Ok(leaders)
}
