//! CONNACK: the server's answer to CONNECT (section 3.2).

use bytes::{BufMut, BytesMut};

use crate::primitives::Reader;
use crate::property::{self, Allowed};
use crate::{DecodeError, EncodeError, Properties, ProtocolVersion, ReasonCode};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connack {
    /// The server goes on with a session it has kept. Version 3.1 has no place for it.
    pub session_present: bool,
    /// In version 5 as it is; the five return codes of the older versions are translated.
    pub reason: ReasonCode,
    pub properties: Properties,
}

/// Return codes 1 to 5 of the older versions (section 3.2.2.3 of 3.1.1).
const RETURN_CODES: [ReasonCode; 5] = [
    ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
    ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
    ReasonCode::SERVER_UNAVAILABLE,
    ReasonCode::BAD_USER_NAME_OR_PASSWORD,
    ReasonCode::NOT_AUTHORIZED,
];

const REASONS: &[ReasonCode] = &[
    ReasonCode::SUCCESS,
    ReasonCode::UNSPECIFIED_ERROR,
    ReasonCode::MALFORMED_PACKET,
    ReasonCode::PROTOCOL_ERROR,
    ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
    ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
    ReasonCode::BAD_USER_NAME_OR_PASSWORD,
    ReasonCode::NOT_AUTHORIZED,
    ReasonCode::SERVER_UNAVAILABLE,
    ReasonCode::SERVER_BUSY,
    ReasonCode::BANNED,
    ReasonCode::BAD_AUTHENTICATION_METHOD,
    ReasonCode::TOPIC_NAME_INVALID,
    ReasonCode::PACKET_TOO_LARGE,
    ReasonCode::QUOTA_EXCEEDED,
    ReasonCode::PAYLOAD_FORMAT_INVALID,
    ReasonCode::RETAIN_NOT_SUPPORTED,
    ReasonCode::QOS_NOT_SUPPORTED,
    ReasonCode::USE_ANOTHER_SERVER,
    ReasonCode::SERVER_MOVED,
    ReasonCode::CONNECTION_RATE_EXCEEDED,
];

const PROPERTIES: Allowed = Allowed::new(
    "CONNACK",
    &[
        property::SESSION_EXPIRY_INTERVAL,
        property::RECEIVE_MAXIMUM,
        property::MAXIMUM_QOS,
        property::RETAIN_AVAILABLE,
        property::MAXIMUM_PACKET_SIZE,
        property::ASSIGNED_CLIENT_IDENTIFIER,
        property::TOPIC_ALIAS_MAXIMUM,
        property::REASON_STRING,
        property::WILDCARD_SUBSCRIPTION_AVAILABLE,
        property::SUBSCRIPTION_IDENTIFIER_AVAILABLE,
        property::SHARED_SUBSCRIPTION_AVAILABLE,
        property::SERVER_KEEP_ALIVE,
        property::RESPONSE_INFORMATION,
        property::SERVER_REFERENCE,
        property::AUTHENTICATION_METHOD,
        property::AUTHENTICATION_DATA,
    ],
);

impl Connack {
    /// A refusal: never with a session. [MQTT-3.2.2-6]
    pub fn refused(reason: ReasonCode) -> Self {
        Self { session_present: false, reason, properties: Properties::default() }
    }

    pub(super) fn decode(version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let flags = body.u8()?;
        if flags > u8::from(version > ProtocolVersion::V3_1) {
            return Err(DecodeError::Malformed("a reserved flag of CONNACK is set")); // [MQTT-3.2.2-1]
        }
        let session_present = flags == 1;
        let reason = if version.has_properties() {
            super::reason("CONNACK", REASONS, body)?
        } else {
            reason_of_return_code(body.u8()?)?
        };
        if session_present && reason.is_error() {
            return Err(DecodeError::Protocol("a refusal with a session present"));
        }
        let properties = if version.has_properties() {
            Properties::decode(&PROPERTIES, body)?
        } else {
            Properties::default()
        };
        Ok(Self { session_present, reason, properties })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_u8(u8::from(self.session_present && version > ProtocolVersion::V3_1));
        if version.has_properties() {
            out.put_u8(self.reason.0);
            self.properties.encode(out)
        } else {
            out.put_u8(return_code(self.reason)?);
            Ok(())
        }
    }
}

fn reason_of_return_code(code: u8) -> Result<ReasonCode, DecodeError> {
    match code.checked_sub(1) {
        None => Ok(ReasonCode::SUCCESS),
        Some(index) => RETURN_CODES
            .get(usize::from(index))
            .copied()
            .ok_or(DecodeError::Protocol("a return code of CONNACK that is reserved")),
    }
}

/// Where no return code fits, the server closes without an answer. [MQTT-3.2.2-6 of 3.1.1]
fn return_code(reason: ReasonCode) -> Result<u8, EncodeError> {
    if reason == ReasonCode::SUCCESS {
        return Ok(0);
    }
    match RETURN_CODES.iter().position(|known| *known == reason) {
        Some(index) => Ok(index as u8 + 1),
        None => Err(EncodeError::NoReturnCode(reason)),
    }
}
