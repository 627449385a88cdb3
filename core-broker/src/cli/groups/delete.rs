//! Groups and what they committed, forgotten.

use std::collections::BTreeMap;

use kafka_wire::{
    ErrorCode,
    messages::{
        delete_groups::DeleteGroupsRequest,
        offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    },
};

use super::{
    super::{
        failure::{Exception, Failure},
        options::Options,
        output::say,
    },
    TopicPartition, chosen, complain,
    coordinators::Coordinators,
    offsets,
    plan::parse_partitions,
    row::{row, width},
};

pub fn groups(coordinators: &mut Coordinators, options: &Options) -> Result<(), Failure> {
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for group in chosen(coordinators, options)? {
        let (error, ()) = coordinators.ask(&group, |broker| {
            let answer = broker.call(DeleteGroupsRequest { groups_names: vec![group.clone()] })?;
            Ok((answer.results.first().map_or(ErrorCode::UnknownServerError, |result| result.error_code), ()))
        })?;
        match error {
            ErrorCode::None => deleted.push(format!("'{group}'")),
            error => failed.push((group, Exception::of(error, None))),
        }
    }
    let deleted = deleted.join(", ");
    if failed.is_empty() {
        say(format_args!("Deletion of requested consumer groups ({deleted}) was successful."));
        return Ok(());
    }
    complain("Deletion of some consumer groups failed:");
    for (group, why) in failed {
        say(format_args!("* Group '{group}' could not be deleted due to: {why}"));
    }
    if !deleted.is_empty() {
        say(format_args!("\nThese consumer groups were deleted successfully: {deleted}"));
    }
    Ok(())
}

/// What became of the offset of each partition; -1 stands for a topic that there is not.
type Outcomes = BTreeMap<TopicPartition, Option<Exception>>;

pub fn offsets(coordinators: &mut Coordinators, options: &Options) -> Result<(), Failure> {
    let group = options.value("group")?.unwrap_or_default();
    let (partitions, mut outcomes) = asked(coordinators, options.values("topic"))?;
    let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
    for (topic, partition_index) in &partitions {
        let partition = OffsetDeleteRequestPartition { partition_index: *partition_index };
        topics.entry(topic).or_default().push(partition);
    }
    let topics: Vec<_> = topics
        .into_iter()
        .map(|(name, partitions)| OffsetDeleteRequestTopic { name: name.to_owned(), partitions })
        .collect();
    let (error, answer) = coordinators.ask(group, |broker| {
        let request = OffsetDeleteRequest { group_id: group.to_owned(), topics: topics.clone() };
        let answer = broker.call(request)?;
        Ok((answer.error_code, answer))
    })?;
    let mut summary = error;
    if error == ErrorCode::None {
        for topic in answer.topics {
            for partition in topic.partitions {
                let (name, error) = (topic.name.clone(), partition.error_code);
                let why = (error != ErrorCode::None).then(|| Exception::of(error, None));
                if why.is_some() {
                    summary = error;
                }
                outcomes.insert((name, partition.partition_index), why);
            }
        }
    } else {
        outcomes
            .extend(partitions.into_iter().map(|partition| (partition, Some(Exception::of(error, None)))));
    }
    print(group, summary, &outcomes);
    Ok(())
}

/// The partitions that `--topic` names, and the topics that are not there.
fn asked(
    coordinators: &mut Coordinators,
    topics: &[String],
) -> Result<(Vec<TopicPartition>, Outcomes), Failure> {
    let (mut partitions, mut outcomes) = (Vec::new(), Outcomes::new());
    for topic in topics {
        if topic.contains(':') {
            partitions.extend(parse_partitions(topic)?);
            continue;
        }
        let known = offsets::partitions(coordinators, [topic.clone()])?;
        if known.is_empty() {
            let why = Exception::of(ErrorCode::UnknownTopicOrPartition, None);
            outcomes.insert((topic.clone(), -1), Some(why));
        }
        partitions.extend(known.into_keys());
    }
    partitions.sort_unstable();
    partitions.dedup();
    Ok((partitions, outcomes))
}

fn print(group: &str, summary: ErrorCode, outcomes: &Outcomes) {
    match summary {
        ErrorCode::None => say(format_args!("Request succeeded for deleting offsets from group {group}.")),
        ErrorCode::InvalidGroupId
        | ErrorCode::GroupIdNotFound
        | ErrorCode::GroupAuthorizationFailed
        | ErrorCode::NonEmptyGroup => complain(&Exception::of(summary, None).message),
        ErrorCode::GroupSubscribedToTopic
        | ErrorCode::TopicAuthorizationFailed
        | ErrorCode::UnknownTopicOrPartition => {
            complain("Encountered some partition-level error, see the follow-up details.");
        }
        error => complain(&format!("Encountered some unknown error: {error}")),
    }
    let topic_width = width(15, outcomes.keys().map(|(topic, _)| topic.as_str()));
    let widths = [topic_width, 10, 15];
    say(format_args!("\n{}", row(&[&"TOPIC", &"PARTITION", &"STATUS"], &widths)));
    for ((topic, partition), why) in outcomes {
        let partition = if *partition < 0 { "-".to_owned() } else { partition.to_string() };
        let status = why.as_ref().map_or_else(|| "Successful".to_owned(), |why| format!("Error: {why}"));
        say(row(&[topic, &partition, &status], &widths));
    }
}
