//! Producers that wait for the high watermark to pass their records.

use std::collections::BTreeMap;

use super::{Action, AppendError, Appended, Token};
use crate::ids::Offset;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By the offset that the high watermark must reach, then in order of arrival: answers to one
    /// producer keep the order of its batches.
    by_offset: BTreeMap<(Offset, u64), Entry>,
    arrivals: u64,
}

#[derive(Debug)]
struct Entry {
    token: Token,
    appended: Appended,
    deadline_ms: i64,
}

impl Waiting {
    pub fn push(&mut self, end: Offset, token: Token, appended: Appended, deadline_ms: i64) {
        self.arrivals += 1;
        self.by_offset.insert((end, self.arrivals), Entry { token, appended, deadline_ms });
    }

    pub fn release(&mut self, high_watermark: Offset, actions: &mut Vec<Action>) {
        while let Some(first) = self.by_offset.first_entry() {
            if first.key().0 > high_watermark {
                break;
            }
            let Entry { token, appended, .. } = first.remove();
            actions.push(Action::Answer { token, result: Ok(appended) });
        }
    }

    pub fn fail_all(&mut self, error: AppendError, actions: &mut Vec<Action>) {
        for (_, entry) in std::mem::take(&mut self.by_offset) {
            actions.push(Action::Answer { token: entry.token, result: Err(error) });
        }
    }

    pub fn expire(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        self.by_offset.retain(|_, entry| {
            let due = entry.deadline_ms <= now_ms;
            if due {
                actions.push(Action::Answer { token: entry.token, result: Err(AppendError::TimedOut) });
            }
            !due
        });
    }

    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.by_offset.values().map(|entry| entry.deadline_ms).min()
    }
}
