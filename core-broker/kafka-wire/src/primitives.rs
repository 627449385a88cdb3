//! Checked reads and writes of what every message is made of.
//!
//! A [`Reader`] and a [`Writer`] know the version they work at, because the same field looks
//! different in different versions: from its *flexible* version on, an API writes lengths as
//! varints plus one, with 0 for null, and ends every structure with tagged fields (KIP-482).

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::{Part, Writer, in_memory};

/// What makes bytes no message. `field` is where it was noticed, such as `FetchRequest.topics`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct DecodeError {
    pub field: &'static str,
    pub problem: Problem,
}

impl DecodeError {
    /// Names the field, unless a field further in has done so.
    pub(crate) fn at(mut self, field: &'static str) -> DecodeError {
        if self.field.is_empty() {
            self.field = field;
        }
        self
    }
}

impl From<Problem> for DecodeError {
    fn from(problem: Problem) -> DecodeError {
        DecodeError { field: "", problem }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("cut short: {needed} bytes needed, {available} there")]
    Truncated { needed: usize, available: usize },
    #[error("length {0} is impossible")]
    BadLength(i64),
    #[error("null is not allowed in this version")]
    UnexpectedNull,
    #[error("varint does not end or does not fit")]
    BadVarint,
    #[error("string is not UTF-8")]
    BadString,
    #[error("{0} bytes are left over in a tagged field")]
    TagLeftover(usize),
    #[error("arrays are larger than a decoded message may be")]
    TooLarge,
    #[error("version {0} is not supported")]
    UnsupportedVersion(i16),
    #[error("this is an answer to another request")]
    OtherApi,
}

/// What makes a value impossible to write at a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("{field}: null is not allowed in version {version}")]
    Null { field: &'static str, version: i16 },
    #[error("a string of {0} bytes is too long")]
    LongString(usize),
    #[error("a message of {0} bytes is too long")]
    LongMessage(usize),
    #[error("version {0} is not supported")]
    UnsupportedVersion(i16),
    #[error("records that are elsewhere, where all bytes are needed")]
    RecordsElsewhere,
}

/// Longest string in either encoding, as in Kafka's own reader.
const MAX_STRING_BYTES: usize = i16::MAX as usize;
