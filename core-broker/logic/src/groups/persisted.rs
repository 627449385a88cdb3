//! Between a group in memory and its records: what is written, and how a replay rebuilds it.

use std::time::{Duration, Instant};

use super::group::{Group, GroupState};
use super::member::{Awaiting, Member, copied, millis};
use super::record::{CommittedOffset, GroupMetadata, MemberMetadata, OffsetsRecord};
use super::step::Step;
use crate::ids::TopicPartition;

impl Group {
    pub fn metadata_record(&self) -> OffsetsRecord {
        OffsetsRecord::Group { group_id: self.id.to_string(), value: Some(self.metadata()) }
    }

    pub fn metadata(&self) -> GroupMetadata {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(member_id, member)| MemberMetadata {
            member_id: member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: in_millis(member.rebalance_timeout),
            session_timeout_ms: in_millis(member.session_timeout),
            subscription: member.metadata(protocol),
            assignment: member.assignment.clone(),
        });
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone(),
            state_unix_ms: self.state_unix_ms,
            members: members.collect(),
        }
    }

    /// The only way an offset changes, in a replay and in the live path, but for a topic that is deleted.
    pub fn apply_offset(&mut self, partition: &TopicPartition, value: Option<&CommittedOffset>) {
        match value {
            Some(offset) => self.offsets.insert(partition.clone(), offset.clone()),
            None => self.offsets.remove(partition),
        };
    }

    /// Replay only: a live group is ahead of its records.
    pub fn apply_metadata(&mut self, value: Option<GroupMetadata>, now: Instant) {
        let offsets = std::mem::take(&mut self.offsets);
        *self = Group { offsets, ..Group::new(self.id.clone(), self.state_unix_ms) };
        let Some(value) = value else { return };
        self.state = if value.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        self.state_unix_ms = value.state_unix_ms;
        self.generation = value.generation;
        self.protocol_type = Some(value.protocol_type).filter(|protocol| !protocol.is_empty());
        self.protocol_name = value.protocol_name;
        self.leader = value.leader;
        for member in value.members {
            self.restore_member(member, now);
        }
    }

    fn restore_member(&mut self, saved: MemberMetadata, now: Instant) {
        let protocol = self.protocol_name.clone().unwrap_or_default();
        if let Some(instance) = &saved.group_instance_id {
            self.static_members.insert(instance.clone(), saved.member_id.clone());
        }
        let session_timeout = millis(saved.session_timeout_ms);
        let member = Member {
            group_instance_id: saved.group_instance_id,
            client_id: saved.client_id,
            client_host: saved.client_host,
            session_timeout,
            rebalance_timeout: millis(saved.rebalance_timeout_ms),
            protocols: vec![(protocol, copied(&saved.subscription))],
            assignment: copied(&saved.assignment),
            awaiting: Awaiting::Nothing,
            is_new: false,
            session_ends: now + session_timeout,
        };
        self.members.insert(saved.member_id, member);
    }

    /// The group's tombstone is in the log. A member that came meanwhile, or an offset that was
    /// committed after it was planned, keeps the group.
    pub fn bury(&mut self) {
        if self.state == GroupState::Empty && self.pending.is_empty() && self.offsets.is_empty() {
            self.state = GroupState::Dead;
        }
    }

    /// The replay is over: sessions run from here, for nobody could send heartbeats before.
    pub fn resume(&mut self, step: &mut Step) {
        self.members.values_mut().for_each(|member| member.heard_from(step.now));
        if self.members.len() > step.config.max_group_size {
            // The maximum was lowered: the last to rejoin are out.
            self.rebalance(step);
        }
    }
}

fn in_millis(time: Duration) -> i32 {
    time.as_millis().try_into().unwrap_or(i32::MAX)
}
