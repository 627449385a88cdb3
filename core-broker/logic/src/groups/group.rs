//! One consumer group of the classic protocol: its state, and when it must next act on its own.
//!
//! ```text
//!            join                all joined, or time is up        leader's sync is on disk
//!   Empty ---------> Preparing ----------------------> Completing ----------------> Stable
//!     ^                |  ^  ^                             |                          |
//!     +--- nobody left-+  |  +--- join, leave, expiry -----+                          |
//!                         +------ join, leave, expiry --------------------------------+
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::GroupError;
use super::member::{Awaiting, Member};
use super::messages::{Answer, JoinRefused, Token};
use super::record::CommittedOffset;
use super::step::Step;
use crate::ids::TopicPartition;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    /// Deleted, or never there.
    Dead,
}

impl GroupState {
    /// As Kafka's tools print it.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
        }
    }
}

pub struct Group {
    pub id: Arc<str>,
    pub state: GroupState,
    pub state_unix_ms: i64,
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: Option<String>,
    pub members: BTreeMap<String, Member>,
    /// Group instance id to member id.
    pub static_members: BTreeMap<String, String>,
    /// Members that were given an id and have not come back with it, and until when they may.
    pub pending: BTreeMap<String, Instant>,
    /// While PreparingRebalance.
    pub gathering: Option<Gathering>,
    /// Members of this generation whose sync is due, and until when.
    pub sync_due: BTreeSet<String>,
    pub sync_deadline: Option<Instant>,
    /// The leader's assignment is on its way to the disk.
    pub saving_assignment: bool,
    pub offsets: BTreeMap<TopicPartition, CommittedOffset>,
}

/// How long a rebalance waits for members.
#[derive(Debug, Clone, Copy)]
pub struct Gathering {
    pub deadline: Instant,
    /// An empty group's first: waits for the whole delay, and again while newcomers arrive.
    pub initial: Option<InitialDelay>,
}

#[derive(Debug, Clone, Copy)]
pub struct InitialDelay {
    pub remaining: Duration,
    pub newcomers: bool,
}

impl Group {
    pub fn new(id: Arc<str>, unix_ms: i64) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            state_unix_ms: unix_ms,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeMap::new(),
            gathering: None,
            sync_due: BTreeSet::new(),
            sync_deadline: None,
            saving_assignment: false,
            offsets: BTreeMap::new(),
        }
    }

    /// When [`Group::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().filter_map(Member::expires);
        let pending = self.pending.values().copied();
        let gathering = self.gathering.map(|gathering| gathering.deadline);
        sessions.chain(pending).chain(gathering).chain(self.sync_deadline).min()
    }

    pub fn tick(&mut self, step: &mut Step) {
        self.expire_pending(step);
        self.expire_sessions(step);
        self.expire_syncs(step);
        self.end_gathering(step);
    }

    /// Nothing here that a fresh group would not have.
    pub fn is_vacant(&self) -> bool {
        self.state == GroupState::Empty
            && self.generation == 0
            && self.members.is_empty()
            && self.pending.is_empty()
            && self.offsets.is_empty()
    }

    pub fn enter(&mut self, state: GroupState, step: &Step) {
        self.state = state;
        self.state_unix_ms = step.unix_ms;
    }

    /// Whose request is this? An instance id decides, for its owner may have changed.
    pub fn known_member(&self, member_id: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            let owner = self.static_members.get(instance).ok_or(GroupError::UnknownMember)?;
            if owner != member_id {
                return Err(GroupError::FencedInstance);
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMember) }
    }

    pub fn current_generation(&self, generation: i32) -> Result<(), GroupError> {
        if generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    pub fn heard_from(&mut self, member_id: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.heard_from(now);
        }
    }

    /// Takes the member out of every list. Whatever it still waited for is answered with `error`.
    pub fn remove_member(&mut self, member_id: &str, error: GroupError, step: &mut Step) -> Option<Member> {
        let mut member = self.members.remove(member_id)?;
        refuse_waiting(&mut member, member_id, error, step);
        if let Some(instance) = &member.group_instance_id {
            self.static_members.remove(instance);
        }
        self.sync_due.remove(member_id);
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Opens a request of the member; one that was open already is answered, for nobody else will.
    pub fn wait(&mut self, member_id: &str, awaiting: Awaiting, step: &mut Step) {
        if let Some(member) = self.members.get_mut(member_id) {
            refuse_waiting(member, member_id, GroupError::RebalanceInProgress, step);
            member.awaiting = awaiting;
        }
    }
}

/// Answers the request the member left open, if any, with `error`.
pub fn refuse_waiting(member: &mut Member, member_id: &str, error: GroupError, step: &mut Step) {
    match std::mem::replace(&mut member.awaiting, Awaiting::Nothing) {
        Awaiting::Nothing => {}
        Awaiting::Join(token) => refuse_join(token, error, member_id, step),
        Awaiting::Sync(token) => step.answer(token, Answer::Sync(Err(error))),
    }
}

pub fn refuse_join(token: Token, error: GroupError, member_id: &str, step: &mut Step) {
    let refused = JoinRefused { error, member_id: member_id.to_owned() };
    step.answer(token, Answer::Join(Err(refused)));
}
