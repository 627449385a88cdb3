//! Committed offsets: taken in, given out, forgotten.

use std::collections::BTreeSet;

use super::error::GroupError;
use super::group::{Group, GroupState};
use super::messages::{Answer, CommitRequest, FetchedOffset, Token};
use super::record::{CommittedOffset, OffsetsRecord};
use super::step::{Step, Then};
use super::subscription::{CONSUMER, subscribed_topics};
use crate::fields;
use crate::ids::{LeaderEpoch, Offset, TopicPartition};

const NOTHING_COMMITTED: Offset = Offset(-1);

impl Group {
    pub fn commit(&mut self, token: Token, request: &CommitRequest, step: &mut Step) {
        if let Err(error) = self.accepts_commit(request) {
            return step.answer(token, request.refused(error));
        }
        self.heard_from(&request.member_id, step.now);
        // Kafka counts Java's UTF-16 units; a record's string holds so many bytes whatever the config says.
        let longest = step.config.offset_metadata_max_bytes;
        let fits = |metadata: &str| metadata.encode_utf16().count() <= longest && fields::fits(metadata);
        let mut records = Vec::new();
        let mut rows = Vec::new();
        for commit in &request.offsets {
            let fits = fits(&commit.metadata);
            let result = if fits { Ok(()) } else { Err(GroupError::OffsetMetadataTooLarge) };
            rows.push((commit.partition.clone(), result));
            if fits {
                let value = CommittedOffset {
                    offset: commit.offset,
                    leader_epoch: commit.leader_epoch,
                    metadata: commit.metadata.clone(),
                    commit_unix_ms: step.unix_ms,
                    expire_unix_ms: request.retention_ms.map(|ms| step.unix_ms.saturating_add(ms)),
                };
                records.push(self.offset_record(&commit.partition, Some(value)));
            }
        }
        let answer = Answer::CommitOffsets(rows);
        if records.is_empty() {
            step.answer(token, answer);
        } else {
            step.persist(&self.id, records, Then::AnswerCommit { token, answer });
        }
    }

