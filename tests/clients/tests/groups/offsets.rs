//! What groups commit and fetch, by name and by id, in old versions and new ones.

use anyhow::Result;
use kafka_wire::messages::{
    find_coordinator::{Coordinator, FindCoordinatorRequest},
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
};
use uuid::Uuid;

use super::talk::Talk;

/// The first question about a group makes a topic, which takes some brokers a moment.
pub fn until_coordinated(talk: &mut Talk) -> Result<()> {
    const EVERY_GROUP: [&str; 8] =
        ["simple", "", "nobody", "unheard-of", "members", "static", "workers", "reading"];
    for group in EVERY_GROUP {
        while !talk
            .call(FindCoordinatorRequest { key: group.into(), ..Default::default() }, 0)?
            .error_code
            .is_ok()
        {}
        let request = OffsetFetchRequest { group_id: group.into(), ..Default::default() };
        while !talk.call(request.clone(), 7)?.error_code.is_ok() {}
    }
    Ok(())
}

pub fn talk(talk: &mut Talk, letters: Uuid, work: Uuid) -> Result<()> {
    talk.heading("where a group is coordinated");
    for version in [0, 3] {
        let found = talk.call(FindCoordinatorRequest { key: "g".into(), ..Default::default() }, version)?;
        let message = found.error_message.filter(|_| version > 0);
        talk.note(
            &format!("find v{version}"),
            format!("{} {message:?} node {}", found.error_code, found.node_id),
        );
    }
    let request =
        FindCoordinatorRequest { coordinator_keys: vec!["g".into(), "h".into()], ..Default::default() };
    for one in talk.call(request, 4)?.coordinators {
        let Coordinator { key, error_code, error_message, node_id, .. } = one;
        talk.note("find v4", format!("{key} {error_code} {error_message:?} node {node_id}"));
    }
    for version in [1, 4] {
        let request =
            FindCoordinatorRequest { key: "g".into(), key_type: 7, coordinator_keys: vec!["g".into()] };
        let found = talk.call(request, version)?;
        let batched = found.coordinators.first();
        let (error_code, message) = match batched {
            Some(one) => (one.error_code, &one.error_message),
            None => (found.error_code, &found.error_message),
        };
        talk.note(&format!("find v{version} of no kind"), format!("{error_code} {message:?}"));
    }

    talk.heading("offsets of a group without members");
    let at = |index, offset| OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: offset,
        ..Default::default()
    };
    let noted = |index, offset, epoch, note: Option<&str>| OffsetCommitRequestPartition {
        committed_leader_epoch: epoch,
        committed_metadata: note.map(Into::into),
        ..at(index, offset)
    };
    let long = "x".repeat(4097);
    let fits = "x".repeat(4096);
    commit(talk, "simple", 2, vec![("letters", vec![at(0, 5), at(9, 1)]), ("nowhere", vec![at(0, 1)])])?;
    commit(talk, "simple", 7, vec![("letters", vec![noted(1, 6, 0, Some("note")), noted(2, 7, -1, None)])])?;
    commit(
        talk,
        "simple",
        8,
        vec![("work", vec![noted(0, 1, 0, Some(&long)), noted(1, 2, 0, Some(&fits))])],
    )?;
    commit(talk, "simple", 9, vec![])?;
    commit(talk, "", 7, vec![("letters", vec![at(0, 1)])])?;
    commit_by_id(
        talk,
        "simple",
        vec![(work, vec![at(0, 3), at(7, 1)]), (Uuid::from_u128(7), vec![at(0, 1)])],
    )?;
    for (generation, member_id) in [(0, ""), (0, "who"), (-1, "who"), (3, "who")] {
        let request = OffsetCommitRequest {
            group_id: "nobody".into(),
            generation_id_or_member_epoch: generation,
            member_id: member_id.into(),
            topics: vec![named("letters", vec![at(0, 5)])],
            ..Default::default()
        };
        say_commit(talk, &format!("commit of generation {generation} by '{member_id}'"), request, 7)?;
    }

    talk.heading("fetched by name");
    for version in [1, 2, 5, 7] {
        fetch(talk, "simple", version, Some(vec![("letters", vec![0, 1, 2, 3, 9]), ("nowhere", vec![0])]))?;
    }
    for version in [2, 7] {
        fetch(talk, "simple", version, None)?;
        fetch(talk, "unheard-of", version, None)?;
    }
    fetch(talk, "unheard-of", 7, Some(vec![("letters", vec![0])]))?;
    let names = |topics: &[(&str, &[i32])]| {
        let topics = topics.iter().map(|(name, indexes)| OffsetFetchRequestTopics {
            name: name.to_string(),
            partition_indexes: indexes.to_vec(),
            ..Default::default()
        });
        Some(topics.collect())
    };
    let groups = vec![
        group("simple", names(&[("letters", &[1, 0]), ("work", &[1])])),
        group("unheard-of", None),
        group("simple", None),
    ];
    fetch_groups(talk, 8, groups.clone())?;
    fetch_groups(talk, 9, groups)?;

    talk.heading("fetched by id");
    let ids = |topics: &[(Uuid, &[i32])]| {
        let topics = topics.iter().map(|(id, indexes)| OffsetFetchRequestTopics {
            topic_id: *id,
            partition_indexes: indexes.to_vec(),
            ..Default::default()
        });
        Some(topics.collect())
    };
    let unknown = Uuid::from_u128(7);
    let groups = vec![
        group("simple", ids(&[(letters, &[1, 9]), (unknown, &[0, 1])])),
        group("simple", ids(&[(unknown, &[0])])),
        group("simple", None),
        group("simple", ids(&[(Uuid::nil(), &[0])])),
    ];
    fetch_groups(talk, 10, groups)
}

