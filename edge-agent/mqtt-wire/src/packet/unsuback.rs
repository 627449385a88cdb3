//! UNSUBACK: the subscriptions are gone (section 3.11).

use bytes::{BufMut, BytesMut};

use crate::primitives::Reader;
use crate::property::{Allowed, REASON_STRING};
use crate::{DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, ReasonCode};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsuback {
    pub packet_id: PacketId,
    /// One answer per topic filter in version 5, none before it.
    pub reasons: Vec<ReasonCode>,
    pub properties: Properties,
}

const REASONS: &[ReasonCode] = &[
    ReasonCode::SUCCESS,
    ReasonCode::NO_SUBSCRIPTION_EXISTED,
    ReasonCode::UNSPECIFIED_ERROR,
    ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    ReasonCode::NOT_AUTHORIZED,
    ReasonCode::TOPIC_FILTER_INVALID,
    ReasonCode::PACKET_IDENTIFIER_IN_USE,
];

const PROPERTIES: Allowed = Allowed::new("UNSUBACK", &[REASON_STRING]);

impl Unsuback {
    pub(super) fn decode(version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        if !version.has_properties() {
            return Ok(Self { packet_id, reasons: Vec::new(), properties: Properties::default() });
        }
        let properties = Properties::decode(&PROPERTIES, body)?;
        let mut reasons = Vec::new();
        while !body.is_empty() {
            reasons.push(super::reason("UNSUBACK", REASONS, body)?);
        }
        if reasons.is_empty() {
            return Err(DecodeError::Protocol("UNSUBACK without an answer"));
        }
        Ok(Self { packet_id, reasons, properties })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_u16(self.packet_id.get());
        if !version.has_properties() {
            return Ok(());
        }
        if self.reasons.is_empty() {
            return Err(EncodeError::Empty { packet: "UNSUBACK" });
        }
        self.properties.encode(out)?;
        out.extend(self.reasons.iter().map(|reason| reason.0));
        Ok(())
    }
}
