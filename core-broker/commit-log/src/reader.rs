//! The readers' side of a log: any thread, beside the writer, without waiting for the disk it writes to.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use kafka_wire::record_batch::{BatchHeader, batches};

use crate::{
    disk::{Disk, DiskFile},
    epochs::EpochEnd,
    error::ReadError,
    index::{OffsetEntry, TimeEntry, floor},
    log::{Shared, State},
    scan::{Chain, Found, Halt, LOOKUP_WINDOW, Scan, WHOLE_SEGMENT_WINDOW},
    segment::{Sealed, accept, log_name, points_to},
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
}

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

    /// Whole batches from the one that holds `offset` on, as far as they end at `end` (the high watermark or
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
            let Some(view) = self.view(offset)? else { return Ok(Bytes::new()) };
            let first = view.locate(offset)?;
            if first.header.next_offset() > end || (first.header.size > max_bytes && !at_least_one) {
                return Ok(Bytes::new());
            }
            view.batches_from(&first, end, max_bytes)
        })
    }

    /// The header of the first batch with a timestamp of `timestamp` or later; the record is in it, and only
    /// who decodes it knows at which offset. `None` if all are earlier.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<BatchHeader>, ReadError> {
        self.undisturbed(|| {
            for base in self.segments_that_reach(timestamp) {
                // Retention may have removed the segment meanwhile.
                let Ok(Some(view)) = self.view(base) else { continue };
                let start = self.earlier_than(timestamp, &view)?;
                if let Some(found) = view.first(start, |header| header.max_timestamp >= timestamp)? {
                    return Ok(Some(found.header));
                }
            }
            Ok(None)
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

    /// The batch that holds `offset`: its first offset and its position in its segment.
    pub(crate) fn batch_at(&self, offset: i64) -> Result<(i64, u64), ReadError> {
        let Some(view) = self.view(offset)? else { return Err(self.shared.read().out_of_range(offset)) };
        let found = view.locate(offset)?;
        Ok((found.header.base_offset, found.position))
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
        let active = &state.active;
        if offset >= active.base {
            let entry = floor(&active.offsets, relative(offset, active.base));
            let (base, bytes) = (active.base, active.bytes);
            let start = Start::Known(entry);
            return Ok(Some(View { base, end: state.log_end, bytes, file: Arc::clone(&active.file), start }));
        }
        let at = state.sealed.partition_point(|segment| segment.end <= offset);
        let Some(sealed) = state.sealed.get(at) else { return Err(state.out_of_range(offset)) };
        let Sealed { base, end, bytes, .. } = **sealed;
        let start = Start::LookUp(Arc::clone(sealed));
        Ok(Some(View { base, end, bytes, file: Arc::clone(&sealed.file), start }))
    }

    /// The first offsets of the segments whose largest timestamp is `timestamp` or later.
    fn segments_that_reach(&self, timestamp: i64) -> Vec<i64> {
        let state = self.shared.read();
        let reaches = |max: Option<i64>| max.is_some_and(|max| max >= timestamp);
        let sealed = state.sealed.iter().filter(|segment| reaches(segment.max_timestamp));
        let active =
            Some(&state.active).filter(|active| reaches(active.max_timestamp.map(|max| max.timestamp)));
        sealed.map(|segment| segment.base).chain(active.map(|active| active.base)).collect()
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
    fn out_of_range(&self, offset: i64) -> ReadError {
        ReadError::OffsetOutOfRange { offset, start: self.log_start(), end: self.log_end }
    }
}

impl<F: DiskFile> View<F> {
    /// The batch that holds `offset`, which is in this segment.
    fn locate(&self, offset: i64) -> Result<Found, ReadError> {
        let found = self.first(offset, |header| header.last_offset() >= offset)?;
        found.ok_or_else(|| self.corrupt(self.bytes, format!("offset {offset} should be in this segment")))
    }

    /// The first batch that is `wanted`. The walk begins at an index entry before `offset`.
    fn first(&self, offset: i64, wanted: impl Fn(&BatchHeader) -> bool) -> Result<Option<Found>, ReadError> {
        let relative = relative(offset, self.base);
        let entry = match &self.start {
            Start::Known(entry) => *entry,
            Start::LookUp(sealed) => sealed.offsets.floor(relative).map_err(|error| self.io(error))?,
        };
        if let Some(entry) = entry {
            let mut scan = Scan::new(&*self.file, u64::from(entry.position), self.bytes, LOOKUP_WINDOW);
            // An index is a hint: the batch it means may not be there.
            if let Ok(Some(first)) = scan.next()
                && points_to(self.base, &entry, &first)
            {
                return self.walk(scan, Chain::from(first.header.base_offset), Some(first), wanted);
            }
        }
        let scan = Scan::new(&*self.file, 0, self.bytes, LOOKUP_WINDOW);
        self.walk(scan, Chain::from(self.base), None, wanted)
    }

    /// The first batch that is `wanted`: `found`, which the scan has just passed, or one behind it.
    fn walk(
        &self,
        mut scan: Scan<F>,
        mut chain: Chain,
        mut found: Option<Found>,
        wanted: impl Fn(&BatchHeader) -> bool,
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
        Ok(None)
    }

    /// Whole batches from `first` on.
    fn batches_from(&self, first: &Found, end: i64, max_bytes: usize) -> Result<Bytes, ReadError> {
        let rest = usize::try_from(self.bytes - first.position).unwrap_or(usize::MAX);
        let mut bytes = vec![0; max_bytes.max(first.header.size).min(rest)];
        let filled = self.file.read_full_at(&mut bytes, first.position).map_err(|error| self.io(error))?;
        let mut chain = Chain::from(first.header.base_offset);
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
            let Some(view) = self.reader.view(from)? else { return Ok((headers, from)) };
            let first = view.locate(from)?;
            let mut chain = Chain::from(first.header.base_offset);
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
