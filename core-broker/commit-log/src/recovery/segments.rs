//! Segment after segment: each as its indexes tell it, or read anew, and the end of the log at the first bad batch.

use std::{path::Path, sync::Arc};

use super::{Corruption, Evidence, Restored, begin, quarantine};
use crate::{
    LogConfig,
    clean_shutdown::{self, Mark},
    compaction::Checkpoint,
    disk::{Disk, DiskFile},
    epochs::Epochs,
    error::{LogError, doing},
    scan::{Chain, Found, Halt, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{self, Active, Sealed, accept, log_name},
};

/// All segments from the first on, as they are found; what is damaged is cut and set aside.
pub(super) fn restore<D: Disk>(
    disk: &D,
    dir: &Path,
    config: &LogConfig,
    evidence: &Evidence,
    bases: &[i64],
) -> Result<Restored<D::File>, LogError> {
    let Some((&last, earlier)) = bases.split_last() else { return begin(disk, dir, false, evidence) };
    let first = earlier.first().copied().unwrap_or(last);
    let checkpoint = Epochs::load(disk, dir)?.map(|mut epochs| {
        epochs.cut_before(first); // retention may have moved the log's start since
        epochs
    });
    let mut restoring = Restoring {
        disk,
        dir,
        config,
        evidence,
        checkpoint_known: checkpoint.is_some(),
        epochs: checkpoint.unwrap_or_default(),
        cleaner: Checkpoint::load(disk, dir, evidence.mark.as_ref().and_then(Mark::compacted), last)?,
    };
    let mut sealed = Vec::with_capacity(earlier.len());
    for (at, &base) in earlier.iter().enumerate() {
        let later = &earlier[at + 1..];
        let next = later.first().copied().unwrap_or(last);
        match restoring.sealed(base, next)? {
            Earlier::Whole(segment) => sealed.push(Arc::new(segment)),
            Earlier::Short(examined) => {
                let later: Vec<i64> = later.iter().copied().chain([last]).collect();
                return restoring.cut(sealed, examined, &later);
            }
        }
    }
    if restoring.checkpoint_known {
        if let Some(end) = evidence.mark.as_ref().map(|mark| mark.log_end)
            && let Some(active) = restoring.load(last, end)?
        {
            return Ok(Restored {
                sealed,
                active,
                epochs: restoring.epochs,
                log_start: first,
                log_end: end,
                cleaner: restoring.cleaner,
                clean_shutdown: true,
                marked: true,
                truncated_bytes: 0,
                corruption: None,
            });
        }
        restoring.epochs.cut_from(last);
    }
    let examined = restoring.examine(last)?;
    restoring.cut(sealed, examined, &[])
}

/// A segment read from its first byte to its end or to the first bad batch.
struct Examined<F> {
    active: Active<F>,
    chain: Chain,
    file_bytes: u64,
    /// Why the walk stopped before the end of the file.
    bad: Option<String>,
}

/// What is found of a segment behind which another one begins.
enum Earlier<F> {
    Whole(Sealed<F>),
    /// It does not reach to where the next one begins.
    Short(Examined<F>),
}

struct Restoring<'a, D> {
    disk: &'a D,
    dir: &'a Path,
    config: &'a LogConfig,
    evidence: &'a Evidence,
    checkpoint_known: bool,
    epochs: Epochs,
    cleaner: Checkpoint,
}

