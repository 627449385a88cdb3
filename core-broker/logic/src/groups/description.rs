//! Groups as an admin sees them: ListGroups and DescribeGroups.

use bytes::Bytes;

use super::group::{Group, GroupState};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    pub group_id: String,
    pub protocol_type: String,
    pub state: GroupState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    pub group_id: String,
    pub state: GroupState,
    pub protocol_type: String,
    pub protocol_name: String,
    pub members: Vec<MemberDescription>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

impl Group {
    pub fn listing(&self) -> GroupListing {
        GroupListing {
            group_id: self.id.to_string(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state,
        }
    }

    pub fn description(&self) -> GroupDescription {
        // Before the generation is settled, no protocol is. What a member was given last, it may still own.
        let settled = self.state == GroupState::Stable;
        let protocol_name = self.protocol_name.clone().filter(|_| settled).unwrap_or_default();
        let members = self.members.iter().map(|(member_id, member)| MemberDescription {
            member_id: member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(&protocol_name),
            assignment: member.assignment.clone(),
        });
        GroupDescription {
            group_id: self.id.to_string(),
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            members: members.collect(),
            protocol_name,
        }
    }
}

/// A group that is not there: dead, as Kafka's tools expect.
pub fn dead(group_id: &str) -> GroupDescription {
    GroupDescription {
        group_id: group_id.to_owned(),
        state: GroupState::Dead,
        protocol_type: String::new(),
        protocol_name: String::new(),
        members: Vec::new(),
    }
}
