//! What can be wrong with a packet, in a sentence for the log and a reason code for the peer.

use crate::{ReasonCode, TopicError};

/// Why bytes from a peer are not MQTT. The connection cannot go on: its framing is lost or its sender
/// is not to be trusted with the rest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    #[error("{packet} has flags {flags:#06b} in its first byte")]
    Flags { packet: &'static str, flags: u8 },
    #[error("{packet} has reason code {reason}, which is not one of its own")]
    Reason { packet: &'static str, reason: ReasonCode },
    #[error("{packet} has property {id:#04x}, which is not one of its own")]
    PropertyNotAllowed { packet: &'static str, id: u8 },
    #[error("{packet} has property {id:#04x} twice")]
    PropertyTwice { packet: &'static str, id: u8 },
    #[error("property {0:#04x} does not exist")]
    UnknownProperty(u32),
    #[error("a packet of {packet_bytes} bytes is announced, the limit is {max_packet_bytes}")]
    PacketTooLarge { packet_bytes: usize, max_packet_bytes: usize },
    #[error("protocol level {level} is not spoken here")]
    UnsupportedVersion { level: u8 },
    #[error("topic name refused: {0}")]
    TopicName(TopicError),
    #[error("topic filter refused: {0}")]
    TopicFilter(TopicError),
}

impl DecodeError {
    /// What a version 5 peer is told before the connection is closed.
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Malformed(_) | Self::Flags { .. } | Self::UnknownProperty(_) => {
                ReasonCode::MALFORMED_PACKET
            }
            Self::Protocol(_)
            | Self::Reason { .. }
            | Self::PropertyNotAllowed { .. }
            | Self::PropertyTwice { .. } => ReasonCode::PROTOCOL_ERROR,
            Self::PacketTooLarge { .. } => ReasonCode::PACKET_TOO_LARGE,
            Self::UnsupportedVersion { .. } => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            Self::TopicName(_) => ReasonCode::TOPIC_NAME_INVALID,
            Self::TopicFilter(_) => ReasonCode::TOPIC_FILTER_INVALID,
        }
    }
}

/// Why a packet has no form on the wire. Always a mistake on our side; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("a field of {0} bytes is longer than 65535")]
    FieldTooLong(usize),
    #[error("a body of {0} bytes is longer than 268435455")]
    PacketTooLarge(usize),
    #[error("{packet} does not exist in this version")]
    NotInThisVersion { packet: &'static str },
    #[error("reason code {0} has no return code in this version")]
    NoReturnCode(ReasonCode),
    #[error("a packet id goes with quality of service 1 and 2, and DUP too")]
    PacketIdAndQos,
    #[error("{packet} without a single entry")]
    Empty { packet: &'static str },
}
