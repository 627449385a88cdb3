//! Committed offsets: taken in, given out, forgotten.

use std::collections::BTreeSet;

use super::error::GroupError;
use super::group::{Group, GroupState};
use super::member::Member;
use super::messages::{Answer, CommitRequest, FetchedOffset, Token};
use super::record::{CommittedOffset, OffsetsRecord};
use super::step::{Step, Then};
use super::subscription::subscribed_topics;
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
        let records = self.tombstones();
        step.persist(&self.id, records, Then::AnswerDelete { token, answer: Answer::DeleteGroup(Ok(())) });
    }

    fn tombstones(&self) -> Vec<OffsetsRecord> {
        let group = OffsetsRecord::Group { group_id: self.id.to_string(), value: None };
        self.offsets.keys().map(|at| self.offset_record(at, None)).chain([group]).collect()
    }

    pub fn delete_offsets(&mut self, token: Token, partitions: &[TopicPartition], step: &mut Step) {
        let in_use = match self.topics_in_use() {
            Ok(topics) => topics,
            Err(error) => return step.answer(token, Answer::DeleteOffsets(Err(error))),
        };
        let mut records = Vec::new();
        let mut rows = Vec::new();
        for at in partitions {
            let subscribed = in_use.contains(&*at.topic);
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

    /// Topics whose offsets the members still need. Where we cannot tell, all of them.
    fn topics_in_use(&self) -> Result<BTreeSet<String>, GroupError> {
        let protocol = self.protocol_name.as_deref();
        let topics = |member: &Member| {
            // Between generations the members' first choice is the best there is.
            let first = member.protocols.first().map(|(name, _)| name.as_str());
            let metadata = member.metadata(protocol.or(first).unwrap_or_default());
            subscribed_topics(self.protocol_type.as_deref(), &metadata).ok_or(GroupError::NonEmptyGroup)
        };
        self.members.values().try_fold(BTreeSet::new(), |mut all, member| {
            all.append(&mut topics(member)?);
            Ok(all)
        })
    }

    /// Forgets what nobody came back for: offsets of a group that has been empty for the retention
    /// time, or that were committed so long ago when the group never had members.
    pub fn expire_offsets(&mut self, step: &mut Step) {
        if self.state != GroupState::Empty || !self.pending.is_empty() {
            return;
        }
        let retention = i64::try_from(step.config.offsets_retention.as_millis()).unwrap_or(i64::MAX);
        let empty_since =
            self.protocol_type.is_some().then_some(self.state_unix_ms).filter(|since| *since >= 0);
        let expired = |offset: &CommittedOffset| {
            let since = empty_since.unwrap_or(offset.commit_unix_ms);
            step.unix_ms.saturating_sub(since) >= retention
        };
        let records = if self.offsets.values().all(expired) {
            self.tombstones()
        } else {
            let old = self.offsets.iter().filter(|(_, offset)| expired(offset));
            old.map(|(at, _)| self.offset_record(at, None)).collect()
        };
        if !records.is_empty() {
            step.persist(&self.id, records, Then::Nothing);
        }
    }

    fn offset_record(&self, partition: &TopicPartition, value: Option<CommittedOffset>) -> OffsetsRecord {
        OffsetsRecord::Offset { group_id: self.id.to_string(), partition: partition.clone(), value }
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