fn named(name: &str, partitions: Vec<OffsetCommitRequestPartition>) -> OffsetCommitRequestTopic {
    OffsetCommitRequestTopic { name: name.into(), partitions, ..Default::default() }
}

fn commit(
    talk: &mut Talk,
    group: &str,
    version: i16,
    topics: Vec<(&str, Vec<OffsetCommitRequestPartition>)>,
) -> Result<()> {
    let topics = topics.into_iter().map(|(name, partitions)| named(name, partitions)).collect();
    let request = OffsetCommitRequest { group_id: group.into(), topics, ..Default::default() };
    say_commit(talk, &format!("commit v{version} '{group}'"), request, version)
}

fn commit_by_id(
    talk: &mut Talk,
    group: &str,
    topics: Vec<(Uuid, Vec<OffsetCommitRequestPartition>)>,
) -> Result<()> {
    let topic =
        |(topic_id, partitions)| OffsetCommitRequestTopic { topic_id, partitions, ..Default::default() };
    let topics = topics.into_iter().map(topic).collect();
    let request = OffsetCommitRequest { group_id: group.into(), topics, ..Default::default() };
    say_commit(talk, "commit v10", request, 10)
}

pub fn say_commit(talk: &mut Talk, about: &str, request: OffsetCommitRequest, version: i16) -> Result<()> {
    let mut rows = Vec::new();
    for topic in talk.call(request, version)?.topics {
        let name = if version < 10 { topic.name } else { topic.topic_id.to_string() };
        for one in topic.partitions {
            rows.push(talk.named(&format!("{name}-{}={}", one.partition_index, one.error_code)));
        }
    }
    rows.sort();
    talk.note(about, rows.join(" "));
    Ok(())
}

fn fetch(talk: &mut Talk, group: &str, version: i16, topics: Option<Vec<(&str, Vec<i32>)>>) -> Result<()> {
    let topics = topics.map(|topics| {
        let topic = |(name, partition_indexes): (&str, _)| OffsetFetchRequestTopic {
            name: name.into(),
            partition_indexes,
        };
        topics.into_iter().map(topic).collect()
    });
    let all = if topics.is_none() { ", all" } else { "" };
    let request = OffsetFetchRequest {
        group_id: group.into(),
        topics,
        require_stable: version == 7,
        ..Default::default()
    };
    let answer = talk.call(request, version)?;
    let mut rows = Vec::new();
    for topic in answer.topics {
        for one in topic.partitions {
            rows.push(row(
                &topic.name,
                one.partition_index,
                one.committed_offset,
                one.committed_leader_epoch,
                one.metadata,
                one.error_code,
            ));
        }
    }
    rows.sort();
    talk.note(
        &format!("fetch v{version} '{group}'{all}"),
        format!("{} {}", answer.error_code, rows.join(" ")),
    );
    Ok(())
}

fn group(group_id: &str, topics: Option<Vec<OffsetFetchRequestTopics>>) -> OffsetFetchRequestGroup {
    OffsetFetchRequestGroup { group_id: group_id.into(), topics, ..Default::default() }
}

fn fetch_groups(talk: &mut Talk, version: i16, groups: Vec<OffsetFetchRequestGroup>) -> Result<()> {
    let answer = talk.call(OffsetFetchRequest { groups, ..Default::default() }, version)?;
    for group in answer.groups {
        let mut rows = Vec::new();
        for topic in group.topics {
            let name = if version < 10 { topic.name } else { topic.topic_id.to_string() };
            for one in topic.partitions {
                rows.push(row(
                    &talk.named(&name),
                    one.partition_index,
                    one.committed_offset,
                    one.committed_leader_epoch,
                    one.metadata,
                    one.error_code,
                ));
            }
        }
        rows.sort();
        let about = format!("fetch v{version} '{}'", group.group_id);
        talk.note(&about, format!("{} {}", group.error_code, rows.join(" ")));
    }
    Ok(())
}

fn row(
    topic: &str,
    index: i32,
    offset: i64,
    epoch: i32,
    note: Option<String>,
    error: kafka_wire::ErrorCode,
) -> String {
    let note = note.map(|note| if note.len() > 10 { format!("{} bytes", note.len()) } else { note });
    format!("{topic}-{index}={offset}@{epoch}:{note:?}:{error}")
}
