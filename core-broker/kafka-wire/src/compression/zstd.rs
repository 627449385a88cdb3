//! zstd. A thread keeps its context from batch to batch: to make one and give it back costs more than a small
//! batch does.

use std::{
    cell::RefCell,
    io::{self, BufRead, BufReader, Read},
};

use zstd::{stream::read::Decoder, zstd_safe::DCtx};

use super::{Compression, PIECE_BYTES};
use crate::record_batch::BatchError;

/// Level 1 is 784 MB/s on a batch of positions, and higher levels win little on such records.
const LEVEL: i32 = 1;

/// A frame makes its reader reserve its window: 8 MiB serves every level up to 19, 128 MiB all.
const WINDOW_LOG: std::ops::RangeInclusive<u32> = 23..=27;

/// A context that took more for a frame is not kept.
const KEPT_BYTES: usize = 4 << 20;

thread_local! {
    static CONTEXT: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

pub fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    zstd::bulk::compress(plain, LEVEL)
}

/// A frame whose window is larger than the limit allows may be sound: with a higher limit it is read.
struct Frames<R> {
    decoder: R,
    limit: usize,
}

/// As the library says it.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer).map_err(|error| match error.to_string() == WINDOW_TOO_LARGE {
            true => io::Error::other(BatchError::TooLarge { limit: self.limit }),
            false => error,
        })
    }
}

pub fn read<T>(
    packed: &[u8],
    limit: usize,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T, BatchError>,
) -> Result<T, BatchError> {
    let window_log = limit.checked_ilog2().map_or(0, |log| log + 1);
    let window_log = window_log.clamp(*WINDOW_LOG.start(), *WINDOW_LOG.end());
    CONTEXT.with_borrow_mut(|kept| {
        let corrupt = BatchError::BadCompression(Compression::Zstd);
        let mut context = kept.take().or_else(DCtx::try_create).ok_or(corrupt.clone())?;
        let mut decoder = Decoder::with_context(packed, &mut context);
        decoder.window_log_max(window_log).map_err(|_| corrupt)?;
        let result = read(&mut BufReader::with_capacity(PIECE_BYTES, Frames { decoder, limit }));
        *kept = Some(context).filter(|context| context.sizeof() <= KEPT_BYTES);
        result
    })
}
