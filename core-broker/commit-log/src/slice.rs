//! A stretch of a log's file that is read while it is sent, so that no answer is held in memory whole.

use std::{io, sync::Arc};

use crate::disk::DiskFile;

/// Bytes of record batches. They stay readable after their segment was deleted or compacted.
pub struct Slice<F> {
    file: Arc<F>,
    position: u64,
    bytes: usize,
}

impl<F: DiskFile> Slice<F> {
    pub(crate) fn new(file: Arc<F>, position: u64, bytes: usize) -> Slice<F> {
        Slice { file, position, bytes }
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The slice without its first `bytes`.
    pub fn advance(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.position += bytes as u64;
        self.bytes -= bytes;
    }

    /// Reads the slice's beginning, as much as the operating system has in memory; `None` if that is nothing.
    pub fn read_cached(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let wanted = self.bytes.min(buffer.len());
        let read = self.file.read_cached_at(&mut buffer[..wanted], self.position)?;
        read.map(|read| unless_cut_off(read, wanted)).transpose()
    }

    /// Reads the slice's beginning, and waits for the disk.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = self.bytes.min(buffer.len());
        unless_cut_off(self.file.read_full_at(&mut buffer[..wanted], self.position)?, wanted)
    }
}

fn unless_cut_off(read: usize, wanted: usize) -> io::Result<usize> {
    if read == 0 && wanted > 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the segment is shorter than it was"));
    }
    Ok(read)
}

impl<F> Clone for Slice<F> {
    fn clone(&self) -> Slice<F> {
        Slice { file: Arc::clone(&self.file), ..*self }
    }
}
