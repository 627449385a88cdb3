//! The fixes of a window in event time, and a machine that has read them in that order.
//!
//! A fix that continues the window costs one step. A late one is put where it belongs: the machine
//! is taken back to the checkpoint before it and reads on, beside itself as it was without the late
//! fix, until both are in the same state again. What the two said differently is the change.
//!
//! Bounds: at most `max_fixes` + 3 [`STRIDE`] fixes and one machine per [`STRIDE`] of them. What is
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

    pub fn fixes(&self) -> impl Iterator<Item = &M::Fix> {
        self.fixes.iter()
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
        let mut since_checkpoint = 0;
        for read in first..index {
            let Some(fix) = self.fixes.get(read) else { break };
            before.step(rules, fix, &mut unheard);
            let t_ms = fix.t_ms();
            since_checkpoint += 1;
            if self.is_checkpoint_due(since_checkpoint, read, next_checkpoint) {
                self.checkpoints.insert(next_checkpoint, Checkpoint { t_ms, machine: before.clone() });
                next_checkpoint += 1;
                since_checkpoint = 0;
            }
        }
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

            let due = self.is_checkpoint_due(since_checkpoint, read - 1, next_checkpoint);
            let here = self.checkpoints.get_mut(next_checkpoint).filter(|next| next.t_ms == last_ms);
            if let Some(checkpoint) = here {
                checkpoint.machine = after.clone();
                next_checkpoint += 1;
                since_checkpoint = 0;
            } else if due {
                let machine = after.clone();
                self.checkpoints.insert(next_checkpoint, Checkpoint { t_ms: last_ms, machine });
                next_checkpoint += 1;
                since_checkpoint = 0;
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

    /// Between two checkpoints there are at least [`STRIDE`] fixes, and less than three times as many.
    fn is_checkpoint_due(&self, since: usize, read: usize, next: usize) -> bool {
        since >= STRIDE
            && self.checkpoints.get(next).is_none_or(|next| {
                let index = self.fixes.partition_point(|fix| fix.t_ms() < next.t_ms);
                index.saturating_sub(read) >= STRIDE
            })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Position;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Note(i64, u8);

    impl Placed for Note {
        fn t_ms(&self) -> i64 {
            self.0
        }
        fn position(&self) -> Position {
            Position { lat: 0.0, lon: 0.0 }
        }
        fn continues(&self, _: &Note) -> bool {
            true
        }
    }

    /// Says each note with the one before it: a late note changes what is said of two.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Echo(Option<Note>);

    impl Machine for Echo {
        type Rules = ();
        type Fix = Note;
        type Output = (Option<Note>, Note);

        fn step(&mut self, _: &(), fix: &Note, out: &mut Vec<Self::Output>) {
            out.push((self.0.replace(*fix), *fix));
        }
    }

    impl Timeline<Echo> {
        /// The most fixes from one checkpoint to the next.
        fn longest_stretch(&self) -> usize {
            let until = |t_ms: i64| self.fixes.partition_point(|fix| fix.t_ms() <= t_ms);
            let ends = self.checkpoints.iter().map(|checkpoint| until(checkpoint.t_ms));
            let mut start = 0;
            let mut longest = 0;
            for end in ends.chain([self.fixes.len()]) {
                longest = longest.max(end - start);
                start = end;
            }
            longest
        }
    }

    fn keep_all() -> Retention {
        Retention { lateness_ms: i64::MAX, max_fixes: usize::MAX }
    }

    fn insert(
        timeline: &mut Timeline<Echo>,
        retention: Retention,
        note: Note,
    ) -> (Inserted, Changes<(Option<Note>, Note)>) {
        let mut changes = Changes::default();
        let inserted = timeline.insert(&(), retention, note, |_, _| false, &mut changes);
        (inserted, changes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn all_changes_together_are_what_one_reading_says(
            notes in proptest::collection::vec((0i64..600, any::<u8>()), 0..500)
        ) {
            let mut timeline = Timeline::new(Echo::default());
            let mut said: Vec<(Option<Note>, Note)> = Vec::new();
            let mut first: std::collections::BTreeMap<i64, Note> = Default::default();
            for (t_ms, word) in notes {
                let (inserted, changes) = insert(&mut timeline, keep_all(), Note(t_ms, word));
                prop_assert_eq!(inserted == Inserted::Duplicate, first.contains_key(&t_ms));
                first.entry(t_ms).or_insert(Note(t_ms, word));
                for removed in changes.removed {
                    let index = said.iter().position(|one| *one == removed);
                    prop_assert!(index.is_some());
                    said.remove(index.unwrap());
                }
                said.extend(changes.added);
            }
            said.sort_by_key(|(_, note)| note.0);
            let mut once = Vec::new();
            let mut echo = Echo::default();
            first.values().for_each(|note| echo.step(&(), note, &mut once));
            prop_assert_eq!(said, once);
            prop_assert_eq!(timeline.head(), &echo);
            prop_assert!(timeline.checkpoints.len() <= timeline.len() / STRIDE);
            let longest = timeline.longest_stretch();
            prop_assert!(longest < 3 * STRIDE, "{longest}");
        }

        #[test]
        fn a_window_is_bounded_by_count_and_by_age(
            times in proptest::collection::vec(0i64..100_000, 0..600), max_fixes in 0usize..200
        ) {
            let retention = Retention { lateness_ms: 50_000, max_fixes };
            let mut timeline = Timeline::new(Echo::default());
            for t_ms in times {
                insert(&mut timeline, retention, Note(t_ms, 0));
                prop_assert!(timeline.len() <= max_fixes + 3 * STRIDE);
            }
        }
    }

    #[test]
    fn what_is_forgotten_stays_said_and_is_refused() {
        let retention = Retention { lateness_ms: 100, max_fixes: 1000 };
        let mut timeline = Timeline::new(Echo::default());
        for t_ms in 1..=300 {
            insert(&mut timeline, retention, Note(t_ms, 0));
        }
        assert_eq!((timeline.forgotten_ms(), timeline.len()), (192, 108));
        assert_eq!(insert(&mut timeline, retention, Note(192, 1)).0, Inserted::TooLate);
        assert_eq!(insert(&mut timeline, retention, Note(193, 1)).0, Inserted::Duplicate);
    }
}
