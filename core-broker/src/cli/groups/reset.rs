//! Groups without members, moved to other offsets.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use kafka_wire::{
    ErrorCode,
    messages::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP},
};

use super::{
    super::{
        failure::{Exception, Failure},
        options::Options,
        output::{log, say},
    },
    Offsets, TopicPartition, chosen, complain,
    coordinators::Coordinators,
    members, moment, offsets,
    plan::{from_csv, parse_partitions, to_csv},
    row::{row, width},
    words::SCENARIOS,
};

/// Partitions and their leaders.
type Partitions = BTreeMap<TopicPartition, Option<i32>>;

pub fn reset(coordinators: &mut Coordinators, options: &Options) -> Result<(), Failure> {
    let mut groups = BTreeMap::new();
    for group in chosen(coordinators, options)? {
        let state = members::if_any(coordinators, &group)?.map(|group| group.state);
        let offsets = match state.as_deref() {
            None | Some("Empty" | "Dead") => move_inactive(coordinators, options, &group)?,
            Some(state) => {
                complain(&format!(
                    "Assignments can only be reset if the group '{group}' is inactive, but the current state is \
                     {state}."
                ));
                Offsets::new()
            }
        };
        groups.insert(group, offsets);
    }
    match options.has("export") {
        true => say(to_csv(&groups, options.values("group").len() != 1)),
        false => say(table(&groups)),
    }
    Ok(())
}

fn move_inactive(
    coordinators: &mut Coordinators,
    options: &Options,
    group: &str,
) -> Result<Offsets, Failure> {
    let partitions = scope(coordinators, options, group)?;
    let offsets = target(coordinators, options, group, partitions)?;
    if options.has("execute") {
        offsets::commit(coordinators, group, &offsets)?;
    }
    Ok(offsets)
}

/// The partitions to move, all of which are there and have a leader.
fn scope(coordinators: &mut Coordinators, options: &Options, group: &str) -> Result<Partitions, Failure> {
    let mut named = Vec::new();
    if options.has("all-topics") {
        named.extend(offsets::committed(coordinators, group)?.into_keys());
    } else if options.has("topic") {
        for topic in options.values("topic") {
            match topic.contains(':') {
                true => named.extend(parse_partitions(topic)?),
                false => named.extend(all_of(coordinators, topic)?),
            }
        }
    } else if !options.has("from-file") {
        let said = "One of the reset scopes should be defined: --all-topics, --topic.";
        return Err(Failure::Usage(said.to_owned()));
    }
    leaders(coordinators, named)
}

fn all_of(coordinators: &mut Coordinators, topic: &str) -> Result<Vec<TopicPartition>, Failure> {
    let known = offsets::partitions(coordinators, [topic.to_owned()])?;
    match known.is_empty() {
        true => Err(Exception::of(ErrorCode::UnknownTopicOrPartition, None).into()),
        false => Ok(known.into_keys().collect()),
    }
}

