//! The offset that may be committed for one input partition: everything before it is read, and all
//! its outputs are acknowledged.

use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct Progress {
    /// One past the last record taken in.
    next: i64,
    /// Records with outputs on their way, oldest first, each with how many. Bounded by the runner's
    /// bound on outputs on their way.
    waiting: VecDeque<(i64, usize)>,
    committed: i64,
}

impl Progress {
    /// For a replay: what the group has committed is never taken back.
    pub fn since(committed: i64) -> Progress {
        Progress { committed, ..Progress::default() }
    }

    /// The record at `offset` was taken in and `outputs` of its outputs were sent.
    pub fn sent(&mut self, offset: i64, outputs: usize) {
        self.next = offset + 1;
        if outputs > 0 {
            self.waiting.push_back((offset, outputs));
        }
    }

    /// One output of the record at `offset` is on the brokers' disks.
    pub fn acknowledged(&mut self, offset: i64) {
        if let Ok(at) = self.waiting.binary_search_by_key(&offset, |(offset, _)| *offset) {
            self.waiting[at].1 -= 1;
        }
        while self.waiting.front().is_some_and(|(_, left)| *left == 0) {
            self.waiting.pop_front();
        }
    }

    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The offset to commit, when it has moved since the last call.
    pub fn take_commit(&mut self) -> Option<i64> {
        let offset = self.waiting.front().map_or(self.next, |(offset, _)| *offset);
        (offset > self.committed).then(|| {
            self.committed = offset;
            offset
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        Sent(i64, usize),
        Acknowledged(i64),
        Commit(Option<i64>),
    }
    use Step::*;

    fn check(script: Vec<Step>) {
        let mut progress = Progress::default();
        for (line, step) in script.into_iter().enumerate() {
            match step {
                Sent(offset, outputs) => progress.sent(offset, outputs),
                Acknowledged(offset) => progress.acknowledged(offset),
                Commit(expected) => assert_eq!(progress.take_commit(), expected, "line {line}"),
            }
        }
    }

    #[test]
    fn commits_only_what_is_acknowledged() {
        check(vec![
            Commit(None),
            Sent(0, 0),
            Commit(Some(1)),
            Commit(None),
            Sent(1, 2),
            Sent(2, 0),
            Sent(4, 1),
            Commit(None),
            Acknowledged(1),
            Commit(None),
            Acknowledged(4), // answers overtake each other
            Commit(None),
            Acknowledged(1),
            Commit(Some(5)),
        ]);
    }

    #[test]
    fn a_replay_does_not_take_a_commit_back() {
        let mut progress = Progress::since(2);
        for (offset, commit) in [(0, None), (1, None), (2, Some(3))] {
            progress.sent(offset, 0);
            assert_eq!(progress.take_commit(), commit);
        }
    }

    #[test]
    fn an_answer_for_a_record_it_does_not_wait_for_changes_nothing() {
        check(vec![
            Sent(3, 1),
            Acknowledged(9),
            Commit(Some(3)),
            Acknowledged(3),
            Acknowledged(3),
            Commit(Some(4)),
        ]);
    }
}
