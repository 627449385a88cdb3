//! The fixes of a window in event time, and a machine that has read them in that order.
//!
//! A fix that continues the window costs one step. A late one is put where it belongs: the machine
//! is taken back to the checkpoint before it and reads on, beside itself as it was without the late
//! fix, until both are in the same state again. What the two said differently is the change.
//!
//! Bounds: at most `max_fixes` + [`STRIDE`] fixes and one machine per [`STRIDE`] of them. What is
//! older than the allowed lateness is summed up in one machine, and a fix from that time is refused.

use std::collections::VecDeque;

use crate::event_time::Placed;

/// Fixes from one checkpoint to the next: re-reading so many is cheap, and a checkpoint weighs
/// about as much as a dozen fixes.
pub const STRIDE: usize = 64;

/// Reads fixes in event time. The state is small, and the same fixes give the same state.
pub trait Machine: Clone + PartialEq {
    type Rules;
    type Fix: Placed;
    type Output: PartialEq;

    fn step(&mut self, rules: &Self::Rules, fix: &Self::Fix, out: &mut Vec<Self::Output>);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How far behind the newest fix a late one is still taken.
    pub lateness_ms: i64,
    pub max_fixes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    AtTheEnd,
    /// Between others: `removed` and `added` say what changed.
    Between,
    /// The first of two fixes of one instant wins.
    Duplicate,
    TooLate,
}

/// What a machine says otherwise than before; in event time.
#[derive(Debug, PartialEq)]
pub struct Changes<T> {
    pub removed: Vec<T>,
    pub added: Vec<T>,
}

impl<T> Default for Changes<T> {
    fn default() -> Changes<T> {
        Changes { removed: Vec::new(), added: Vec::new() }
    }
}

impl<T> Changes<T> {
    pub fn clear(&mut self) {
        self.removed.clear();
        self.added.clear();
    }
}

struct Checkpoint<M> {
    /// The fix after which the machine was in this state.
    t_ms: i64,
    machine: M,
}

pub struct Timeline<M: Machine> {
    /// After all that is forgotten, up to and with `base_ms`.
    base: M,
    base_ms: i64,
    fixes: VecDeque<M::Fix>,
    checkpoints: VecDeque<Checkpoint<M>>,
    /// After the last fix.
    head: M,
}

impl<M: Machine> Timeline<M> {
    pub fn new(machine: M) -> Timeline<M> {
        Timeline {
            base: machine.clone(),
            base_ms: i64::MIN,
            fixes: VecDeque::new(),
            checkpoints: VecDeque::new(),
            head: machine,
        }
    }

    pub fn head(&self) -> &M {
        &self.head
    }

    /// Fixes up to and with this instant are forgotten.
    pub fn forgotten_ms(&self) -> i64 {
        self.base_ms
    }

    pub fn len(&self) -> usize {
        self.fixes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fixes.is_empty()
    }

    /// The last fix at or before an instant.
    pub fn fix_before(&self, t_ms: i64) -> Option<&M::Fix> {
        let after = self.fixes.partition_point(|fix| fix.t_ms() <= t_ms);
        self.fixes.get(after.checked_sub(1)?)
    }

    pub fn insert(
        &mut self,
        rules: &M::Rules,
        retention: Retention,
        fix: M::Fix,
        wins: impl Fn(&M::Fix, &M::Fix) -> bool,
        changes: &mut Changes<M::Output>,
    ) -> Inserted {
        let t_ms = fix.t_ms();
        if t_ms <= self.base_ms {
            return Inserted::TooLate;
        }
        let inserted = if self.fixes.back().is_none_or(|last| last.t_ms() < t_ms) {
            self.append(rules, fix, changes);
            Inserted::AtTheEnd
        } else {
            let index = self.fixes.partition_point(|other| other.t_ms() < t_ms);
            match self.fixes.get(index) {
                Some(other) if other.t_ms() == t_ms && !wins(&fix, other) => return Inserted::Duplicate,
                Some(other) if other.t_ms() == t_ms => {
                    self.rewrite(rules, index, Edit::Replace(fix), changes)
                }
                _ => self.rewrite(rules, index, Edit::Insert(fix), changes),
            }
            Inserted::Between
        };
        self.forget(retention);
        inserted
    }

