//! Walks the batches of a segment by their headers, and checks that each follows on the one before.

use std::io;

use kafka_wire::record_batch::{BatchError, BatchHeader, HEADER_BYTES};

use crate::disk::DiskFile;

/// Enough for the stretch between two index entries.
pub(crate) const LOOKUP_WINDOW: usize = 8 << 10;
/// For walks through a whole segment.
pub(crate) const WHOLE_SEGMENT_WINDOW: usize = 256 << 10;

/// Where the checksum stands in a batch and where the bytes it covers begin.
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;

/// A batch that does not follow on the one before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("a batch begins at offset {found}, {expected} comes next")]
    NotContiguous { expected: i64, found: i64 },
    #[error("a batch has leader epoch {found}, the log is at {latest}")]
    EpochWentBack { latest: i32, found: i32 },
    #[error("a batch at offset {base_offset} has a last offset delta of {delta}")]
    BadDelta { base_offset: i64, delta: i32 },
}

/// What must come next in a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub next_offset: i64,
    pub epoch: i32,
    /// Compaction has been here: offsets below this may be missing. Above it a missing one is a lost one.
    pub gaps_before: i64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub position: u64,
    pub header: BatchHeader,
}

/// Why a walk cannot go on.
#[derive(Debug)]
pub(crate) enum Halt {
    Io(io::Error),
    /// The bytes from here are no batch, or not the one that comes next.
    Bad {
        position: u64,
        reason: String,
    },
}

pub(crate) struct Scan<'a, F> {
    file: &'a F,
    position: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
    window_bytes: usize,
}

impl Chain {
    pub fn from(next_offset: i64, gaps_before: i64) -> Chain {
        Chain { next_offset, epoch: i32::MIN, gaps_before }
    }

    /// Nothing is missing before `end`, or only what compaction may have taken.
    pub fn reaches(&self, end: i64) -> bool {
        self.next_offset == end || (self.next_offset < end && end <= self.gaps_before)
    }

    pub fn accept(&mut self, header: &BatchHeader) -> Result<(), ChainError> {
        let BatchHeader { base_offset, last_offset_delta: delta, partition_leader_epoch: epoch, .. } =
            *header;
        if !self.reaches(base_offset) {
            return Err(ChainError::NotContiguous { expected: self.next_offset, found: base_offset });
        }
        if delta < 0 || base_offset.checked_add(i64::from(delta) + 1).is_none() {
            return Err(ChainError::BadDelta { base_offset, delta });
        }
        if epoch < self.epoch {
            return Err(ChainError::EpochWentBack { latest: self.epoch, found: epoch });
        }
        *self = Chain { next_offset: header.next_offset(), epoch, ..*self };
        Ok(())
    }
}

impl<'a, F: DiskFile> Scan<'a, F> {
    /// From `position`, where a batch begins, to `end`.
    pub fn new(file: &'a F, position: u64, end: u64, window_bytes: usize) -> Scan<'a, F> {
        Scan { file, position, end, window: Vec::new(), window_at: position, window_bytes }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// The batch at the current position, which moves behind it. `None` exactly at the end.
    pub fn next(&mut self) -> Result<Option<Found>, Halt> {
        let position = self.position;
        if position >= self.end {
            return Ok(None);
        }
        let rest = self.end - position;
        let bad = |error: BatchError| Halt::Bad { position, reason: error.to_string() };
        let header = BatchHeader::peek(self.bytes_here(HEADER_BYTES)?).map_err(bad)?;
        if header.size as u64 > rest {
            return Err(bad(BatchError::Truncated { needed: header.size, available: rest as usize }));
        }
        self.position += header.size as u64;
        Ok(Some(Found { position, header }))
    }

    /// The bytes of a batch that [`next`](Scan::next) found; fewer if the file is shorter than it was.
    pub fn batch(&mut self, found: &Found) -> Result<&[u8], Halt> {
        let after = std::mem::replace(&mut self.position, found.position);
        let read = self.fill(found.header.size);
        self.position = after;
        let from = read?;
        let until = (from + found.header.size).min(self.window.len());
        Ok(&self.window[from..until])
    }

    /// Whether the checksum of a batch that [`next`](Scan::next) found holds. Read piece by piece: the size
    /// in a damaged header may be anything.
    pub fn checksum_holds(&mut self, found: &Found) -> Result<bool, Halt> {
        let after = self.position;
        let mut left = found.header.size;
        let mut skip = CRC_FROM;
        let mut stored = [0; CRC_FROM - CRC_AT];
        let mut computed = 0;
        self.position = found.position;
        while left > 0 {
            let piece = self.bytes_here(left.min(self.window_bytes))?;
            if piece.len() <= skip {
                return Ok(false); // the file is shorter than it was
            }
            if skip > 0 {
                stored.copy_from_slice(&piece[CRC_AT..CRC_FROM]);
            }
            computed = crc32c::crc32c_append(computed, &piece[skip..]);
            skip = 0;
            let len = piece.len();
            left -= len;
            self.position += len as u64;
        }
        self.position = after;
        Ok(computed == u32::from_be_bytes(stored))
    }

    /// Up to `wanted` bytes from the current position, fewer at the end of the file.
    fn bytes_here(&mut self, wanted: usize) -> Result<&[u8], Halt> {
        let wanted = wanted.min(usize::try_from(self.end - self.position).unwrap_or(usize::MAX));
        let from = self.fill(wanted)?;
        let until = (from + wanted).min(self.window.len());
        Ok(&self.window[from..until])
    }

    /// Has `wanted` bytes from the current position in the window; returns where they begin in it.
    fn fill(&mut self, wanted: usize) -> Result<usize, Halt> {
        let in_window = self.position.checked_sub(self.window_at).filter(|skipped| {
            skipped.checked_add(wanted as u64).is_some_and(|needed| needed <= self.window.len() as u64)
        });
        match in_window {
            Some(skipped) => Ok(skipped as usize),
            None => {
                let rest = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
                self.window.resize(self.window_bytes.max(wanted).min(rest), 0);
                let filled = self.file.read_full_at(&mut self.window, self.position).map_err(Halt::Io)?;
                self.window.truncate(filled);
                self.window_at = self.position;
                Ok(0)
            }
        }
    }
}
