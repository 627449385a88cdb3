//! What a coordinator knows of a group: its state, its members, and what each was assigned.

use kafka_wire::{
    ErrorCode,
    consumer_protocol::ConsumerProtocolAssignment,
    messages::describe_groups::{DescribeGroupsRequest, DescribedGroup},
};

use super::{
    super::failure::{Exception, Failure},
    TopicPartition,
    coordinators::{Coordinators, nested},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub state: String,
    pub assignor: String,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub instance: Option<String>,
    pub host: String,
    pub client: String,
    /// Sorted.
    pub assigned: Vec<TopicPartition>,
}

/// What its coordinator says of a group. One that there is not is an error.
pub fn described(coordinators: &mut Coordinators, group: &str) -> Result<Group, Failure> {
    match known(coordinators, group)? {
        Ok(group) => Ok(group),
        Err(exception) => Err(nested(&exception).into()),
    }
}

/// `None` for a group that there is not.
pub fn if_any(coordinators: &mut Coordinators, group: &str) -> Result<Option<Group>, Failure> {
    match known(coordinators, group)? {
        Ok(group) => Ok(Some(group)),
        Err(exception) if exception.class.ends_with("GroupIdNotFoundException") => Ok(None),
        Err(exception) => {
            Err(Exception::new("java.lang.RuntimeException", nested(&exception).to_string()).into())
        }
    }
}

fn known(coordinators: &mut Coordinators, group: &str) -> Result<Result<Group, Exception>, Failure> {
    let (error, answer) = coordinators.ask(group, |broker| {
        let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
        let answer = broker.call(request)?.groups.into_iter().next().unwrap_or_default();
        Ok((answer.error_code, answer))
    })?;
    Ok(match error {
        ErrorCode::None => Ok(read(answer)),
        error => Err(Exception::of(error, answer.error_message)),
    })
}

fn read(group: DescribedGroup) -> Group {
    let members = group.members.into_iter().map(|member| {
        // Bytes that are no assignment belong to another protocol than consumers': nothing is known of it.
        let assignment = ConsumerProtocolAssignment::decode(member.member_assignment).unwrap_or_default();
        let topics = assignment.assigned_partitions.into_iter();
        let mut assigned: Vec<_> = topics
            .flat_map(|topic| {
                topic.partitions.into_iter().map(move |partition| (topic.topic.clone(), partition))
            })
            .collect();
        assigned.sort_unstable();
        assigned.dedup();
        Member {
            id: member.member_id,
            instance: member.group_instance_id,
            host: member.client_host,
            client: member.client_id,
            assigned,
        }
    });
    Group { state: group.group_state, assignor: group.protocol_data, members: members.collect() }
}
