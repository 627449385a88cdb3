//! SyncGroup: the leader's assignments reach the members once the log has them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::error::{GroupError, PersistError};
use super::group::{Group, GroupState};
use super::member::{Awaiting, copied};
use super::messages::{Answer, SyncRequest, Synced, Token};
use super::record::{GroupMetadata, OffsetsRecord};
use super::step::{Step, Then};

impl Group {
    pub fn sync(&mut self, token: Token, request: &SyncRequest, step: &mut Step) {
        if let Err(error) = self.accepts_sync(request) {
            return step.answer(token, Answer::Sync(Err(error)));
        }
        let member_id = request.member_id.as_str();
        self.sync_due.remove(member_id);
        if self.sync_due.is_empty() {
            self.sync_deadline = None;
        }
        if self.state == GroupState::Stable {
            self.heard_from(member_id, step.now);
            let synced = self.synced(member_id);
            return step.answer(token, Answer::Sync(Ok(synced)));
        }
        self.wait(member_id, Awaiting::Sync(token), step);
        if self.leader.as_deref() == Some(member_id) && !self.saving_assignment {
            self.save_assignment(&request.assignments, step);
        }
    }

    fn accepts_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        self.known_member(&request.member_id, request.group_instance_id.as_deref())?;
        self.current_generation(request.generation)?;
        let differs = |said: &Option<String>, ours: &Option<String>| said.is_some() && said != ours;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(GroupError::InconsistentProtocol);
        }
        match self.state {
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMember),
        }
    }

    /// Members see an assignment only when a coordinator that takes over would see it too.
    fn save_assignment(&mut self, assignments: &[(String, Bytes)], step: &mut Step) {
        // A member the leader left out gets an empty assignment, not that of the last generation.
        let given: BTreeMap<&str, &Bytes> =
            assignments.iter().map(|(id, bytes)| (id.as_str(), bytes)).collect();
        let mut metadata = self.metadata();
        for member in &mut metadata.members {
            member.assignment =
                given.get(member.member_id.as_str()).map(|bytes| copied(bytes)).unwrap_or_default();
        }
        self.saving_assignment = true;
        let record = OffsetsRecord::Group { group_id: self.id.to_string(), value: Some(metadata) };
        step.persist(&self.id, vec![record], Then::Assign { generation: self.generation });
    }

    pub fn assigned(
        &mut self,
        generation: i32,
        metadata: Option<&GroupMetadata>,
        outcome: Result<(), PersistError>,
        step: &mut Step,
    ) {
        // A rebalance that began meanwhile has answered those who waited.
        if self.state != GroupState::CompletingRebalance || self.generation != generation {
            return;
        }
        self.saving_assignment = false;
        if let Err(error) = outcome {
            self.refuse_syncs(error.for_group(), step);
            return self.rebalance(step);
        }
        for saved in metadata.into_iter().flat_map(|metadata| &metadata.members) {
            if let Some(member) = self.members.get_mut(&saved.member_id) {
                member.assignment = saved.assignment.clone();
            }
        }
        self.enter(GroupState::Stable, step);
        for member_id in self.members_that(|member| matches!(member.awaiting, Awaiting::Sync(_))) {
            let synced = self.synced(&member_id);
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            member.heard_from(step.now);
            if let Awaiting::Sync(token) = std::mem::replace(&mut member.awaiting, Awaiting::Nothing) {
                step.answer(token, Answer::Sync(Ok(synced)));
            }
        }
    }

    fn synced(&self, member_id: &str) -> Synced {
        let member = self.members.get(member_id);
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: member.map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }
}
