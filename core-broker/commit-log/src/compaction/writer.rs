//! Writes a segment's successor, a window at a time, and keeps account of what its indexes will hold.

use std::path::PathBuf;

use kafka_wire::record_batch::BatchHeader;

use crate::{
    disk::DiskFile,
    error::{LogError, doing},
    scan::WHOLE_SEGMENT_WINDOW,
    segment::Active,
};

pub(super) struct Writer<F> {
    pub segment: Active<F>,
    pub path: PathBuf,
    index_interval_bytes: u32,
    waiting: Vec<u8>,
    written: u64,
    /// Told by `finish`; nothing more is written after it.
    pub failed: Option<LogError>,
    /// From the segment that it is made of.
    pub differs: bool,
}

impl<F: DiskFile> Writer<F> {
    pub fn new(segment: Active<F>, path: PathBuf, index_interval_bytes: u32) -> Writer<F> {
        let (waiting, written) = (Vec::new(), 0);
        Writer { segment, path, index_interval_bytes, waiting, written, failed: None, differs: false }
    }

    pub fn push(&mut self, batch: &[u8]) {
        let Ok(header) = BatchHeader::peek(batch) else { return };
        let fits = u32::try_from(self.segment.bytes).is_ok(); // tombstones' timestamps can make it grow
        if !fits && self.failed.is_none() {
            self.failed = Some(LogError::TooLarge { bytes: self.segment.bytes as usize, offsets: 0 });
        }
        self.segment.note(&header, self.index_interval_bytes);
        self.waiting.extend_from_slice(batch);
        if self.waiting.len() >= WHOLE_SEGMENT_WINDOW {
            self.write();
        }
    }

    fn write(&mut self) {
        let written = self.segment.file.write_at(&self.waiting, self.written);
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        if let (Err(error), None) = (written, &self.failed) {
            self.failed = Some(doing("writing", &self.path)(error));
        }
    }

    /// All of it is on disk, except for the name.
    pub fn finish(&mut self) -> Result<(), LogError> {
        self.write();
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => self.segment.file.sync_data().map_err(doing("syncing", &self.path)),
        }
    }
}
