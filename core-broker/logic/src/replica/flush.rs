//! When the log is synced: Kafka's `flush.messages` and `flush.ms`.

use crate::ids::Offset;

/// A topic's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushRule {
    /// Records; 1 is a sync in every turn of the writer.
    pub messages: i64,
    /// After the first record that is not synced.
    pub ms: i64,
}

impl FlushRule {
    /// Acknowledged means on disk.
    pub const EVERY_TURN: FlushRule = FlushRule { messages: 1, ms: i64::MAX };

    /// What is written counts as if it were synced. The topic's owner has said that this is enough.
    pub fn is_relaxed(&self) -> bool {
        self.messages > 1 && self.ms > 0
    }
}

#[derive(Debug)]
pub(super) struct Flush {
    rule: FlushRule,
    synced_end: Offset,
    /// Since when there is something that is not synced.
    since_ms: Option<i64>,
}

impl Flush {
    pub fn new(rule: FlushRule, synced_end: Offset) -> Self {
        Self { rule, synced_end, since_ms: None }
    }

    pub fn set_rule(&mut self, rule: FlushRule) {
        self.rule = rule;
    }

    pub fn rule(&self) -> FlushRule {
        self.rule
    }

    pub fn written(&mut self, now_ms: i64) {
        self.since_ms.get_or_insert(now_ms);
    }

    pub fn synced(&mut self, end: Offset, log_end: Offset) {
        self.synced_end = end;
        if end == log_end {
            self.since_ms = None;
        }
    }

    pub fn is_due(&self, log_end: Offset, now_ms: i64) -> bool {
        log_end > self.synced_end
            && (!self.rule.is_relaxed()
                || log_end.0 - self.synced_end.0 >= self.rule.messages
                || self.deadline_ms().is_some_and(|at| at <= now_ms))
    }

    pub fn deadline_ms(&self) -> Option<i64> {
        let finite = self.rule.is_relaxed() && self.rule.ms < i64::MAX;
        self.since_ms.filter(|_| finite).map(|since| since.saturating_add(self.rule.ms))
    }
}