    fn accepts_commit(&self, request: &CommitRequest) -> Result<(), GroupError> {
        let anonymous = request.member_id.is_empty() && request.group_instance_id.is_none();
        if request.generation < 0 && self.state == GroupState::Empty {
            return Ok(()); // a consumer that assigns its own partitions
        }
        if request.generation < 0 && anonymous {
            return Err(GroupError::UnknownMember);
        }
        self.known_member(&request.member_id, request.group_instance_id.as_deref())?;
        self.current_generation(request.generation)?;
        // The member has joined but knows no assignment yet, so it cannot own what it commits.
        let completing = self.state == GroupState::CompletingRebalance;
        if completing { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    pub fn fetch_offsets(&self, partitions: Option<&[TopicPartition]>) -> Vec<FetchedOffset> {
        match partitions {
            Some(partitions) => partitions.iter().map(|at| fetched(at, self.offsets.get(at))).collect(),
            None => self.offsets.iter().map(|(at, offset)| fetched(at, Some(offset))).collect(),
        }
    }

    pub fn delete(&mut self, token: Token, step: &mut Step) {
        if self.state != GroupState::Empty {
            return step.answer(token, Answer::DeleteGroup(Err(GroupError::NonEmptyGroup)));
        }
        let mut partitions: BTreeSet<TopicPartition> = self.offsets.keys().cloned().collect();
        let under_way = step.saves.commits().filter(|(group_id, _)| **group_id == self.id);
        partitions.extend(under_way.map(|(_, partition)| partition.clone()));
        let records = self.tombstones(&partitions);
        step.persist(&self.id, records, Then::AnswerDelete { token, answer: Answer::DeleteGroup(Ok(())) });
    }

    /// Of the group too.
    fn tombstones(&self, partitions: &BTreeSet<TopicPartition>) -> Vec<OffsetsRecord> {
        let group = OffsetsRecord::Group { group_id: self.id.to_string(), value: None };
        partitions.iter().map(|at| self.offset_record(at, None)).chain([group]).collect()
    }

    /// The topics are deleted: what may follow them under their names begins without offsets, at once.
    pub fn forget_deleted(&mut self, partitions: &BTreeSet<TopicPartition>, step: &mut Step) {
        self.offsets.retain(|partition, _| !partitions.contains(partition));
        let records = partitions.iter().map(|at| self.offset_record(at, None)).collect();
        step.persist(&self.id, records, Then::Forget);
    }

    /// Nobody waits for it, and the next check does what fails.
    fn forget_expired(&self, partitions: &BTreeSet<TopicPartition>, step: &mut Step) {
        let records = partitions.iter().map(|at| self.offset_record(at, None)).collect();
        step.persist(&self.id, records, Then::Nothing);
    }

    pub fn delete_offsets(&mut self, token: Token, partitions: &[TopicPartition], step: &mut Step) {
        if !self.members.is_empty() && !self.is_of_consumers() {
            return step.answer(token, Answer::DeleteOffsets(Err(GroupError::NonEmptyGroup)));
        }
        let in_use = self.topics_in_use();
        let mut records = Vec::new();
        let mut rows = Vec::new();
        for at in partitions {
            let subscribed = in_use.contains(&at.topic);
            rows.push((at.clone(), if subscribed { Err(GroupError::SubscribedToTopic) } else { Ok(()) }));
            if !subscribed && self.offsets.contains_key(at) {
                records.push(self.offset_record(at, None));
            }
        }
        let answer = Answer::DeleteOffsets(Ok(rows));
        if records.is_empty() {
            step.answer(token, answer);
        } else {
            step.persist(&self.id, records, Then::AnswerDelete { token, answer });
        }
    }

    /// Topics whose offsets the members still need.
    fn topics_in_use(&self) -> TopicsInUse {
        if self.members.is_empty() {
            return TopicsInUse::These(BTreeSet::new());
        }
        let Some(protocol) = &self.protocol_name else { return TopicsInUse::AnyMayBe };
        let mut all = BTreeSet::new();
        for member in self.members.values() {
            match subscribed_topics(self.protocol_type.as_deref(), &member.metadata(protocol)) {
                Some(mut topics) => all.append(&mut topics),
                None => return TopicsInUse::AnyMayBe,
            }
        }
        TopicsInUse::These(all)
    }

    /// Forgets what nobody came back for (KIP-211): offsets of a group that has been empty for the retention
    /// time, and of topics that its consumers have not asked for since they were committed so long ago.
    pub fn expire_offsets(&mut self, step: &mut Step) {
        let simple = self.protocol_type.is_none();
        let empty = self.state == GroupState::Empty;
        let consuming = self.state == GroupState::Stable && self.is_of_consumers();
        if !self.pending.is_empty() || !(simple || empty || consuming) {
            return;
        }
        let in_use = self.topics_in_use();
        let retention = i64::try_from(step.config.offsets_retention.as_millis()).unwrap_or(i64::MAX);
        let empty_since = Some(self.state_unix_ms).filter(|since| empty && !simple && *since >= 0);
        let expired = |(partition, offset): &(&TopicPartition, &CommittedOffset)| {
            let since = empty_since.unwrap_or(offset.commit_unix_ms);
            let expires = offset.expire_unix_ms.unwrap_or(since.saturating_add(retention));
            !in_use.contains(&partition.topic) && step.unix_ms >= expires
        };
        let partitions: BTreeSet<TopicPartition> =
            self.offsets.iter().filter(expired).map(|(partition, _)| partition.clone()).collect();
        if empty && partitions.len() == self.offsets.len() {
            let records = self.tombstones(&partitions);
            step.persist(&self.id, records, Then::Nothing);
        } else if !partitions.is_empty() {
            self.forget_expired(&partitions, step);
        }
    }

    fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    fn offset_record(&self, partition: &TopicPartition, value: Option<CommittedOffset>) -> OffsetsRecord {
        OffsetsRecord::Offset { group_id: self.id.to_string(), partition: partition.clone(), value }
    }
}

enum TopicsInUse {
    These(BTreeSet<String>),
    /// The members did not say it in a way that we can read.
    AnyMayBe,
}

impl TopicsInUse {
    fn contains(&self, topic: &str) -> bool {
        match self {
            TopicsInUse::These(topics) => topics.contains(topic),
            TopicsInUse::AnyMayBe => true,
        }
    }
}

/// What a group answers that has committed nothing, or does not exist: not an error.
pub fn fetched(partition: &TopicPartition, offset: Option<&CommittedOffset>) -> FetchedOffset {
    FetchedOffset {
        partition: partition.clone(),
        offset: offset.map_or(NOTHING_COMMITTED, |offset| offset.offset),
        leader_epoch: offset.map_or(LeaderEpoch::UNKNOWN, |offset| offset.leader_epoch),
        metadata: offset.map(|offset| offset.metadata.clone()).unwrap_or_default(),
    }
}
