//! One step of a coordinator as its groups see it: the time, the config, and where effects go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::config::GroupConfig;
use super::error::PersistError;
use super::messages::{Action, Answer, JoinRefused, Joined, PersistId, Token};
use super::record::OffsetsRecord;
use crate::ids::TopicPartition;

pub struct Step<'a> {
    pub now: Instant,
    pub unix_ms: i64,
    pub config: &'a GroupConfig,
    pub actions: &'a mut Vec<Action>,
    pub saves: &'a mut Saves,
}

impl Step<'_> {
    pub fn answer(&mut self, token: Token, answer: Answer) {
        self.actions.push(Action::Answer { token, answer });
    }

    pub fn persist(&mut self, group_id: &str, records: Vec<OffsetsRecord>, then: Then) {
        let records: Arc<[OffsetsRecord]> = records.into();
        let persist = self.saves.begin(group_id, records.clone(), then);
        self.actions.push(Action::Persist { persist, records });
    }
}

/// What a group waits to do until its records are on disk.
pub enum Then {
    Nothing,
    /// The topic is deleted: its tombstones are written in the end.
    Forget,
    AnswerCommit {
        token: Token,
        answer: Answer,
    },
    /// The assignments of this generation may be handed out.
    Assign {
        generation: i32,
    },
    /// A static member is back under another member id.
    AnswerJoin {
        token: Token,
        joined: Joined,
    },
    AnswerDelete {
        token: Token,
        answer: Answer,
    },
}

impl Then {
    pub fn done(self) -> Option<(Token, Answer)> {
        match self {
            Then::Nothing | Then::Forget | Then::Assign { .. } => None,
            Then::AnswerCommit { token, answer } | Then::AnswerDelete { token, answer } => {
                Some((token, answer))
            }
            Then::AnswerJoin { token, joined } => Some((token, Answer::Join(Ok(joined)))),
        }
    }

    pub fn failed(self, error: PersistError) -> Option<(Token, Answer)> {
        match self {
            Then::Nothing | Then::Forget | Then::Assign { .. } => None,
            Then::AnswerCommit { token, answer } => Some((token, answer.not_saved(error.for_commit()))),
            Then::AnswerDelete { token, answer } => Some((token, answer.not_saved(error.for_group()))),
            Then::AnswerJoin { token, joined } => {
                let refused = JoinRefused { error: error.for_group(), member_id: joined.member_id };
                Some((token, Answer::Join(Err(refused))))
            }
        }
    }
}

/// Records on their way to the disk. They take effect in the order they were sent, whatever the
/// order of the reports: the memory must go the way a replay of the log would go.
#[derive(Default)]
pub struct Saves {
    next: u64,
    under_way: BTreeMap<PersistId, Save>,
}

pub struct Save {
    pub group_id: Arc<str>,
    pub records: Arc<[OffsetsRecord]>,
    pub then: Then,
    outcome: Option<Result<(), PersistError>>,
}

impl Saves {
    fn begin(&mut self, group_id: &str, records: Arc<[OffsetsRecord]>, then: Then) -> PersistId {
        let persist = PersistId(self.next);
        self.next += 1;
        let save = Save { group_id: group_id.into(), records, then, outcome: None };
        self.under_way.insert(persist, save);
        persist
    }

    /// A report about an unknown id is a second report, and ignored.
    pub fn report(&mut self, persist: PersistId, outcome: Result<(), PersistError>) {
        if let Some(save) = self.under_way.get_mut(&persist) {
            save.outcome.get_or_insert(outcome);
        }
    }

    /// The oldest one, once it is reported.
    pub fn take_settled(&mut self) -> Option<(Save, Result<(), PersistError>)> {
        let oldest = self.under_way.first_entry()?;
        let outcome = oldest.get().outcome?;
        Some((oldest.remove(), outcome))
    }

    pub fn take_any(&mut self) -> Option<Save> {
        self.under_way.pop_first().map(|(_, save)| save)
    }

    pub fn concern(&self, group_id: &str) -> bool {
        self.under_way.values().any(|save| &*save.group_id == group_id)
    }

    /// Offsets under way, and whose they are.
    pub fn commits(&self) -> impl Iterator<Item = (&Arc<str>, &TopicPartition)> {
        self.under_way.values().flat_map(|save| {
            save.records.iter().filter_map(|record| match record {
                OffsetsRecord::Offset { partition, value: Some(_), .. } => Some((&save.group_id, partition)),
                _ => None,
            })
        })
    }
}
