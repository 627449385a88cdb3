//! Groups as an admin sees and deletes them.

use anyhow::Result;
use kafka_wire::messages::{
    delete_groups::DeleteGroupsRequest,
    describe_groups::DescribeGroupsRequest,
    list_groups::ListGroupsRequest,
    offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
};

use super::{
    members::letters,
    talk::{Member, Talk},
};

pub fn nothing_yet(talk: &mut Talk) -> Result<()> {
    talk.heading("no group was ever asked for");
    list(talk, 0, &[], &[])?;
    list(talk, 5, &[], &[])
}

/// After everything else: `members` is empty, `workers` and `static` may have members.
pub fn talk(talk: &mut Talk) -> Result<()> {
    talk.heading("listed");
    for version in [0, 3, 4, 5] {
        list(talk, version, &[], &[])?;
    }
    list(talk, 4, &["empty"], &[])?;
    list(talk, 4, &["Stable", "CompletingRebalance"], &[])?;
    list(talk, 5, &["nonsense"], &[])?;
    list(talk, 5, &[], &["classic"])?;
    list(talk, 5, &[], &["Consumer"])?;

    talk.heading("described");
    for version in [0, 3, 5, 6] {
        describe(talk, "simple", version)?;
        describe(talk, "unheard-of", version)?;
    }
    describe(talk, "", 6)?;

    talk.heading("what a group with members forgets");
    let reader = reader(talk)?;
    forget(talk, "reading", &[("letters", &[0]), ("work", &[0, 9]), ("nowhere", &[0, 1])])?;
    forget(talk, "workers", &[("letters", &[0])])?;
    forget(talk, "unheard-of", &[("letters", &[0])])?;
    forget(talk, "unheard-of", &[("nowhere", &[0])])?;
    forget(talk, "", &[("letters", &[0])])?;
    forget(talk, "simple", &[("letters", &[0, 0, 7])])?;
    forget(talk, "simple", &[])?;

    talk.heading("deleted");
    let request = DeleteGroupsRequest {
        groups_names: ["reading", "unheard-of", "simple", "", "simple", "members"].map(Into::into).into(),
    };
    let deleted = talk.call(request, 2)?;
    let mut rows: Vec<String> =
        deleted.results.iter().map(|one| format!("'{}' {}", one.group_id, one.error_code)).collect();
    rows.sort();
    talk.note("delete v2", rows.join(", "));
    drop(reader);
    describe(talk, "simple", 5)?;
    list(talk, 4, &["Empty"], &[])
}

fn reader(talk: &mut Talk) -> Result<Member> {
    let mut reader = talk.member("R", "reading")?;
    let letters = letters()?;
    talk.join(&mut reader, "range", &letters)?;
    talk.join(&mut reader, "range", &letters)?;
    talk.sync(&mut reader, 1, &[])?;
    Ok(reader)
}

pub fn list(talk: &mut Talk, version: i16, states: &[&str], types: &[&str]) -> Result<()> {
    let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    let request = ListGroupsRequest { states_filter: owned(states), types_filter: owned(types) };
    let answer = talk.call(request, version)?;
    let mut rows: Vec<String> = (answer.groups.iter())
        .map(|group| {
            format!("{} '{}' {} {}", group.group_id, group.protocol_type, group.group_state, group.group_type)
                .trim_end()
                .to_owned()
        })
        .collect();
    rows.sort();
    talk.note(
        &format!("list v{version} {states:?} {types:?}"),
        format!("{} [{}]", answer.error_code, rows.join(", ")),
    );
    Ok(())
}

pub fn describe(talk: &mut Talk, group: &str, version: i16) -> Result<()> {
    let include_authorized_operations = version >= 3;
    let request = DescribeGroupsRequest { groups: vec![group.into()], include_authorized_operations };
    for group in talk.call(request, version)?.groups {
        let mut members: Vec<String> = (group.members.iter())
            .map(|member| {
                let member = format!(
                    "{}({:?}) {} {} '{}' '{}'",
                    member.member_id,
                    member.group_instance_id,
                    member.client_id,
                    member.client_host,
                    member.member_metadata.escape_ascii(),
                    member.member_assignment.escape_ascii()
                );
                talk.named(&member)
            })
            .collect();
        members.sort();
        talk.note(
            &format!("describe v{version} '{}'", group.group_id),
            format!(
                "{} {:?} {} '{}' '{}' may {} [{}]",
                group.error_code,
                group.error_message,
                group.group_state,
                group.protocol_type,
                group.protocol_data,
                group.authorized_operations,
                members.join(", ")
            ),
        );
    }
    Ok(())
}

fn forget(talk: &mut Talk, group: &str, topics: &[(&str, &[i32])]) -> Result<()> {
    let topics = topics.iter().map(|(name, partitions)| OffsetDeleteRequestTopic {
        name: name.to_string(),
        partitions: (partitions.iter())
            .map(|index| OffsetDeleteRequestPartition { partition_index: *index })
            .collect(),
    });
    let request = OffsetDeleteRequest { group_id: group.into(), topics: topics.collect() };
    let answer = talk.call(request, 0)?;
    let mut rows = Vec::new();
    for topic in answer.topics {
        for one in topic.partitions {
            rows.push(format!("{}-{}={}", topic.name, one.partition_index, one.error_code));
        }
    }
    rows.sort();
    talk.note(&format!("forget '{group}'"), format!("{} {}", answer.error_code, rows.join(" ")));
    Ok(())
}