fn leaders(coordinators: &mut Coordinators, named: Vec<TopicPartition>) -> Result<Partitions, Failure> {
    let mut topics: Vec<String> = named.iter().map(|(topic, _)| topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    let known = offsets::partitions(coordinators, topics)?;
    let missing: Vec<_> = named.iter().filter(|partition| !known.contains_key(*partition)).cloned().collect();
    if !missing.is_empty() {
        return Err(unknown(&missing));
    }
    let partitions: Partitions =
        known.into_iter().filter(|(partition, _)| named.contains(partition)).collect();
    let orphans: Vec<_> = partitions
        .iter()
        .filter(|(_, leader)| leader.is_none())
        .map(|(partition, _)| name(partition))
        .collect();
    match orphans.is_empty() {
        true => Ok(partitions),
        false => {
            let said = format!("The partitions \"{}\" have no leader", orphans.join(","));
            Err(Exception::new("org.apache.kafka.common.errors.LeaderNotAvailableException", said).into())
        }
    }
}

fn unknown(missing: &[TopicPartition]) -> Failure {
    let names: Vec<_> = missing.iter().map(name).collect();
    let said = format!("The partitions \"{}\" do not exist", names.join(","));
    Exception::new("org.apache.kafka.common.errors.UnknownTopicOrPartitionException", said).into()
}

fn name((topic, partition): &TopicPartition) -> String {
    format!("{topic}-{partition}")
}

/// Where each partition is to be moved to.
fn target(
    coordinators: &mut Coordinators,
    options: &Options,
    group: &str,
    partitions: Partitions,
) -> Result<Offsets, Failure> {
    let everywhere = |offset: i64| partitions.keys().map(|partition| (partition.clone(), offset)).collect();
    if let Some(offset) = options.number("to-offset")? {
        let wanted = everywhere(offset);
        return within_log(coordinators, &partitions, wanted);
    }
    if options.has("to-earliest") {
        return offsets::at(coordinators, &partitions, EARLIEST_TIMESTAMP);
    }
    if options.has("to-latest") {
        return offsets::at(coordinators, &partitions, LATEST_TIMESTAMP);
    }
    if let Some(by) = options.number::<i64>("shift-by")? {
        let wanted = shifted(coordinators, group, &partitions, by)?;
        return within_log(coordinators, &partitions, wanted);
    }
    if let Some(text) = options.value("to-datetime")? {
        return from_time(coordinators, &partitions, moment::datetime_ms(text)?);
    }
    if let Some(text) = options.value("by-duration")? {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        return from_time(coordinators, &partitions, now.saturating_sub(moment::duration_ms(text)?));
    }
    if let Some(path) = options.value("from-file")? {
        return from_file(coordinators, options, group, path);
    }
    if options.has("to-current") {
        return current(coordinators, group, &partitions);
    }
    let scenarios = SCENARIOS.map(|scenario| format!("[{scenario}]")).join(", ");
    Err(Failure::Usage(format!(
        "Option '[reset-offsets]' requires one of the following scenarios: [{scenarios}]"
    )))
}

fn shifted(
    coordinators: &mut Coordinators,
    group: &str,
    partitions: &Partitions,
    by: i64,
) -> Result<Offsets, Failure> {
    let committed = offsets::committed(coordinators, group)?;
    let shift = |partition: &TopicPartition| match committed.get(partition) {
        Some(committed) => Ok((partition.clone(), committed.offset.saturating_add(by))),
        None => Err(Failure::illegal_argument(format!(
            "Cannot shift offset for partition {} since there is no current committed offset",
            name(partition)
        ))),
    };
    partitions.keys().map(shift).collect()
}

/// The first record at or after a time; where there is none, the end of the log.
fn from_time(
    coordinators: &mut Coordinators,
    partitions: &Partitions,
    timestamp: i64,
) -> Result<Offsets, Failure> {
    let mut found = offsets::at(coordinators, partitions, timestamp)?;
    let none: Partitions = partitions
        .iter()
        .filter(|(partition, _)| found.get(*partition).is_none_or(|offset| *offset < 0))
        .map(|(partition, leader)| (partition.clone(), *leader))
        .collect();
    for (topic, partition) in none.keys() {
        say(format_args!(
            "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."
        ));
    }
    found.extend(offsets::at(coordinators, &none, LATEST_TIMESTAMP)?);
    Ok(found)
}

fn from_file(
    coordinators: &mut Coordinators,
    options: &Options,
    group: &str,
    path: &str,
) -> Result<Offsets, Failure> {
    let text = std::fs::read_to_string(path).map_err(|_| {
        let said = format!("java.io.IOException: Unable to read file {path}");
        Exception::new("java.lang.RuntimeException", said)
    })?;
    let only = match options.values("group") {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let Some(wanted) = from_csv(&text, only)?.remove(group) else {
        complain(&format!("No reset plan for group {group} found"));
        return Ok(Offsets::new());
    };
    let partitions = leaders(coordinators, wanted.keys().cloned().collect())?;
    within_log(coordinators, &partitions, wanted)
}

/// What is committed; where nothing is, the end of the log.
fn current(
    coordinators: &mut Coordinators,
    group: &str,
    partitions: &Partitions,
) -> Result<Offsets, Failure> {
    let committed = offsets::committed(coordinators, group)?;
    let (with, without): (Partitions, Partitions) =
        partitions.clone().into_iter().partition(|(partition, _)| committed.contains_key(partition));
    let mut offsets = offsets::at(coordinators, &without, LATEST_TIMESTAMP)?;
    offsets.extend(with.into_keys().filter_map(|partition| {
        let offset = committed.get(&partition)?.offset;
        Some((partition, offset))
    }));
    Ok(offsets)
}

/// An offset beyond an end of the log becomes that end.
fn within_log(
    coordinators: &mut Coordinators,
    partitions: &Partitions,
    wanted: Offsets,
) -> Result<Offsets, Failure> {
    let first = offsets::at(coordinators, partitions, EARLIEST_TIMESTAMP)?;
    let end = offsets::at(coordinators, partitions, LATEST_TIMESTAMP)?;
    let bounded = wanted.into_iter().map(|(partition, offset)| {
        let bound = |bounds: &Offsets| bounds.get(&partition).copied().unwrap_or(offset);
        let kept = match offset {
            offset if offset > bound(&end) => said(&partition, offset, "higher than latest", bound(&end)),
            offset if offset < bound(&first) => {
                said(&partition, offset, "lower than earliest", bound(&first))
            }
            offset => offset,
        };
        (partition, kept)
    });
    Ok(bounded.collect())
}

fn said(partition: &TopicPartition, offset: i64, how: &str, kept: i64) -> i64 {
    let partition = name(partition);
    log(
        "WARN",
        format_args!(
            "New offset ({offset}) is {how} offset for topic partition {partition}. Value will be set to {kept}"
        ),
        "org.apache.kafka.tools.OffsetsUtils",
    );
    kept
}

fn table(groups: &BTreeMap<String, Offsets>) -> String {
    let topics = groups.values().flat_map(|offsets| offsets.keys().map(|(topic, _)| topic.as_str()));
    let widths = [width(15, groups.keys().map(String::as_str)), width(15, topics), 10];
    let mut table = String::new();
    if !groups.is_empty() {
        table.push('\n');
        table.push_str(&row(&[&"GROUP", &"TOPIC", &"PARTITION", &"NEW-OFFSET"], &widths));
    }
    for (group, offsets) in groups {
        for ((topic, partition), offset) in offsets {
            table.push('\n');
            table.push_str(&row(&[group, topic, partition, offset], &widths));
        }
    }
    table
}
