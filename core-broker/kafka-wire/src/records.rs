//! The records field of a fetch response: never null, in as many pieces as they were read in.

use bytes::Bytes;

/// A run of record batches, sent as they are, without being joined. Those of a log's file may stay there
/// until they are sent: see [`Records::elsewhere`].
///
/// There is no null on purpose: librdkafka takes null records in an error answer for a broken
/// message, so an error carries an empty run.
#[derive(Clone, Default)]
pub struct Records {
    chunks: Vec<Bytes>,
    elsewhere: usize,
}

impl Records {
    /// So many bytes, more than none, that are not in memory. Encoding keeps their place
    /// ([`Part::Elsewhere`](crate::Part)), and who sends the message puts them there.
    pub fn elsewhere(bytes: usize) -> Records {
        Records { chunks: Vec::new(), elsewhere: bytes }
    }

    pub fn len(&self) -> usize {
        self.bytes_elsewhere() + self.chunks.iter().map(Bytes::len).sum::<usize>()
    }

    pub(crate) fn bytes_elsewhere(&self) -> usize {
        self.elsewhere
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// All that is in memory, in one piece; copies only if there is more than one.
    pub fn into_bytes(self) -> Bytes {
        match <[Bytes; 1]>::try_from(self.chunks) {
            Ok([only]) => only,
            Err(chunks) => chunks.concat().into(),
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records { chunks: vec![bytes], elsewhere: 0 }
    }
}

impl From<Vec<Bytes>> for Records {
    fn from(chunks: Vec<Bytes>) -> Records {
        Records { chunks, elsewhere: 0 }
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.elsewhere {
            0 => f.debug_struct("Records").field("chunks", &self.chunks).finish(),
            bytes => write!(f, "Records({bytes} bytes elsewhere)"),
        }
    }
}

/// Equal if the bytes are, however they are cut.
impl PartialEq for Records {
    fn eq(&self, other: &Records) -> bool {
        self.elsewhere == other.elsewhere && self.chunks.iter().flatten().eq(other.chunks.iter().flatten())
    }
}

impl Eq for Records {}
