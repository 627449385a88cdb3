//! Incremental fetch sessions (KIP-227): the broker remembers which partitions a consumer reads and what it
//! told of them. The consumer then names only what it wants changed, and hears only what has changed: an idle
//! fleet of consumers costs a few bytes a second, however many partitions it watches.
//!
//! A session is a convenience. A consumer whose session was evicted is told so and begins another.

mod session;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use crate::ids::{LeaderEpoch, Offset, TopicId};
use session::Session;

/// Kafka's `max.incremental.fetch.session.cache.slots`.
pub const MAX_SESSIONS: usize = 1_000;

/// Of all sessions together: what they hold in memory is theirs to ask for.
pub const MAX_PARTITIONS: usize = 250_000;

/// Kafka's `min.incremental.fetch.session.eviction.ms`: a session in use keeps its place for so long.
pub const UNDISTURBED_MS: i64 = 120_000;

/// A request of its own, without a session, or the last one of a session.
pub const FINAL_EPOCH: i32 = -1;
/// A full request that asks for a session.
pub const INITIAL_EPOCH: i32 = 0;

/// From version 13 on a consumer names topics by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicKey {
    Name(Arc<str>),
    Id(TopicId),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub topic: TopicKey,
    pub partition: i32,
}

/// What a consumer wants of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub fetch_offset: Offset,
    pub max_bytes: i32,
    pub current_leader_epoch: LeaderEpoch,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// 0 if the consumer has no session.
    pub session_id: i32,
    pub epoch: i32,
    /// Topics are named by id.
    pub by_id: bool,
    /// All partitions, or in a session those that are added or wanted otherwise.
    pub wanted: Vec<(Key, Wanted)>,
    pub forgotten: Vec<Key>,
}

/// A fetch under way: what to read, in this order, and whom the answer belongs to.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetch {
    pub partitions: Vec<(Key, Wanted)>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alone,
    Begins { by_id: bool },
    Continues { session_id: i32, next_epoch: i32 },
}

/// What is to be told of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub high_watermark: Offset,
    pub log_start: Offset,
    pub has_records: bool,
    pub is_error: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0: no session.
    pub session_id: i32,
    /// For each partition of the fetch, whether the answer names it.
    pub named: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionError {
    #[error("there is no such fetch session")]
    NotFound,
    #[error("the epoch is not the next one of the fetch session")]
    InvalidEpoch,
    #[error("the fetch session names its topics otherwise, by id or by name")]
    TopicIdMismatch,
}

/// Every consumer's session.
#[derive(Debug, Default)]
pub struct FetchSessions {
    by_id: BTreeMap<i32, Session>,
    partitions: usize,
}

impl FetchSessions {
    pub fn begin(&mut self, request: Request, now_ms: i64) -> Result<Fetch, SessionError> {
        let Request { session_id, epoch, by_id, wanted, forgotten } = request;
        if matches!(epoch, FINAL_EPOCH | INITIAL_EPOCH) {
            self.remove(session_id);
            let kind = if epoch == FINAL_EPOCH { Kind::Alone } else { Kind::Begins { by_id } };
            return Ok(Fetch { partitions: wanted, kind });
        }
        let session = self.by_id.get_mut(&session_id).ok_or(SessionError::NotFound)?;
        if session.epoch != epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.by_id != by_id {
            return Err(SessionError::TopicIdMismatch);
        }
        let before = session.len();
        session.change(wanted, forgotten);
        self.partitions = self.partitions - before + session.len();
        session.epoch = next_epoch(epoch);
        session.last_used_ms = now_ms;
        let partitions = session.wanted();
        let kind = Kind::Continues { session_id, next_epoch: session.epoch };
        if partitions.is_empty() || self.partitions > MAX_PARTITIONS {
            self.remove(session_id);
            return if partitions.is_empty() {
                Ok(Fetch { partitions, kind: Kind::Alone })
            } else {
                Err(SessionError::NotFound)
            };
        }
        Ok(Fetch { partitions, kind })
    }

    /// `told` in the order of the fetch's partitions. `fresh_id` is chance, for a session that begins.
    pub fn finish(
        &mut self,
        fetch: Fetch,
        told: &[Told],
        fresh_id: i32,
        now_ms: i64,
    ) -> Result<Answer, SessionError> {
        let all = vec![true; told.len()];
        match fetch.kind {
            Kind::Alone => Ok(Answer { session_id: 0, named: all }),
            Kind::Begins { by_id } => {
                let size = fetch.partitions.len();
                if size == 0 || !self.make_room(size, now_ms) {
                    return Ok(Answer { session_id: 0, named: all });
                }
                let session_id = self.unused(fresh_id);
                let session = Session::new(by_id, fetch.partitions, told, now_ms);
                self.partitions += session.len();
                self.by_id.insert(session_id, session);
                Ok(Answer { session_id, named: all })
            }
            Kind::Continues { session_id, next_epoch } => {
                let session = self.by_id.get_mut(&session_id).ok_or(SessionError::NotFound)?;
                // The consumer sent another request before it had this answer.
                if session.epoch != next_epoch {
                    return Err(SessionError::InvalidEpoch);
                }
                let named = session.tell(&fetch.partitions, told);
                Ok(Answer { session_id, named })
            }
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    fn remove(&mut self, session_id: i32) {
        if let Some(session) = self.by_id.remove(&session_id) {
            self.partitions -= session.len();
        }
    }

    /// By Kafka's rule: who was silent for long goes first, then who is smaller than the one that comes.
    fn make_room(&mut self, size: usize, now_ms: i64) -> bool {
        while self.by_id.len() >= MAX_SESSIONS || self.partitions + size > MAX_PARTITIONS {
            let old = |since_ms: i64| now_ms - since_ms > UNDISTURBED_MS;
            let silent = self.by_id.iter().min_by_key(|(_, session)| session.last_used_ms);
            let silent = silent.filter(|(_, session)| old(session.last_used_ms));
            let smallest = || self.by_id.iter().filter(|(_, session)| old(session.created_ms));
            let smaller = || smallest().min_by_key(|(_, it)| it.len()).filter(|(_, it)| it.len() < size);
            let Some(session_id) = silent.or_else(smaller).map(|(id, _)| *id) else { return false };
            self.remove(session_id);
        }
        true
    }

    /// A free id, more than 0, near `fresh_id`.
    fn unused(&self, fresh_id: i32) -> i32 {
        let mut id = (fresh_id & i32::MAX).max(1);
        while self.by_id.contains_key(&id) {
            id = next_epoch(id);
        }
        id
    }
}

/// From 1 to 2³¹−1 and again.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}
