//! DISCONNECT: the end of a connection, with a reason in version 5 (section 3.14).

use bytes::{BufMut, BytesMut};

use crate::primitives::Reader;
use crate::property::{self, Allowed};
use crate::{DecodeError, EncodeError, Properties, ProtocolVersion, ReasonCode};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Success, which means "without the will", in the versions before 5.
    pub reason: ReasonCode,
    pub properties: Properties,
}

const REASONS: &[ReasonCode] = &[
    ReasonCode::SUCCESS,
    ReasonCode::DISCONNECT_WITH_WILL,
    ReasonCode::UNSPECIFIED_ERROR,
    ReasonCode::MALFORMED_PACKET,
    ReasonCode::PROTOCOL_ERROR,
    ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    ReasonCode::NOT_AUTHORIZED,
    ReasonCode::SERVER_BUSY,
    ReasonCode::SERVER_SHUTTING_DOWN,
    ReasonCode::KEEP_ALIVE_TIMEOUT,
    ReasonCode::SESSION_TAKEN_OVER,
    ReasonCode::TOPIC_FILTER_INVALID,
    ReasonCode::TOPIC_NAME_INVALID,
    ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
    ReasonCode::TOPIC_ALIAS_INVALID,
    ReasonCode::PACKET_TOO_LARGE,
    ReasonCode::MESSAGE_RATE_TOO_HIGH,
    ReasonCode::QUOTA_EXCEEDED,
    ReasonCode::ADMINISTRATIVE_ACTION,
    ReasonCode::PAYLOAD_FORMAT_INVALID,
    ReasonCode::RETAIN_NOT_SUPPORTED,
    ReasonCode::QOS_NOT_SUPPORTED,
    ReasonCode::USE_ANOTHER_SERVER,
    ReasonCode::SERVER_MOVED,
    ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
    ReasonCode::CONNECTION_RATE_EXCEEDED,
    ReasonCode::MAXIMUM_CONNECT_TIME,
    ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
    ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
];

const PROPERTIES: Allowed = Allowed::new(
    "DISCONNECT",
    &[property::SESSION_EXPIRY_INTERVAL, property::REASON_STRING, property::SERVER_REFERENCE],
);

impl Disconnect {
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::default() }
    }

    pub(super) fn decode(version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let mut disconnect = Self::new(ReasonCode::SUCCESS);
        if version.has_properties() && !body.is_empty() {
            disconnect.reason = super::reason("DISCONNECT", REASONS, body)?;
            if !body.is_empty() {
                disconnect.properties = Properties::decode(&PROPERTIES, body)?;
            }
        }
        Ok(disconnect)
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if version.has_properties() && (self.reason != ReasonCode::SUCCESS || !self.properties.is_empty()) {
            out.put_u8(self.reason.0);
            if !self.properties.is_empty() {
                self.properties.encode(out)?;
            }
        }
        Ok(())
    }
}
