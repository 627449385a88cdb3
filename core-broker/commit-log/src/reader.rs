//! The readers' side of a log: any thread, beside the writer, without waiting for the disk it writes to.

use std::{cmp::Reverse, collections::VecDeque, sync::Arc};

use bytes::Bytes;
use kafka_wire::record_batch::{BatchHeader, batches};

use crate::{
    disk::{Disk, DiskFile},
    epochs::EpochEnd,
    error::ReadError,
    index::{OffsetEntry, TimeEntry, floor, last_that},
    log::{Shared, State},
    scan::{Chain, Found, Halt, LOOKUP_WINDOW, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{Sealed, accept, log_name, points_to},
    slice::Slice,
};

/// Reads whole batches as they were appended.
pub struct LogReader<D: Disk> {
    shared: Arc<Shared<D>>,
}

/// Batch headers from an offset on, as [`LogReader::headers`] gives them.
pub struct Headers<D: Disk> {
    reader: LogReader<D>,
    next: i64,
    end: i64,
    ready: VecDeque<BatchHeader>,
    failed: bool,
}

/// A segment as it was at one instant: what is beyond `bytes` and `end` is not there yet.
struct View<F> {
    base: i64,
    end: i64,
    bytes: u64,
    file: Arc<F>,
    start: Start<F>,
    gaps_before: i64,
}

/// A batch, and the segment that it was found in.
type Located<F> = (View<F>, Found);

/// Where to begin to look inside a segment.
enum Start<F> {
    Known(Option<OffsetEntry>),
    LookUp(Arc<Sealed<F>>),
}

impl<D: Disk> Clone for LogReader<D> {
    fn clone(&self) -> Self {
        LogReader { shared: Arc::clone(&self.shared) }
    }
}

impl<D: Disk> LogReader<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>) -> LogReader<D> {
        LogReader { shared }
    }

    pub fn log_start(&self) -> i64 {
        self.shared.read().log_start()
    }

    pub fn log_end(&self) -> i64 {
        self.shared.read().log_end
    }

    /// Of all its segments, without the indexes.
    pub fn bytes(&self) -> u64 {
        let state = self.shared.read();
        state.active.bytes + state.sealed.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    pub fn segment_count(&self) -> usize {
        self.shared.read().sealed.len() + 1
    }

    /// Whole batches from the one that holds `offset` on (or the next one, where compaction took it), as far as they end at `end` (the high watermark or
    /// the last stable offset) or before it and fit into `max_bytes`. With `at_least_one` the first comes
    /// even if it does not fit. Empty when there is nothing to give; an answer ends where a segment ends.
    pub fn read(
        &self,
        offset: i64,
        end: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Bytes, ReadError> {
        self.undisturbed(|| {
            let Some((view, first)) = self.locate(offset)? else { return Ok(Bytes::new()) };
            if first.header.next_offset() > end || (first.header.size > max_bytes && !at_least_one) {
                return Ok(Bytes::new());
            }
            view.batches_from(&first, end, max_bytes)
        })
    }

    /// As [`read`](LogReader::read), but leaves the bytes in their file until they are sent. Of the batches behind
    /// the first one none is looked at: damage there is the consumer's to find, by the checksum.
    pub fn slice(
        &self,
        offset: i64,
        end: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Slice<D::File>>, ReadError> {
        self.undisturbed(|| {
            let Some((view, first)) = self.locate(offset)? else { return Ok(None) };
            if first.header.next_offset() > end || (first.header.size > max_bytes && !at_least_one) {
                return Ok(None);
            }
            let until = self.whole_batches_until(&view, &first, end, max_bytes)?;
            Ok(Some(Slice::new(view.file, first.position, (until - first.position) as usize)))
        })
    }

    /// The header of the first batch with a timestamp of `timestamp` or later; the record is in it, and only
    /// who decodes it knows at which offset. `None` if all are earlier.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<BatchHeader>, ReadError> {
        self.undisturbed(|| {
            let log_start = self.log_start();
            for (base, _) in self.segments_that_reach(timestamp) {
                // Retention may have removed the segment meanwhile.
                let Some(view) = self.segment_with(base) else { continue };
                let start = self.earlier_than(timestamp, &view)?;
                let wanted = |header: &BatchHeader| {
                    header.max_timestamp >= timestamp && header.last_offset() >= log_start
                };
                if let Some(found) = view.first(start, wanted)? {
                    return Ok(Some(found.header));
                }
            }
            Ok(None)
        })
    }

    /// The header of the first batch with the largest timestamp of all that end at `end` or before it. `None`
    /// if there is no batch with a timestamp.
    pub fn max_timestamp(&self, end: i64) -> Result<Option<BatchHeader>, ReadError> {
        self.undisturbed(|| {
            let log_start = self.log_start();
            let mut segments = self.segments_that_reach(0);
            segments.sort_by_key(|(base, max)| (Reverse(*max), *base));
            let mut best: Option<BatchHeader> = None;
            for (base, most) in segments {
                if best.is_some_and(|best| best.max_timestamp > most) {
                    break;
                }
                let Some(view) = self.segment_with(base) else { continue };
                let inside = log_start <= view.base && view.end <= end;
                let (start, enough) =
                    if inside { (self.earlier_than(most, &view)?, most) } else { (view.base, i64::MAX) };
                view.first(start, |header| {
                    let welcome = header.last_offset() >= log_start && header.next_offset() <= end;
                    let rank = |header: &BatchHeader| (header.max_timestamp, Reverse(header.base_offset));
                    if welcome && header.max_timestamp >= 0 && best.as_ref().map(rank) < Some(rank(header)) {
                        best = Some(*header);
                    }
                    header.max_timestamp >= enough || header.base_offset >= end
                })?;
            }
            Ok(best)
        })
    }

    /// Where a leader epoch ends, by KIP-101: the largest epoch not above `epoch`, and the first offset after
    /// it. `None` if the log knows of no epoch as late.
    pub fn epoch_end(&self, epoch: i32) -> Option<EpochEnd> {
        let state = self.shared.read();
        state.epochs.end_of(epoch, state.log_end)
    }

    /// The leader epoch of the batch that holds `offset`; at the log's end, of the last one.
    pub fn epoch_at(&self, offset: i64) -> Option<i32> {
        let state = self.shared.read();
        (state.log_start()..=state.log_end).contains(&offset).then(|| state.epochs.at(offset))?
    }

    /// The headers of all batches from the one that holds `from` to the present end of the log, for example
    /// to rebuild what is known of producers. The walk reads the log, in pieces.
    pub fn headers(&self, from: i64) -> Headers<D> {
        let end = self.log_end();
        Headers { reader: self.clone(), next: from, end, ready: VecDeque::new(), failed: false }
    }

    /// The batch that holds `offset`: its first offset and its position in its segment. Where compaction took
    /// it, `offset` itself and where it would stand.
    pub(crate) fn batch_at(&self, offset: i64) -> Result<(i64, u64), ReadError> {
        let Some(view) = self.view(offset)? else { return Err(self.shared.read().out_of_range(offset)) };
        let found = view.locate(offset)?;
        Ok(found.map_or((offset, view.bytes), |found| (found.header.base_offset.min(offset), found.position)))
    }

    /// The batch that holds `offset`, or the next one; `None` if there is none up to the log's end.
    fn locate(&self, mut offset: i64) -> Result<Option<Located<D::File>>, ReadError> {
        while let Some(view) = self.view(offset)? {
            if let Some(found) = view.locate(offset)? {
                return Ok(Some((view, found)));
            }
            offset = view.end;
        }
        Ok(None)
    }

    /// The position where a read ends that begins with `first`: where the batch of `end` begins, or an indexed one
    /// that `max_bytes` reach.
    fn whole_batches_until(
        &self,
        view: &View<D::File>,
        first: &Found,
        end: i64,
        max_bytes: usize,
    ) -> Result<u64, ReadError> {
        let first_end = first.position + first.header.size as u64;
        let reached = first_end.max(first.position.saturating_add(max_bytes as u64));
        if view.end > end {
            let before =
                self.offset_entry(view, |entry| entry.relative_offset <= relative(end, view.base))?;
            // Only near `end` it matters where exactly it is.
            if before.is_none_or(|entry| u64::from(entry.position) < reached) {
                let found = view.first_from(before, |header| header.next_offset() > end)?;
                let until = found.map_or(view.bytes, |found| found.position);
                if until <= reached {
                    return Ok(until.max(first_end));
                }
            }
        } else if view.bytes <= reached {
            return Ok(view.bytes);
        }
        let last = self.offset_entry(view, |entry| u64::from(entry.position) <= reached)?;
        Ok(last.map_or(first_end, |entry| first_end.max(entry.position.into())))
    }

    /// The last entry of the segment's index that is `wanted`, as all entries before it are.
    fn offset_entry(
        &self,
        view: &View<D::File>,
        wanted: impl Fn(&OffsetEntry) -> bool,
    ) -> Result<Option<OffsetEntry>, ReadError> {
        match &view.start {
            Start::LookUp(sealed) => sealed.offsets.last_that(wanted).map_err(|error| view.io(error)),
            Start::Known(_) => {
                let state = self.shared.read();
                // Sealed meanwhile: then as if there were no index.
                if state.active.base != view.base {
                    return Ok(None);
                }
                Ok(last_that(&state.active.offsets, wanted))
            }
        }
    }

    /// Repeats a look at the log that a cut came between: it may have seen bytes of both sides.
    fn undisturbed<T>(&self, look: impl Fn() -> Result<T, ReadError>) -> Result<T, ReadError> {
        loop {
            let cuts = self.shared.read().cuts;
            let seen = look();
            if self.shared.read().cuts == cuts {
                return seen;
            }
        }
    }

    /// The segment that holds `offset`; `None` at the log's end.
    fn view(&self, offset: i64) -> Result<Option<View<D::File>>, ReadError> {
        let state = self.shared.read();
        if offset < state.log_start() || offset > state.log_end {
            return Err(state.out_of_range(offset));
        }
        if offset == state.log_end {
            return Ok(None);
        }
        let view = state.segment_with(offset);
        view.map(Some).ok_or_else(|| state.out_of_range(offset))
    }

    /// Also one that begins before the log's start.
    fn segment_with(&self, offset: i64) -> Option<View<D::File>> {
        self.shared.read().segment_with(offset)
    }

    /// The first offsets and largest timestamps of the segments that reach `timestamp`.
    fn segments_that_reach(&self, timestamp: i64) -> Vec<(i64, i64)> {
        let state = self.shared.read();
        let sealed = state.sealed.iter().map(|segment| (segment.base, segment.max_timestamp));
        let active = (state.active.base, state.active.max_timestamp.map(|max| max.timestamp));
        let with_max = sealed.chain([active]).filter_map(|(base, max)| Some((base, max?)));
        with_max.filter(|(_, max)| *max >= timestamp).collect()
    }

    /// An offset in the segment before which all timestamps are earlier, by the time index.
    fn earlier_than(&self, timestamp: i64, view: &View<D::File>) -> Result<i64, ReadError> {
        let Some(before) = timestamp.checked_sub(1) else { return Ok(view.base) };
        let entry: Option<TimeEntry> = match &view.start {
            Start::LookUp(sealed) => sealed.times.floor(before).map_err(|error| view.io(error))?,
            Start::Known(_) => {
                let state = self.shared.read();
                // Sealed meanwhile: its first offset is a slower start, and as right.
                if state.active.base == view.base { floor(&state.active.times, before) } else { None }
            }
        };
        let offset = entry.map_or(view.base, |entry| view.base + i64::from(entry.relative_offset));
        Ok(if offset < view.end { offset } else { view.base })
    }
}

impl<F> State<F> {
    fn segment_with(&self, offset: i64) -> Option<View<F>> {
        let gaps_before = self.cleaner.gaps_before;
        let active = &self.active;
        if offset >= active.base {
            let start = Start::Known(floor(&active.offsets, relative(offset, active.base)));
            let (base, bytes, file) = (active.base, active.bytes, Arc::clone(&active.file));
            return Some(View { base, end: self.log_end, bytes, file, start, gaps_before });
        }
        let sealed = self.sealed.get(self.sealed.partition_point(|segment| segment.end <= offset))?;
        let Sealed { base, end, bytes, .. } = **sealed;
        let (file, start) = (Arc::clone(&sealed.file), Start::LookUp(Arc::clone(sealed)));
        (base <= offset).then_some(View { base, end, bytes, file, start, gaps_before })
    }

    fn out_of_range(&self, offset: i64) -> ReadError {
        ReadError::OffsetOutOfRange { offset, start: self.log_start(), end: self.log_end }
    }
}

impl<F: DiskFile> View<F> {
    /// The batch that holds `offset`, which is in this segment, or the next one. `None` where compaction took
    /// both.
    fn locate(&self, offset: i64) -> Result<Option<Found>, ReadError> {
        self.first(offset, |header| header.last_offset() >= offset)
    }

    /// The first batch that is `wanted`. The walk begins at an index entry before `offset`.
    fn first(
        &self,
        offset: i64,
        wanted: impl FnMut(&BatchHeader) -> bool,
    ) -> Result<Option<Found>, ReadError> {
        let relative = relative(offset, self.base);
        let entry = match &self.start {
            Start::Known(entry) => *entry,
            Start::LookUp(sealed) => sealed.offsets.floor(relative).map_err(|error| self.io(error))?,
        };
        self.first_from(entry, wanted)
    }

    /// As `first`, from an index entry on, or from the segment's beginning.
    fn first_from(
        &self,
        entry: Option<OffsetEntry>,
        wanted: impl FnMut(&BatchHeader) -> bool,
    ) -> Result<Option<Found>, ReadError> {
        if let Some(entry) = entry {
            let mut scan = Scan::new(&*self.file, u64::from(entry.position), self.bytes, LOOKUP_WINDOW);
            // An index is a hint: the batch it means may not be there.
            if let Ok(Some(first)) = scan.next()
                && points_to(self.base, &entry, &first)
            {
                return self.walk(scan, self.chain(first.header.base_offset), Some(first), wanted);
            }
        }
        let scan = Scan::new(&*self.file, 0, self.bytes, LOOKUP_WINDOW);
        self.walk(scan, self.chain(self.base), None, wanted)
    }

    /// The first batch that is `wanted`: `found`, which the scan has just passed, or one behind it.
    fn walk(
        &self,
        mut scan: Scan<F>,
        mut chain: Chain,
        mut found: Option<Found>,
        mut wanted: impl FnMut(&BatchHeader) -> bool,
    ) -> Result<Option<Found>, ReadError> {
        loop {
            if found.is_none() {
                found = scan.next().map_err(|halt| self.halted(halt))?;
            }
            let Some(batch) = found.take() else { break };
            accept(self.base, &mut chain, &batch).map_err(|halt| self.halted(halt))?;
            if chain.next_offset > self.end {
                let reason = format!("a batch reaches to {}, the segment to {}", chain.next_offset, self.end);
                return Err(self.corrupt(batch.position, reason));
            }
            if wanted(&batch.header) {
                return Ok(Some(batch));
            }
        }
        if !chain.reaches(self.end) {
            let reason = format!("the segment ends at offset {}, not at {}", chain.next_offset, self.end);
            return Err(self.corrupt(self.bytes, reason));
        }
        Ok(None)
    }

    fn chain(&self, next_offset: i64) -> Chain {
        Chain::from(next_offset, self.gaps_before)
    }

    /// Whole batches from `first` on.
    fn batches_from(&self, first: &Found, end: i64, max_bytes: usize) -> Result<Bytes, ReadError> {
        let rest = usize::try_from(self.bytes - first.position).unwrap_or(usize::MAX);
        let mut bytes = vec![0; max_bytes.max(first.header.size).min(rest)];
        let filled = self.file.read_full_at(&mut bytes, first.position).map_err(|error| self.io(error))?;
        let mut chain = self.chain(first.header.base_offset);
        let mut whole = 0;
        for batch in batches(&bytes[..filled]) {
            let at = first.position + whole as u64;
            let (header, range) = match batch {
                Ok(batch) => batch,
                // Cut short by `max_bytes`; or damaged, then the next read begins there and says so.
                Err(_) if whole > 0 => break,
                Err(error) => return Err(self.corrupt(at, error.to_string())),
            };
            if header.next_offset() > end {
                break;
            }
            match chain.accept(&header) {
                Ok(()) => whole = range.end,
                Err(_) if whole > 0 => break,
                Err(error) => return Err(self.corrupt(at, error.to_string())),
            }
        }
        bytes.truncate(whole);
        if whole < bytes.capacity() / 2 {
            bytes.shrink_to_fit(); // a waiting answer should not hold what it does not carry
        }
        Ok(Bytes::from(bytes))
    }

    fn halted(&self, halt: Halt) -> ReadError {
        match halt {
            Halt::Io(error) => self.io(error),
            Halt::Bad { position, reason } => self.corrupt(position, reason),
        }
    }

    fn corrupt(&self, position: u64, reason: String) -> ReadError {
        ReadError::Corrupt { file: log_name(self.base), position, reason }
    }

    fn io(&self, source: std::io::Error) -> ReadError {
        ReadError::Io { file: log_name(self.base), source }
    }
}

impl<D: Disk> Headers<D> {
    /// The next run of headers, about as many as a window of log holds.
    fn refill(&mut self) -> Result<(), ReadError> {
        let from = self.next;
        let (headers, next) = self.reader.undisturbed(|| {
            let mut headers = VecDeque::new();
            let Some((view, first)) = self.reader.locate(from)? else { return Ok((headers, i64::MAX)) };
            let mut chain = view.chain(first.header.base_offset);
            let mut scan = Scan::new(&*view.file, first.position, view.bytes, WHOLE_SEGMENT_WINDOW);
            while scan.position() - first.position < WHOLE_SEGMENT_WINDOW as u64 {
                let Some(found) = scan.next().map_err(|halt| view.halted(halt))? else { break };
                accept(view.base, &mut chain, &found).map_err(|halt| view.halted(halt))?;
                headers.push_back(found.header);
            }
            Ok((headers, chain.next_offset))
        })?;
        (self.ready, self.next) = (headers, next);
        Ok(())
    }
}

impl<D: Disk> Iterator for Headers<D> {
    type Item = Result<BatchHeader, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        // One run is enough: it begins with the next batch, wherever that is.
        if self.ready.is_empty()
            && self.next < self.end
            && let Err(error) = self.refill()
        {
            self.failed = true;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

/// Relative to a segment's first offset; the caller has checked that `offset` is in the segment.
fn relative(offset: i64, base: i64) -> u32 {
    (offset - base) as u32
}
