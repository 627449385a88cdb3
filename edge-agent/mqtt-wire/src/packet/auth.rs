//! AUTH: a step of an extended authentication, version 5 only (section 3.15).

use bytes::{BufMut, BytesMut};

use crate::primitives::Reader;
use crate::property::{self, Allowed};
use crate::{DecodeError, EncodeError, Properties, ProtocolVersion, ReasonCode};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    pub reason: ReasonCode,
    pub properties: Properties,
}

const REASONS: &[ReasonCode] =
    &[ReasonCode::SUCCESS, ReasonCode::CONTINUE_AUTHENTICATION, ReasonCode::RE_AUTHENTICATE];

const PROPERTIES: Allowed = Allowed::new(
    "AUTH",
    &[property::AUTHENTICATION_METHOD, property::AUTHENTICATION_DATA, property::REASON_STRING],
);

impl Auth {
    pub(super) fn decode(body: &mut Reader) -> Result<Self, DecodeError> {
        if body.is_empty() {
            return Ok(Self { reason: ReasonCode::SUCCESS, properties: Properties::default() });
        }
        let reason = super::reason("AUTH", REASONS, body)?;
        let properties = Properties::decode(&PROPERTIES, body)?;
        if properties.authentication_method().is_none() {
            return Err(DecodeError::Protocol("AUTH without an authentication method"));
        }
        Ok(Self { reason, properties })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if !version.has_properties() {
            return Err(EncodeError::NotInThisVersion { packet: "AUTH" });
        }
        if self.reason != ReasonCode::SUCCESS || !self.properties.is_empty() {
            out.put_u8(self.reason.0);
            self.properties.encode(out)?;
        }
        Ok(())
    }
}
