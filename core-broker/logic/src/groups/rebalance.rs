//! From one generation to the next: gather the members, choose a protocol, hand out the generation.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::GroupError;
use super::group::{Gathering, Group, GroupState, InitialDelay, refuse_waiting};
use super::member::{Awaiting, Member};
use super::messages::Answer;
use super::step::{Step, Then};

/// When only absent static members are left, the rebalance waits on, but never in a busy loop.
const SHORTEST_POSTPONEMENT: Duration = Duration::from_secs(1);

impl Group {
    pub fn rebalance(&mut self, step: &mut Step) {
        self.begin_rebalance(step);
        self.try_complete_join(step);
    }

    /// The members changed, so the generation is over; one that is being prepared already takes the
    /// change with it.
    pub fn begin_rebalance(&mut self, step: &mut Step) {
        if self.state == GroupState::PreparingRebalance {
            return;
        }
        self.refuse_syncs(GroupError::RebalanceInProgress, step);
        if self.state == GroupState::CompletingRebalance {
            // Nobody was given anything in this generation.
            self.members.values_mut().for_each(|member| member.assignment.clear());
        }
        let timeout = self.rebalance_timeout();
        let delay = step.config.initial_rebalance_delay.min(timeout);
        let waits = self.state == GroupState::Empty && !delay.is_zero();
        let initial = waits.then(|| InitialDelay { remaining: timeout - delay, newcomers: false });
        let deadline = step.now + if waits { delay } else { timeout };
        self.gathering = Some(Gathering { deadline, initial });
        self.enter(GroupState::PreparingRebalance, step);
    }

    /// All are here: nothing to wait for. A member that was just given its id is about to join.
    pub fn try_complete_join(&mut self, step: &mut Step) {
        let Some(gathering) = self.gathering else { return };
        let all_joined = self.members.values().all(Member::awaits_join) && self.pending.is_empty();
        if gathering.initial.is_none() && all_joined {
            self.complete_join(step);
        }
    }

    pub fn end_gathering(&mut self, step: &mut Step) {
        let Some(gathering) = self.gathering else { return };
        if gathering.deadline > step.now {
            return;
        }
        match gathering.initial {
            Some(initial) if initial.newcomers && !initial.remaining.is_zero() => {
                let delay = step.config.initial_rebalance_delay.min(initial.remaining);
                let initial = InitialDelay { remaining: initial.remaining - delay, newcomers: false };
                self.gathering = Some(Gathering { deadline: step.now + delay, initial: Some(initial) });
            }
            _ => self.complete_join(step),
        }
    }

    fn complete_join(&mut self, step: &mut Step) {
        self.drop_absent(step);
        if !self.members.is_empty() && !self.elect_present_leader() {
            // Static members keep their seats until their sessions end.
            let delay = self.rebalance_timeout().max(SHORTEST_POSTPONEMENT);
            self.gathering = Some(Gathering { deadline: step.now + delay, initial: None });
            return;
        }
        self.gathering = None;
        self.generation = self.generation.saturating_add(1);
        if self.members.is_empty() {
            self.become_empty(step);
        } else {
            self.begin_generation(step);
        }
    }

    /// A dynamic member that did not rejoin in time is out.
    fn drop_absent(&mut self, step: &mut Step) {
        let absent = |member: &Member| !member.awaits_join() && member.group_instance_id.is_none();
        for member_id in self.members_that(absent) {
            self.remove_member(&member_id, GroupError::UnknownMember, step);
        }
    }

    /// The leader assigns the partitions, so it must be one that is here.
    fn elect_present_leader(&mut self) -> bool {
        let present = |id: &String| self.members.get(id).is_some_and(Member::awaits_join);
        if self.leader.as_ref().is_some_and(present) {
            return true;
        }
        let candidate = self.members.keys().find(|id| present(id)).cloned();
        let elected = candidate.is_some();
        self.leader = candidate.or(self.leader.take());
        elected
    }

    fn become_empty(&mut self, step: &mut Step) {
        self.protocol_name = None;
        self.leader = None;
        self.enter(GroupState::Empty, step);
        let record = self.metadata_record();
        step.persist(&self.id, vec![record], Then::Nothing);
    }

    fn begin_generation(&mut self, step: &mut Step) {
        self.protocol_name = self.select_protocol();
        self.enter(GroupState::CompletingRebalance, step);
        self.sync_due = self.members.keys().cloned().collect();
        self.sync_deadline = Some(step.now + self.rebalance_timeout());
        for member_id in self.members_that(|_| true) {
            let joined = self.joined(&member_id);
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            member.is_new = false;
            member.heard_from(step.now);
            if let Awaiting::Join(token) = std::mem::replace(&mut member.awaiting, Awaiting::Nothing) {
                step.answer(token, Answer::Join(Ok(joined)));
            }
        }
    }

    /// Each member votes for the first of its protocols that all members have. A tie goes to the one
    /// the leader likes better.
    pub fn select_protocol(&self) -> Option<String> {
        let mut supporters: BTreeMap<&String, usize> = BTreeMap::new();
        for name in self.members.values().flat_map(Member::protocol_names) {
            *supporters.entry(name).or_default() += 1;
        }
        let shared = |name: &&String| supporters.get(name) == Some(&self.members.len());
        let mut votes: BTreeMap<&String, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(choice) = member.protocols.iter().map(|(name, _)| name).find(shared) {
                *votes.entry(choice).or_default() += 1;
            }
        }
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        let rank = |name: &String| {
            leader.and_then(|leader| leader.protocols.iter().position(|(protocol, _)| protocol == name))
        };
        votes
            .into_iter()
            .min_by_key(|(name, votes)| (usize::MAX - votes, rank(name)))
            .map(|(name, _)| name.clone())
    }

    /// The slowest member sets the pace.
    pub fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    pub fn members_that(&self, holds: impl Fn(&Member) -> bool) -> Vec<String> {
        self.members.iter().filter(|(_, member)| holds(member)).map(|(id, _)| id.clone()).collect()
    }

    /// Ends the sync phase for all who wait in it.
    pub fn refuse_syncs(&mut self, error: GroupError, step: &mut Step) {
        self.sync_due.clear();
        self.sync_deadline = None;
        self.saving_assignment = false;
        for (member_id, member) in &mut self.members {
            if matches!(member.awaiting, Awaiting::Sync(_)) {
                refuse_waiting(member, member_id, error, step);
                member.heard_from(step.now);
            }
        }
    }
}
