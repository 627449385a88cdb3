//! Staying and going: heartbeats, leaving, and the clocks that decide when nobody says anything.

use super::error::GroupError;
use super::group::{Group, GroupState};
use super::messages::{Answer, HeartbeatRequest, LeaveRequest, LeavingMember, LeftMember, Token};
use super::step::Step;

impl Group {
    pub fn heartbeat(&mut self, token: Token, request: &HeartbeatRequest, step: &mut Step) {
        let result = self.heartbeat_result(request, step);
        step.answer(token, Answer::Heartbeat(result));
    }

    fn heartbeat_result(&mut self, request: &HeartbeatRequest, step: &Step) -> Result<(), GroupError> {
        self.known_member(&request.member_id, request.group_instance_id.as_deref())?;
        self.current_generation(request.generation)?;
        self.heard_from(&request.member_id, step.now);
        match self.state {
            // A member may beat between its join and its sync.
            GroupState::Stable | GroupState::CompletingRebalance => Ok(()),
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMember),
        }
    }

    /// Each member of the request goes or stays on its own account; one rebalance for all.
    pub fn leave(&mut self, token: Token, request: &LeaveRequest, step: &mut Step) {
        let before = self.members.len();
        let mut left = Vec::new();
        for leaving in &request.members {
            let result = self.leave_one(leaving, step);
            let (member_id, group_instance_id) =
                (leaving.member_id.clone(), leaving.group_instance_id.clone());
            left.push(LeftMember { member_id, group_instance_id, result });
        }
        step.answer(token, Answer::Leave(Ok(left)));
        if self.members.len() < before {
            self.rebalance(step);
        } else {
            self.try_complete_join(step);
        }
    }

    fn leave_one(&mut self, leaving: &LeavingMember, step: &mut Step) -> Result<(), GroupError> {
        let instance = leaving.group_instance_id.as_deref();
        if instance.is_none() && self.pending.remove(&leaving.member_id).is_some() {
            return Ok(());
        }
        let member_id = match instance {
            Some(instance) if leaving.member_id.is_empty() => {
                self.static_members.get(instance).cloned().ok_or(GroupError::UnknownMember)?
            }
            _ => leaving.member_id.clone(),
        };
        self.known_member(&member_id, instance)?;
        self.remove_member(&member_id, GroupError::UnknownMember, step);
        Ok(())
    }

    pub fn expire_pending(&mut self, step: &mut Step) {
        let before = self.pending.len();
        self.pending.retain(|_, until| *until > step.now);
        if self.pending.len() < before {
            self.try_complete_join(step);
        }
    }

    pub fn expire_sessions(&mut self, step: &mut Step) {
        let now = step.now;
        let expired = self.members_that(|member| member.expires().is_some_and(|at| at <= now));
        self.give_up(&expired, step);
    }

    /// A member that joined and never asked for its assignment holds partitions it does not know of.
    pub fn expire_syncs(&mut self, step: &mut Step) {
        if self.sync_deadline.is_some_and(|deadline| deadline <= step.now) {
            self.sync_deadline = None;
            let silent: Vec<String> = std::mem::take(&mut self.sync_due).into_iter().collect();
            self.give_up(&silent, step);
        }
    }

    fn give_up(&mut self, member_ids: &[String], step: &mut Step) {
        for member_id in member_ids {
            self.remove_member(member_id, GroupError::UnknownMember, step);
        }
        if !member_ids.is_empty() {
            self.rebalance(step);
        }
    }
}
