//! The records field of a fetch response: never null, in as many pieces as they were read in.

use bytes::Bytes;

/// A run of record batches. A log answers with slices of its files and of memory; they are sent
/// as they are, without being joined.
///
/// There is no null on purpose: librdkafka takes null records in an error answer for a broken
/// message, so an error carries an empty run.
#[derive(Debug, Clone, Default)]
pub struct Records {
    chunks: Vec<Bytes>,
}

impl Records {
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// All of it in one piece; copies only if there is more than one.
    pub fn into_bytes(self) -> Bytes {
        match <[Bytes; 1]>::try_from(self.chunks) {
            Ok([only]) => only,
            Err(chunks) => chunks.concat().into(),
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records { chunks: vec![bytes] }
    }
}

impl From<Vec<Bytes>> for Records {
    fn from(chunks: Vec<Bytes>) -> Records {
        Records { chunks }
    }
}

/// Equal if the bytes are, however they are cut.
impl PartialEq for Records {
    fn eq(&self, other: &Records) -> bool {
        self.chunks.iter().flatten().eq(other.chunks.iter().flatten())
    }
}

impl Eq for Records {}
