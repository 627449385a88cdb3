//! Offsets of topics that are deleted: gone from memory at once, and from the log as soon as it takes their
//! tombstones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::PersistError;
use super::record::OffsetsRecord;
use super::step::{Save, Saves, Then};
use crate::ids::TopicPartition;

/// Tombstones that the log has refused are sent again after this, then after twice as long each time: a full
/// disk is not asked without end.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(16);

/// Partitions by group.
pub type Forgotten = BTreeMap<Arc<str>, BTreeSet<TopicPartition>>;

pub struct Forgetting {
    /// Deleted before all was read that was committed for them: as many as are deleted in that time.
    unread: BTreeSet<Arc<str>>,
    /// The log still holds what was committed for these. A topic of the same name must not inherit it.
    unwritten: Forgotten,
    try_again_at: Option<Instant>,
    wait: Duration,
}

impl Default for Forgetting {
    fn default() -> Self {
        Self { unread: BTreeSet::new(), unwritten: BTreeMap::new(), try_again_at: None, wait: FIRST_WAIT }
    }
}

impl Forgetting {
    /// The topic is deleted while the partition is not read.
    pub fn later(&mut self, topic: &str) {
        self.unread.insert(topic.into());
    }

    /// All is read: these are to be forgotten.
    pub fn take_unread(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.unread)
    }

    /// When [`take_due`](Forgetting::take_due) has something.
    pub fn deadline(&self) -> Option<Instant> {
        self.try_again_at
    }

    /// What to write tombstones for once more. Not for what is being committed anew: the tombstone would come
    /// after the commit, and is needed only if that fails.
    pub fn take_due(&mut self, saves: &Saves, now: Instant) -> Forgotten {
        if self.try_again_at.is_none_or(|at| now < at) {
            return Forgotten::new();
        }
        let mut due = std::mem::take(&mut self.unwritten);
        for (group_id, partition) in saves.commits() {
            if due.get_mut(group_id).is_some_and(|partitions| partitions.remove(partition)) {
                self.unwritten.entry(group_id.clone()).or_default().insert(partition.clone());
            }
        }
        due.retain(|_, partitions| !partitions.is_empty());
        self.wait = LONGEST_WAIT.min(self.wait * 2);
        self.try_again_at = (!self.unwritten.is_empty()).then(|| now + self.wait);
        due
    }

    /// The fate of records is known.
    pub fn settled(&mut self, save: &Save, outcome: Result<(), PersistError>, now: Instant) {
        let is_tombstone = matches!(save.then, Then::Forget);
        match outcome {
            Ok(()) => {
                // Whatever the log has taken for a partition stands after what is still to be forgotten.
                if let Some(unwritten) = self.unwritten.get_mut(&save.group_id) {
                    offsets_of(save).for_each(|partition| _ = unwritten.remove(partition));
                }
                self.unwritten.retain(|_, partitions| !partitions.is_empty());
                if is_tombstone {
                    self.wait = FIRST_WAIT;
                }
            }
            Err(_) if is_tombstone => {
                let unwritten = self.unwritten.entry(save.group_id.clone()).or_default();
                unwritten.extend(offsets_of(save).cloned());
                self.try_again_at.get_or_insert(now + self.wait);
            }
            Err(_) => {}
        }
    }
}

fn offsets_of(save: &Save) -> impl Iterator<Item = &TopicPartition> {
    save.records.iter().filter_map(|record| match record {
        OffsetsRecord::Offset { partition, .. } => Some(partition),
        OffsetsRecord::Group { .. } => None,
    })
}
