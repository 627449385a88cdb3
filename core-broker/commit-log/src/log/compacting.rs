//! The writer's part of a compaction: says what there is to compact, and puts in place what was made of it.

use std::sync::Arc;

use super::{Log, Shared};
use crate::{
    Compaction, Disk, LogError,
    compaction::{Checkpoint, CompactionOrder, RewrittenSegment, Task, successor_name, swap_in},
    error::doing,
    folder::Folder,
};

impl<D: Disk> Log<D> {
    /// Below this offset each key stands once.
    pub fn cleaned_to(&self) -> i64 {
        self.shared.read().cleaner.cleaned_to
    }

    /// Batches below this offset may not be as they were appended.
    pub fn rewritten_before(&self) -> i64 {
        self.shared.read().cleaner.gaps_before
    }

    /// Takes hold of the sealed segments up to `order.end`. Nothing changes before [`install`](Log::install).
    pub fn begin_compaction(&self, order: CompactionOrder) -> Compaction<D> {
        let Shared { disk, dir, folder, .. } = &*self.shared;
        let state = self.shared.read();
        let segments = state.sealed.iter().take_while(|segment| segment.end <= order.end);
        Compaction::new(Task {
            disk: disk.clone(),
            dir: dir.clone(),
            folder: Arc::clone(folder),
            segments: segments.cloned().collect(),
            cleaned_to: state.cleaner.cleaned_to,
            gaps_before: state.cleaner.gaps_before,
            cuts: state.cuts,
            segment_bytes: self.config.segment_bytes,
            index_interval_bytes: self.config.index_interval_bytes,
            order,
            pace: Box::new(|_| {}),
        })
    }

    /// Puts a rewritten segment in the place of those it was made of; `false`, and nothing is done, if one of
    /// them is gone, or they were taken from another log of this folder. Durable when it returns. To be called in
    /// the order in which they were written: a tombstone must not go before what it deletes.
    pub fn install(&mut self, rewritten: RewrittenSegment<D>) -> Result<bool, LogError> {
        let place = self.place_for(&rewritten);
        let Ok(Some(at)) = place else {
            rewritten.discard(&self.shared.disk);
            return place.map(|_| false);
        };
        let installed = self.swap(rewritten, at);
        if let Err(failed) = &installed {
            // Opening finishes it. Until then the list tells of segments that are gone, and under the name of the
            // oldest may stand what holds the records of all of them: even for want of room none is removed.
            self.refuse_writes(failed.to_string(), false);
        }
        installed?;
        Ok(true)
    }

    /// When there is no more to rewrite: returns the offset below which each key stands once. It is before the
    /// end that was ordered if there were too many keys, and where it was before if not all that was rewritten
    /// is installed; the next compaction goes on there. `None`, and nothing is done, if it was begun on another
    /// log of this folder: this one may be as it was before.
    pub fn finish_compaction(&mut self, compaction: Compaction<D>) -> Result<Option<i64>, LogError> {
        if !self.is_own(&compaction.task().folder) {
            return Ok(None);
        }
        self.begin_write()?;
        let (cleaner, complete) = {
            let state = self.shared.read();
            let is_left = |old: &_| state.sealed.iter().any(|segment| Arc::ptr_eq(segment, old));
            // A cut may have brought other batches to where the compaction has been.
            let undisturbed = state.cuts == compaction.task().cuts;
            (state.cleaner, undisturbed && !compaction.replaced().iter().any(is_left))
        };
        match compaction.reaches().filter(|reached| complete && *reached > cleaner.cleaned_to) {
            Some(cleaned_to) => {
                let gaps_before = cleaner.gaps_before.max(cleaned_to);
                self.save_cleaner(Checkpoint { gaps_before, cleaned_to })?;
                Ok(Some(cleaned_to))
            }
            None => Ok(Some(cleaner.cleaned_to)),
        }
    }

    /// What was begun with this folder was begun on this log, which has not left it.
    fn is_own(&self, folder: &Arc<Folder>) -> bool {
        Arc::ptr_eq(folder, &self.shared.folder) && !folder.is_left()
    }

    /// Where it can be put; that offsets may be missing there is written down then.
    fn place_for(&mut self, rewritten: &RewrittenSegment<D>) -> Result<Option<usize>, LogError> {
        self.begin_write()?;
        let Some(at) = self.place_of(rewritten) else { return Ok(None) };
        let cleaner = self.shared.read().cleaner;
        if cleaner.gaps_before < rewritten.gaps_before {
            self.save_cleaner(Checkpoint { gaps_before: rewritten.gaps_before, ..cleaner })?;
        }
        Ok(Some(at))
    }

    /// Where in the list of sealed segments the sources begin.
    fn place_of(&self, rewritten: &RewrittenSegment<D>) -> Option<usize> {
        let state = self.shared.read();
        let first = rewritten.sources.first()?;
        let at = state.sealed.partition_point(|segment| segment.base < first.base);
        let there = state.sealed.get(at..at + rewritten.sources.len())?;
        let same = there.iter().zip(&rewritten.sources).all(|(a, b)| Arc::ptr_eq(a, b));
        (self.is_own(&rewritten.folder) && same && state.cuts == rewritten.cuts).then_some(at)
    }

    fn swap(&mut self, rewritten: RewrittenSegment<D>, at: usize) -> Result<(), LogError> {
        let shared = Arc::clone(&self.shared);
        let Shared { disk, dir, .. } = &*shared;
        let RewrittenSegment { sources, segment, unfinished, end, .. } = rewritten;
        let successor = dir.join(successor_name(segment.base, end));
        disk.rename(&unfinished, &successor).map_err(doing("renaming", &unfinished))?;
        disk.sync_dir(dir).map_err(doing("syncing", dir))?;
        swap_in(disk, dir, segment.base, end)?;
        let (offsets, times) = segment.index_rows().write(disk, dir)?;
        disk.sync_dir(dir).map_err(doing("syncing", dir))?;
        let sealed = Arc::new(segment.seal(end, offsets, times));
        shared.write().sealed.splice(at..at + sources.len(), [sealed]);
        Ok(())
    }

    /// What is appended from `end` on is not compacted: a hole in it is a loss.
    pub(super) fn forget_compaction_from(&mut self, end: i64) -> Result<(), LogError> {
        let cleaner = self.shared.read().cleaner;
        if cleaner.cut(end) == cleaner {
            return Ok(());
        }
        self.save_cleaner(cleaner.cut(end))
    }

    fn save_cleaner(&mut self, cleaner: Checkpoint) -> Result<(), LogError> {
        cleaner.save(&self.shared.disk, &self.shared.dir)?;
        self.shared.write().cleaner = cleaner;
        Ok(())
    }
}
