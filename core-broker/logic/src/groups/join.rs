//! JoinGroup: who becomes a member, and whether that is a reason to rebalance.

use super::error::GroupError;
use super::group::{Group, GroupState, refuse_join, refuse_waiting};
use super::member::{Awaiting, Member, millis};
use super::messages::{Answer, JoinRequest, Joined, JoinedMember, Token};
use super::step::{Step, Then};
use super::subscription::same_subscription;

impl Group {
    pub fn join(&mut self, token: Token, request: &JoinRequest, step: &mut Step) {
        if let Err(error) = self.admits(request, step) {
            refuse_join(token, error, &request.member_id, step);
            if error == GroupError::GroupFull {
                // One of those for whom there is no place any more: the others need not wait for it.
                self.remove_member(&request.member_id, error, step);
                self.try_complete_join(step);
            }
            return;
        }
        let instance = request.group_instance_id.as_deref();
        let seated = instance.and_then(|instance| self.static_members.get(instance)).cloned();
        match (request.member_id.is_empty(), seated) {
            (true, Some(seated)) => self.replace_static_member(token, &seated, request, step),
            (true, None) => self.join_as_newcomer(token, request, step),
            (false, _) => self.join_with_id(token, request, step),
        }
    }

    fn admits(&self, request: &JoinRequest, step: &Step) -> Result<(), GroupError> {
        if !self.has_room(request, step.config.max_group_size) {
            return Err(GroupError::GroupFull);
        }
        if self.supports(request) { Ok(()) } else { Err(GroupError::InconsistentProtocol) }
    }

    fn has_room(&self, request: &JoinRequest, most: usize) -> bool {
        let instance = request.group_instance_id.as_ref();
        let seat = instance.and_then(|instance| self.static_members.get(instance));
        let Some(member) = self.members.get(seat.unwrap_or(&request.member_id)) else {
            return self.pending.contains_key(&request.member_id)
                || self.members.len() + self.pending.len() < most;
        };
        // Where the maximum was lowered there are more members than places: the first to rejoin have them.
        let rejoined = || self.members.values().filter(|member| member.awaits_join()).count();
        self.members.len() <= most || member.awaits_join() || rejoined() < most
    }

