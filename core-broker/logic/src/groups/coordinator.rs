//! The groups of one partition of `__consumer_offsets`: finds the group, wakes the group, and keeps
//! memory and log in step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::admission::Admitted;
use super::config::GroupConfig;
use super::description::{GroupDescription, GroupListing, dead};
use super::error::{GroupError, PersistError};
use super::forgetting::{Forgetting, Forgotten};
use super::group::{Group, GroupState, refuse_waiting};
use super::messages::{Action, Answer, Input, Request, Token};
use super::record::OffsetsRecord;
use super::record_codec::OffsetsRecordError;
use super::step::{Save, Saves, Step, Then};
use crate::ids::{Offset, TopicPartition};

pub struct Coordinator {
    pub(super) config: GroupConfig,
    phase: Phase,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    /// Which group must act when, and the reverse.
    alarms: BTreeSet<(Instant, Arc<str>)>,
    alarm_of: BTreeMap<Arc<str>, Instant>,
    saves: Saves,
    forgetting: Forgetting,
    wall: WallClock,
    next_expiry_check: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Loading,
    Unreadable,
    Active,
    Resigned,
}

/// Commit timestamps are wall time. It is set from outside and carried on by the monotonic clock.
#[derive(Debug, Clone, Copy)]
struct WallClock {
    set_at: Instant,
    unix_ms: i64,
}

impl WallClock {
    fn unix_ms(&self, now: Instant) -> i64 {
        let since = now.saturating_duration_since(self.set_at).as_millis();
        self.unix_ms.saturating_add(since.try_into().unwrap_or(i64::MAX))
    }
}

impl Coordinator {
    /// Begins in loading: replay the partition, then [`Input::Loaded`].
    pub fn new(config: GroupConfig, now: Instant, unix_ms: i64) -> Self {
        Self {
            next_expiry_check: now + config.expiry_check_interval,
            config,
            phase: Phase::Loading,
            groups: BTreeMap::new(),
            alarms: BTreeSet::new(),
            alarm_of: BTreeMap::new(),
            saves: Saves::default(),
            forgetting: Forgetting::default(),
            wall: WallClock { set_at: now, unix_ms },
        }
    }

    /// One record of the partition, in the order of the log, while loading. An error concerns this
    /// record alone: log it and go on with the next.
    pub fn replay(
        &mut self,
        key: Bytes,
        value: Option<Bytes>,
        now: Instant,
    ) -> Result<(), OffsetsRecordError> {
        assert_eq!(self.phase, Phase::Loading, "a live group is ahead of its records");
        match OffsetsRecord::decode(key, value)? {
            OffsetsRecord::Offset { group_id, partition, value } => {
                self.group_or_new(&group_id, now).apply_offset(&partition, value.as_ref());
            }
            OffsetsRecord::Group { group_id, value } => {
                self.group_or_new(&group_id, now).apply_metadata(value, now);
            }
        }
        Ok(())
    }

    pub fn handle(&mut self, input: Input, now: Instant, actions: &mut Vec<Action>) {
        match input {
            Input::Loaded => self.loaded(now, actions),
            Input::LoadFailed => self.load_failed(),
            Input::LoadAgain => self.load_again(),
            Input::TopicDeleted { topic } => self.topic_deleted(&topic, now, actions),
            Input::Resigned => self.resign(now, actions),
            Input::Request { token, request } => self.request(token, &request, now, actions),
            Input::Persisted { persist } => {
                self.saves.report(persist, Ok(()));
                self.settle(now, actions);
            }
            Input::PersistFailed { persist, error } => {
                self.saves.report(persist, Err(error));
                self.settle(now, actions);
            }
            Input::Tick { unix_ms } => {
                self.wall = WallClock { set_at: now, unix_ms };
                self.tick(now, actions);
            }
        }
    }

