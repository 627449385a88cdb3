//! The one thing the broker reads inside a member's metadata: which topics a consumer asks for.
//!
//! ```text
//! version i16 | count i32 x topic (length i16, UTF-8) | what later versions add
//! ```
//! Source: Kafka's ConsumerProtocolSubscription message definition.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::fields::{FieldError, Reader};

pub const CONSUMER: &str = "consumer";

/// The topics of a consumer's subscription; `None` for another protocol or unreadable metadata.
pub fn subscribed_topics(protocol_type: Option<&str>, metadata: &Bytes) -> Option<BTreeSet<String>> {
    if protocol_type == Some(CONSUMER) { read_topics(metadata).ok() } else { None }
}

/// A consumer that restarts names no partitions it owns, so the bytes may differ where the wish does
/// not. Of other protocols we know the bytes only.
pub fn same_subscription(protocol_type: Option<&str>, one: &Bytes, other: &Bytes) -> bool {
    match (subscribed_topics(protocol_type, one), subscribed_topics(protocol_type, other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn read_topics(metadata: &Bytes) -> Result<BTreeSet<String>, FieldError> {
    let mut reader = Reader::new(metadata.clone());
    reader.i16("version")?;
    let count = reader.count(2, "topics")?;
    (0..count).map(|_| reader.string("topic")).collect()
}