    /// A member must speak the group's kind of protocol and offer one that all members have.
    fn supports(&self, request: &JoinRequest) -> bool {
        if self.members.is_empty() {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        let shared = |name: &str| self.members.values().all(|member| member.supports(name));
        self.protocol_type.as_deref() == Some(&request.protocol_type)
            && request.protocols.iter().any(|(name, _)| shared(name))
    }

    fn join_as_newcomer(&mut self, token: Token, request: &JoinRequest, step: &mut Step) {
        let member_id = fresh_member_id(request);
        // A client whose first answer is lost would join twice and leave a ghost that holds up every
        // rebalance. So it is first told its id (KIP-394); a static member's instance id serves as well.
        if request.needs_member_id_first && request.group_instance_id.is_none() {
            self.pending.insert(member_id.clone(), step.now + millis(request.session_timeout_ms));
            return refuse_join(token, GroupError::MemberIdRequired, &member_id, step);
        }
        self.add_member(member_id, token, request, step);
    }

    fn join_with_id(&mut self, token: Token, request: &JoinRequest, step: &mut Step) {
        let member_id = request.member_id.as_str();
        let instance = request.group_instance_id.as_deref();
        if instance.is_none() && self.pending.remove(member_id).is_some() {
            return self.add_member(member_id.to_owned(), token, request, step);
        }
        if let Err(error) = self.known_member(member_id, instance) {
            return refuse_join(token, error, member_id, step);
        }
        let is_leader = self.leader.as_deref() == Some(member_id);
        let unchanged = self.members.get(member_id).is_some_and(|m| m.protocols == request.protocols);
        match self.state {
            // The member did not get its answer, so it gets it again.
            GroupState::CompletingRebalance if unchanged => self.answer_joined(token, member_id, step),
            // A leader that joins again has seen a reason to assign anew, such as more partitions.
            GroupState::Stable if unchanged && !is_leader => self.answer_joined(token, member_id, step),
            _ => self.update_and_rebalance(token, request, step),
        }
    }

    fn answer_joined(&mut self, token: Token, member_id: &str, step: &mut Step) {
        self.heard_from(member_id, step.now);
        let joined = self.joined(member_id);
        step.answer(token, Answer::Join(Ok(joined)));
    }

    fn update_and_rebalance(&mut self, token: Token, request: &JoinRequest, step: &mut Step) {
        if let Some(member) = self.members.get_mut(&request.member_id) {
            member.update(request);
        }
        self.await_generation(&request.member_id, token, step);
    }

    fn add_member(&mut self, member_id: String, token: Token, request: &JoinRequest, step: &mut Step) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        if let Some(instance) = &request.group_instance_id {
            self.static_members.insert(instance.clone(), member_id.clone());
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        self.members.insert(member_id, Member::joining(token, request, step.now));
        if let Some(initial) = self.gathering.as_mut().and_then(|gathering| gathering.initial.as_mut()) {
            initial.newcomers = true;
        }
        self.rebalance(step);
    }

    /// Leaves the join open until the next generation begins.
    fn await_generation(&mut self, member_id: &str, token: Token, step: &mut Step) {
        // The rebalance answers an open sync itself; only then the join takes its place.
        self.begin_rebalance(step);
        self.wait(member_id, Awaiting::Join(token), step);
        self.try_complete_join(step);
    }

    /// A static member is back (KIP-345): same instance id, another process, hence another member id.
    fn replace_static_member(&mut self, token: Token, old_id: &str, request: &JoinRequest, step: &mut Step) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        let member_id = fresh_member_id(request);
        // Whoever still waits under the old id is the older process, and out.
        refuse_waiting(&mut member, old_id, GroupError::FencedInstance, step);
        let before = member.clone();
        member.update(request);
        member.heard_from(step.now);
        self.members.insert(member_id.clone(), member);
        if let Some(instance) = &request.group_instance_id {
            self.static_members.insert(instance.clone(), member_id.clone());
        }
        if self.sync_due.remove(old_id) {
            self.sync_due.insert(member_id.clone());
        }
        let led = self.leader.as_deref() == Some(old_id);
        if led {
            self.leader = Some(member_id.clone());
        }
        if self.state == GroupState::Stable && self.keeps_assignment(&member_id, &before) {
            let mut joined = self.joined(&member_id);
            joined.skip_assignment = led && request.may_skip_assignment;
            if led && !request.may_skip_assignment {
                // An older client must not believe it leads: it would assign, and nobody asked.
                joined.leader = old_id.to_owned();
                joined.members.clear();
            }
            // The log must know the new member id, or a restart would fence the member.
            let record = self.metadata_record();
            step.persist(&self.id, vec![record], Then::AnswerJoin { token, joined });
        } else {
            self.await_generation(&member_id, token, step);
        }
    }

    /// Would the next generation be the same for this member?
    fn keeps_assignment(&self, member_id: &str, before: &Member) -> bool {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let Some(after) = self.members.get(member_id) else { return false };
        self.select_protocol().as_deref() == Some(protocol)
            && same_subscription(
                self.protocol_type.as_deref(),
                &before.metadata(protocol),
                &after.metadata(protocol),
            )
    }

    /// The answer to a member's join in the current generation.
    pub fn joined(&self, member_id: &str) -> Joined {
        let leader = self.leader.clone().unwrap_or_default();
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let describe = |(id, member): (&String, &Member)| JoinedMember {
            member_id: id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        let leads = leader == member_id;
        let members = if leads { self.members.iter().map(describe).collect() } else { Vec::new() };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader,
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members,
        }
    }
}

fn fresh_member_id(request: &JoinRequest) -> String {
    let name = request.group_instance_id.as_ref().unwrap_or(&request.client_id);
    format!("{name}-{}", request.fresh_id)
}