    /// When the next [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        if self.phase != Phase::Active {
            return None;
        }
        let alarm = self.alarms.first().map(|(at, _)| *at);
        [alarm, self.forgetting.deadline(), Some(self.next_expiry_check)].into_iter().flatten().min()
    }

    /// In order of group id.
    pub fn list(&self) -> Result<Vec<GroupListing>, GroupError> {
        self.ready()?;
        Ok(self.groups.values().map(Group::listing).collect())
    }

    /// A group that is not there is [`GroupState::Dead`].
    pub fn describe(&self, group_id: &str) -> Result<GroupDescription, GroupError> {
        self.ready()?;
        Ok(self.groups.get(group_id).map_or_else(|| dead(group_id), Group::description))
    }

    pub fn position_count(&self) -> usize {
        self.groups.values().map(|group| group.offsets.len()).sum()
    }

    /// Every committed offset, in order of group, topic and partition.
    pub fn positions(&self) -> impl Iterator<Item = (&str, &TopicPartition, Offset)> {
        self.groups.values().flat_map(|group| {
            group.offsets.iter().map(|(partition, committed)| (&*group.id, partition, committed.offset))
        })
    }

    pub(super) fn ready(&self) -> Result<(), GroupError> {
        match self.phase {
            Phase::Loading => Err(GroupError::LoadInProgress),
            Phase::Unreadable => Err(GroupError::CoordinatorNotAvailable),
            Phase::Active => Ok(()),
            Phase::Resigned => Err(GroupError::NotCoordinator),
        }
    }

    fn loaded(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.phase != Phase::Loading {
            return;
        }
        self.phase = Phase::Active;
        self.next_expiry_check = now + self.config.expiry_check_interval;
        self.groups.retain(|_, group| !group.is_vacant());
        for group_id in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.with_group(&group_id, now, actions, Group::resume);
        }
        // Nobody could commit since: all that is there was committed before.
        for topic in self.forgetting.take_unread() {
            self.forget(self.committed_for(&topic), now, actions);
        }
    }

    fn load_failed(&mut self) {
        if self.phase == Phase::Loading {
            self.phase = Phase::Unreadable;
            // Some of the records are no state that there ever was.
            self.groups.clear();
        }
    }

    fn load_again(&mut self) {
        if self.phase == Phase::Unreadable {
            self.phase = Phase::Loading;
        }
    }

    fn topic_deleted(&mut self, topic: &str, now: Instant, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Loading | Phase::Unreadable => self.forgetting.later(topic),
            Phase::Active => self.forget(self.committed_for(topic), now, actions),
            Phase::Resigned => {}
        }
    }

    /// Also what is on its way to the disk, which would outlive the topic.
    fn committed_for(&self, topic: &str) -> Forgotten {
        let first = TopicPartition::new(topic, i32::MIN);
        let mut committed = Forgotten::new();
        for group in self.groups.values() {
            let from_first = group.offsets.range(&first..).map(|(partition, _)| partition);
            let offsets: BTreeSet<_> =
                from_first.take_while(|partition| partition.topic == first.topic).cloned().collect();
            if !offsets.is_empty() {
                committed.insert(group.id.clone(), offsets);
            }
        }
        for (group_id, partition) in self.saves.commits() {
            if partition.topic == first.topic {
                committed.entry(group_id.clone()).or_default().insert(partition.clone());
            }
        }
        committed
    }

    fn forget(&mut self, forgotten: Forgotten, now: Instant, actions: &mut Vec<Action>) {
        for (group_id, partitions) in forgotten {
            // One whose first commit is under way is not there yet.
            self.group_or_new(&group_id, now);
            self.with_group(&group_id, now, actions, |group, step| group.forget_deleted(&partitions, step));
        }
    }

    fn resign(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.phase = Phase::Resigned;
        let unix_ms = self.wall.unix_ms(now);
        let mut step = Step { now, unix_ms, config: &self.config, actions, saves: &mut self.saves };
        for (member_id, member) in self.groups.values_mut().flat_map(|group| &mut group.members) {
            refuse_waiting(member, member_id, GroupError::NotCoordinator, &mut step);
        }
        while let Some(save) = step.saves.take_any() {
            if let Some((token, answer)) = save.then.failed(PersistError::NotLeader) {
                step.answer(token, answer);
            }
        }
        self.forgetting = Forgetting::default();
        self.groups.clear();
        self.alarms.clear();
        self.alarm_of.clear();
    }

    fn request(&mut self, token: Token, request: &Request, now: Instant, actions: &mut Vec<Action>) {
        let answer = match self.admit(request) {
            // Nobody can lose a session while the coordinator cannot hear it.
            Err(GroupError::LoadInProgress) if matches!(request, Request::Heartbeat(_)) => {
                Answer::Heartbeat(Ok(()))
            }
            Err(error) => request.refused(error),
            Ok(Admitted::Unknown(answer)) => answer,
            Ok(Admitted::Group) => {
                let group_id: Arc<str> = request.group_id().into();
                self.group_or_new(&group_id, now);
                return self.with_group(&group_id, now, actions, |group, step| {
                    dispatch(group, token, request, step);
                });
            }
        };
        actions.push(Action::Answer { token, answer });
    }

    /// Takes effect: records whose fate is known, in the order they were sent.
    fn settle(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some((save, outcome)) = self.saves.take_settled() {
            self.forgetting.settled(&save, outcome, now);
            let group_id = save.group_id.clone();
            self.group_or_new(&group_id, now);
            self.with_group(&group_id, now, actions, |group, step| settle(group, save, outcome, step));
        }
    }

    fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.phase != Phase::Active {
            return;
        }
        // What is due is fixed first: a group that sets itself another alarm waits for the next tick.
        let due: Vec<Arc<str>> =
            self.alarms.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect();
        for group_id in due {
            self.with_group(&group_id, now, actions, Group::tick);
        }
        let unwritten = self.forgetting.take_due(&self.saves, now);
        self.forget(unwritten, now, actions);
        if self.next_expiry_check <= now {
            self.next_expiry_check = now + self.config.expiry_check_interval;
            for group_id in self.groups.keys().cloned().collect::<Vec<_>>() {
                if !self.saves.concern(&group_id) {
                    self.with_group(&group_id, now, actions, Group::expire_offsets);
                }
            }
        }
    }

    fn group_or_new(&mut self, group_id: &str, now: Instant) -> &mut Group {
        let group_id: Arc<str> = group_id.into();
        let unix_ms = self.wall.unix_ms(now);
        self.groups.entry(group_id.clone()).or_insert_with(|| Group::new(group_id, unix_ms))
    }

    /// Runs one group, then sees to what a change in it means outside: its alarm, or its end.
    fn with_group(
        &mut self,
        group_id: &Arc<str>,
        now: Instant,
        actions: &mut Vec<Action>,
        run: impl FnOnce(&mut Group, &mut Step),
    ) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        let unix_ms = self.wall.unix_ms(now);
        let mut step = Step { now, unix_ms, config: &self.config, actions, saves: &mut self.saves };
        run(group, &mut step);
        if group.state == GroupState::Dead || group.is_vacant() {
            self.groups.remove(group_id);
        }
        self.set_alarm(group_id);
    }

    fn set_alarm(&mut self, group_id: &Arc<str>) {
        let next = self.groups.get(group_id).and_then(Group::deadline);
        let before = match next {
            Some(at) => self.alarm_of.insert(group_id.clone(), at),
            None => self.alarm_of.remove(group_id),
        };
        if let Some(before) = before {
            self.alarms.remove(&(before, group_id.clone()));
        }
        if let Some(at) = next {
            self.alarms.insert((at, group_id.clone()));
        }
    }
}

