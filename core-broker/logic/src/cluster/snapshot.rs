//! The image as bytes, so that the metadata log need not be kept from its first record on: the records that
//! rebuild it, each as in the log.
//!
//! ```text
//! count i32 x (length i32 | record)          all numbers big-endian
//! ```
//! The file around it has the checksum; see `commit_log`'s `*.snapshot`.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::{ApplyError, ClusterImage, Record, RecordError};
use crate::fields::{FieldError, Reader, put_bytes, put_count};

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImageError {
    #[error("a snapshot of the metadata is damaged: {0}")]
    Damaged(#[from] FieldError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl ClusterImage {
    pub fn encode(&self) -> Bytes {
        let records = self.snapshot();
        let mut out = BytesMut::new();
        put_count(&mut out, records.len());
        for record in records {
            put_bytes(&mut out, &record.encode());
        }
        out.freeze()
    }

    pub fn decode(bytes: Bytes) -> Result<Self, ImageError> {
        let mut reader = Reader::new(bytes);
        let mut image = Self::new();
        for _ in 0..reader.count(SMALLEST_RECORD, "records")? {
            image.apply(&Record::decode(reader.bytes("record")?)?)?;
        }
        reader.finish()?;
        Ok(image)
    }
}

/// Its length, its kind and its version.
const SMALLEST_RECORD: usize = 6;
