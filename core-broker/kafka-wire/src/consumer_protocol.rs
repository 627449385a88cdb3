//! What consumers tell each other through a group, in bytes that JoinGroup, SyncGroup and
//! DescribeGroups carry without looking inside: the topics a member wants, the partitions it got.
//!
//! The version comes first. Fields are only ever added at the end, so a version that is newer than
//! all known here is read as the newest.

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::field::Field;
use crate::primitives::{DecodeError, EncodeError, Problem, Reader, Writer, in_memory};
use crate::table::message;

/// The protocol type of groups whose members speak this.
pub const PROTOCOL_TYPE: &str = "consumer";

/// The newest version of both messages. From 1 on a member says what it owns, from 2 on since which
/// generation, from 3 on where it stands.
pub const NEWEST_VERSION: i16 = 3;

message! {
    struct ConsumerProtocolSubscription {
        0+    topics: Vec<String>,
        /// For the assignor alone.
        0+    user_data: Option<Bytes>,
        1+    owned_partitions: Vec<TopicPartition>,
        2+    generation_id: i32 = -1,
        3+    rack_id: Option<String>,
    }

    struct ConsumerProtocolAssignment {
        0+    assigned_partitions: Vec<TopicPartition>,
        0+    user_data: Option<Bytes>,
    }

    struct TopicPartition {
        0+    topic: String,
        0+    partitions: Vec<i32>,
    }
}

impl ConsumerProtocolSubscription {
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        read_up_to(NEWEST_VERSION, bytes)
    }

    /// The topics alone. Some clients claim a version and leave out its fields; what a group
    /// subscribes to is clear all the same.
    pub fn decode_topics(bytes: Bytes) -> Result<Vec<String>, DecodeError> {
        read_up_to(0, bytes).map(|subscription: Self| subscription.topics)
    }

    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        write(version, self)
    }
}

impl ConsumerProtocolAssignment {
    /// No bytes at all are what a member has that was assigned nothing yet.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        match bytes.is_empty() {
            true => Ok(Self::default()),
            false => read_up_to(NEWEST_VERSION, bytes),
        }
    }

    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        write(version, self)
    }
}

fn read_up_to<T: Field>(newest: i16, bytes: Bytes) -> Result<T, DecodeError> {
    let mut start = Reader::new(bytes, 0, false);
    let version = start.i16().map_err(|error| error.at("ConsumerProtocol.version"))?;
    if version < 0 {
        let error = DecodeError::from(Problem::UnsupportedVersion(version));
        return Err(error.at("ConsumerProtocol.version"));
    }
    T::read(&mut Reader::new(start.into_rest(), version.min(newest), false))
}

fn write<T: Field>(version: i16, message: &T) -> Result<Bytes, EncodeError> {
    if !(0..=NEWEST_VERSION).contains(&version) {
        return Err(EncodeError::UnsupportedVersion(version));
    }
    let mut writer = Writer::new(version, false);
    version.write(&mut writer)?;
    message.write(&mut writer)?;
    Ok(in_memory(writer.into_parts())?.concat().into())
}