fn dispatch(group: &mut Group, token: Token, request: &Request, step: &mut Step) {
    match request {
        Request::Join(request) => group.join(token, request, step),
        Request::Sync(request) => group.sync(token, request, step),
        Request::Heartbeat(request) => group.heartbeat(token, request, step),
        Request::Leave(request) => group.leave(token, request, step),
        Request::CommitOffsets(request) => group.commit(token, request, step),
        Request::FetchOffsets { partitions, .. } => {
            let offsets = group.fetch_offsets(partitions.as_deref());
            step.answer(token, Answer::FetchOffsets(Ok(offsets)));
        }
        Request::DeleteGroup { .. } => group.delete(token, step),
        Request::DeleteOffsets { partitions, .. } => group.delete_offsets(token, partitions, step),
    }
}

fn settle(group: &mut Group, save: Save, outcome: Result<(), PersistError>, step: &mut Step) {
    // A topic that is deleted is so whatever the disk says.
    if outcome.is_ok() || matches!(save.then, Then::Forget) {
        for record in save.records.iter() {
            match record {
                OffsetsRecord::Offset { partition, value, .. } => {
                    group.apply_offset(partition, value.as_ref())
                }
                OffsetsRecord::Group { value: Some(_), .. } => {} // the group itself wrote it
                OffsetsRecord::Group { value: None, .. } => group.bury(),
            }
        }
    }
    if let Then::Assign { generation } = save.then {
        let metadata = save.records.iter().find_map(|record| match record {
            OffsetsRecord::Group { value, .. } => value.as_ref(),
            OffsetsRecord::Offset { .. } => None,
        });
        return group.assigned(generation, metadata, outcome, step);
    }
    let answered = match outcome {
        Ok(()) => save.then.done(),
        Err(error) => save.then.failed(error),
    };
    if let Some((token, answer)) = answered {
        step.answer(token, answer);
    }
}
