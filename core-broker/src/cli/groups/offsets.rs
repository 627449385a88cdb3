//! What groups committed, and where the logs of partitions begin and end.

use std::collections::BTreeMap;

use kafka_wire::{
    ErrorCode,
    messages::{
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup},
    },
};

use super::{
    super::failure::{Exception, Failure},
    Offsets, TopicPartition,
    coordinators::{Coordinators, nested, twice_nested},
};

/// From version 10 on, topics go by their ids.
const BY_NAME: i16 = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    pub leader_epoch: Option<i32>,
}

/// Everything that a group committed.
pub fn committed(
    coordinators: &mut Coordinators,
    group: &str,
) -> Result<BTreeMap<TopicPartition, Committed>, Failure> {
    let (error, answer) = coordinators.ask(group, |broker| {
        let asked =
            OffsetFetchRequestGroup { group_id: group.to_owned(), topics: None, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
        let answer = broker.call_up_to(request, BY_NAME)?.groups.into_iter().next().unwrap_or_default();
        Ok((answer.error_code, answer))
    })?;
    if error != ErrorCode::None {
        return Err(twice_nested(&Exception::of(error, None)).into());
    }
    let mut committed = BTreeMap::new();
    for topic in answer.topics {
        for partition in topic.partitions.iter().filter(|partition| partition.committed_offset >= 0) {
            let epoch = partition.committed_leader_epoch;
            let leader_epoch = (epoch >= 0).then_some(epoch);
            let known = Committed { offset: partition.committed_offset, leader_epoch };
            committed.insert((topic.name.clone(), partition.partition_index), known);
        }
    }
    Ok(committed)
}

/// Commits for a group that has no members.
pub fn commit(coordinators: &mut Coordinators, group: &str, offsets: &Offsets) -> Result<(), Failure> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition_index), committed_offset) in offsets {
        let partition = OffsetCommitRequestPartition {
            partition_index: *partition_index,
            committed_offset: *committed_offset,
            committed_metadata: Some(String::new()),
            ..Default::default()
        };
        topics.entry(topic).or_default().push(partition);
    }
    let topics: Vec<_> = topics
        .into_iter()
        .map(|(name, partitions)| OffsetCommitRequestTopic {
            name: name.to_owned(),
            partitions,
            ..Default::default()
        })
        .collect();
    let (error, ()) = coordinators.ask(group, |broker| {
        let request =
            OffsetCommitRequest { group_id: group.to_owned(), topics: topics.clone(), ..Default::default() };
        let answer = broker.call_up_to(request, BY_NAME)?;
        let errors =
            answer.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
        Ok((errors.into_iter().find(|error| *error != ErrorCode::None).unwrap_or(ErrorCode::None), ()))
    })?;
    match error {
        ErrorCode::None => Ok(()),
        error => Err(Exception::of(error, None).into()),
    }
}

/// The partitions of topics and who leads them; `None` where nobody does. A topic that is not there has none.
pub fn partitions(
    coordinators: &mut Coordinators,
    topics: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<TopicPartition, Option<i32>>, Failure> {
    let topics: Vec<String> = topics.into_iter().collect();
    let mut partitions = BTreeMap::new();
    if topics.is_empty() {
        return Ok(partitions);
    }
    for topic in coordinators.cluster.metadata(Some(topics))?.topics {
        let name = topic.name.unwrap_or_default();
        match topic.error_code {
            ErrorCode::None | ErrorCode::UnknownTopicOrPartition | ErrorCode::LeaderNotAvailable => {}
            error => return Err(nested(&Exception::of(error, None)).into()),
        }
        for partition in topic.partitions {
            let leader = (partition.leader_id >= 0).then_some(partition.leader_id);
            partitions.insert((name.clone(), partition.partition_index), leader);
        }
    }
    Ok(partitions)
}

/// The offset at `timestamp` of each partition that has a leader; -1 where there is none.
pub fn at(
    coordinators: &mut Coordinators,
    partitions: &BTreeMap<TopicPartition, Option<i32>>,
    timestamp: i64,
) -> Result<Offsets, Failure> {
    let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<ListOffsetsPartition>>> = BTreeMap::new();
    for ((topic, partition_index), leader) in partitions {
        let asked =
            ListOffsetsPartition { partition_index: *partition_index, timestamp, ..Default::default() };
        if let Some(leader) = leader {
            by_leader.entry(*leader).or_default().entry(topic).or_default().push(asked);
        }
    }
    let mut offsets = Offsets::new();
    for (leader, topics) in by_leader {
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| ListOffsetsTopic { name: name.to_owned(), partitions })
            .collect();
        let answer =
            coordinators.cluster.broker(leader)?.call(ListOffsetsRequest { topics, ..Default::default() })?;
        for topic in answer.topics {
            for partition in topic.partitions {
                match partition.error_code {
                    ErrorCode::None => {
                        offsets.insert((topic.name.clone(), partition.partition_index), partition.offset);
                    }
                    error => return Err(twice_nested(&Exception::of(error, None)).into()),
                }
            }
        }
    }
    Ok(offsets)
}