impl<D: Disk> Restoring<'_, D> {
    /// A segment that was on disk before the next was begun.
    fn sealed(&mut self, base: i64, next: i64) -> Result<Earlier<D::File>, LogError> {
        let Restoring { disk, dir, .. } = *self;
        if self.checkpoint_known {
            if self.evidence.mark.is_some() {
                if let Some(sealed) = Sealed::open(disk, dir, base, next, self.cleaner.gaps_before)? {
                    return Ok(Earlier::Whole(sealed));
                }
            } else if let Some(active) = self.load(base, next)?
                && let Some((offsets, times)) = segment::open_indexes(disk, dir, base)?
            {
                return Ok(Earlier::Whole(active.seal(next, offsets, times)));
            }
        }
        let examined = self.examine(base)?;
        if examined.bad.is_some() || !examined.chain.reaches(next) {
            return Ok(Earlier::Short(examined));
        }
        let (offsets, times) = examined.active.index_rows().write(disk, dir)?;
        disk.sync_dir(dir).map_err(doing("syncing", dir))?;
        Ok(Earlier::Whole(examined.active.seal(next, offsets, times)))
    }

    fn load(&self, base: i64, end: i64) -> Result<Option<Active<D::File>>, LogError> {
        let interval = self.config.index_interval_bytes;
        Active::load(self.disk, self.dir, base, end, interval, self.cleaner.gaps_before)
    }

    /// Checks every batch of a segment and makes its indexes anew.
    fn examine(&mut self, base: i64) -> Result<Examined<D::File>, LogError> {
        let path = self.dir.join(log_name(base));
        let file = self.disk.open(&path).map_err(doing("opening", &path))?;
        let file_bytes = file.len().map_err(doing("reading", &path))?;
        let mut active = Active::new(base, file);
        let file = Arc::clone(&active.file);
        let mut scan = Scan::new(&*file, 0, file_bytes, WHOLE_SEGMENT_WINDOW);
        let epoch = self.epochs.at(base - 1).unwrap_or(i32::MIN);
        let mut chain = Chain { epoch, ..Chain::from(base, self.cleaner.gaps_before) };
        let bad = loop {
            let good = chain;
            match check_next(&mut scan, base, &mut chain) {
                Ok(None) => break None,
                Ok(Some(found)) => {
                    self.epochs.note(found.header.partition_leader_epoch, found.header.base_offset);
                    active.note(&found.header, self.config.index_interval_bytes);
                }
                Err(Halt::Io(error)) => return Err(doing("reading", &path)(error)),
                Err(Halt::Bad { reason, .. }) => {
                    chain = good;
                    break Some(reason);
                }
            }
        };
        Ok(Examined { active, chain, file_bytes, bad })
    }

    /// Where the last whole batch ends that stands behind the bad one.
    fn end_behind(&self, examined: &Examined<D::File>) -> Result<Option<i64>, LogError> {
        let Examined { active, chain, file_bytes, .. } = examined;
        if *file_bytes <= active.bytes {
            return Ok(None);
        }
        let behind =
            quarantine::end_of_last_batch(&*active.file, active.bytes, *file_bytes, chain.next_offset);
        behind.map_err(doing("reading", &self.dir.join(log_name(active.base))))
    }

    /// The log ends with the last good batch of `examined`, which becomes the active segment.
    fn cut(
        mut self,
        sealed: Vec<Arc<Sealed<D::File>>>,
        examined: Examined<D::File>,
        later: &[i64],
    ) -> Result<Restored<D::File>, LogError> {
        let Restoring { disk, dir, .. } = self;
        let end = examined.chain.next_offset;
        let mut until = self.evidence.proven_end.max(end);
        if let Some(&last) = later.last() {
            let examined = self.examine(last)?;
            let behind = self.end_behind(&examined)?;
            until = until.max(examined.chain.next_offset).max(behind.unwrap_or(end));
        }
        let behind = self.end_behind(&examined)?;
        until = until.max(behind.unwrap_or(end));
        if until == end {
            clean_shutdown::remove(disk, dir)?; // it vouched for what is about to be cut
        }
        let Examined { active, file_bytes, bad, .. } = examined;
        let path = dir.join(log_name(active.base));
        let file = Arc::clone(&active.file);
        let bad_bytes = file_bytes.saturating_sub(active.bytes);
        let mut corruption = None;
        if behind.is_some() || until > end {
            let reason =
                bad.unwrap_or_else(|| format!("it ends here, and the log had reached offset {until}"));
            let found = Corruption {
                file: log_name(active.base),
                position: active.bytes,
                offset: end,
                until,
                reason,
                set_aside: Vec::new(),
                set_aside_bytes: 0,
            };
            let mut found = found.and(self.evidence.half_mended.clone());
            // Before anything that proves `until` leaves its place.
            found.save(disk, dir)?;
            (found.set_aside, found.set_aside_bytes) =
                quarantine::set_aside(disk, dir, &active, file_bytes, later)?;
            corruption = Some(found);
        }
        if bad_bytes > 0 {
            file.truncate(active.bytes).map_err(doing("cutting", &path))?;
        }
        // A process that was killed leaves bytes that no sync has covered; from here on they are in the log.
        file.sync_data().map_err(doing("syncing", &path))?;
        disk.sync_dir(dir).map_err(doing("syncing", dir))?;
        self.epochs.cut_from(end);
        let truncated_bytes = if corruption.is_none() { bad_bytes } else { 0 };
        let log_start = sealed.first().map_or(active.base, |first| first.base);
        Ok(Restored {
            sealed,
            active,
            epochs: self.epochs,
            log_start,
            log_end: end,
            cleaner: self.cleaner,
            clean_shutdown: false,
            marked: false,
            truncated_bytes,
            corruption,
        })
    }
}

/// The next batch, if it is whole, intact and the one that must come.
fn check_next<F: DiskFile>(scan: &mut Scan<F>, base: i64, chain: &mut Chain) -> Result<Option<Found>, Halt> {
    let Some(found) = scan.next()? else { return Ok(None) };
    if !scan.checksum_holds(&found)? {
        return Err(Halt::Bad { position: found.position, reason: "the checksum does not hold".to_owned() });
    }
    accept(base, chain, &found)?;
    Ok(Some(found))
}