    fn append(&mut self, rules: &M::Rules, fix: M::Fix, changes: &mut Changes<M::Output>) {
        self.head.step(rules, &fix, &mut changes.added);
        let last_checkpoint_ms = self.checkpoints.back().map_or(self.base_ms, |checkpoint| checkpoint.t_ms);
        let t_ms = fix.t_ms();
        self.fixes.push_back(fix);
        let due = self.fixes.len().checked_sub(STRIDE).and_then(|index| self.fixes.get(index));
        if due.is_some_and(|fix| fix.t_ms() > last_checkpoint_ms) {
            self.checkpoints.push_back(Checkpoint { t_ms, machine: self.head.clone() });
        }
    }

    fn rewrite(
        &mut self,
        rules: &M::Rules,
        index: usize,
        edit: Edit<M::Fix>,
        changes: &mut Changes<M::Output>,
    ) {
        let t_ms = edit.fix().t_ms();
        let mut next_checkpoint = self.checkpoints.partition_point(|checkpoint| checkpoint.t_ms < t_ms);
        let start = next_checkpoint.checked_sub(1).and_then(|at| self.checkpoints.get(at));
        let (start_ms, mut before) = match start {
            Some(checkpoint) => (checkpoint.t_ms, checkpoint.machine.clone()),
            None => (self.base_ms, self.base.clone()),
        };
        let first = self.fixes.partition_point(|fix| fix.t_ms() <= start_ms);
        let mut unheard = Vec::new();
        for fix in self.fixes.range(first..index) {
            before.step(rules, fix, &mut unheard);
        }
        let mut since_checkpoint = index - first;
        let mut after = before.clone();

        // The edited fix itself, then all later ones, read by both machines.
        let mut was = Vec::new();
        let mut is = Vec::new();
        match edit {
            Edit::Insert(fix) => {
                after.step(rules, &fix, &mut is);
                self.fixes.insert(index, fix);
            }
            Edit::Replace(fix) => {
                after.step(rules, &fix, &mut is);
                if let Some(place) = self.fixes.get_mut(index) {
                    before.step(rules, place, &mut was);
                    *place = fix;
                }
            }
        }
        let mut read = index + 1;
        let mut last_ms = t_ms;
        loop {
            if was == is {
                was.clear();
                is.clear();
            }
            changes.removed.append(&mut was);
            changes.added.append(&mut is);
            since_checkpoint += 1;

            match self.checkpoints.get_mut(next_checkpoint) {
                Some(checkpoint) if checkpoint.t_ms == last_ms => {
                    checkpoint.machine = after.clone();
                    next_checkpoint += 1;
                    since_checkpoint = 0;
                }
                _ if since_checkpoint >= STRIDE => {
                    let machine = after.clone();
                    self.checkpoints.insert(next_checkpoint, Checkpoint { t_ms: last_ms, machine });
                    next_checkpoint += 1;
                    since_checkpoint = 0;
                }
                _ => {}
            }
            if before == after {
                return; // from here on nothing differs
            }
            let Some(fix) = self.fixes.get(read) else { break };
            before.step(rules, fix, &mut was);
            after.step(rules, fix, &mut is);
            last_ms = fix.t_ms();
            read += 1;
        }
        self.head = after;
    }

    fn forget(&mut self, retention: Retention) {
        let Some(newest_ms) = self.fixes.back().map(Placed::t_ms) else { return };
        let horizon_ms = newest_ms.saturating_sub(retention.lateness_ms);
        while let Some(oldest) = self.checkpoints.front()
            && (oldest.t_ms <= horizon_ms || self.fixes.len() > retention.max_fixes)
        {
            let Some(Checkpoint { t_ms, machine }) = self.checkpoints.pop_front() else { return };
            self.base = machine;
            self.base_ms = t_ms;
            while self.fixes.front().is_some_and(|fix| fix.t_ms() <= t_ms) {
                self.fixes.pop_front();
            }
        }
    }
}

enum Edit<F> {
    Insert(F),
    Replace(F),
}

impl<F> Edit<F> {
    fn fix(&self) -> &F {
        match self {
            Edit::Insert(fix) | Edit::Replace(fix) => fix,
        }
    }
}
