//! SUBACK: what the server grants, one answer per topic filter (section 3.9).

use bytes::{BufMut, BytesMut};

use crate::primitives::Reader;
use crate::property::{Allowed, REASON_STRING};
use crate::{DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, ReasonCode};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suback {
    pub packet_id: PacketId,
    /// The granted QoS (0, 1, 2) or why not. The older versions only know 0x80 for "why not".
    pub reasons: Vec<ReasonCode>,
    pub properties: Properties,
}

const REASONS_V3: &[ReasonCode] = &[
    ReasonCode::SUCCESS,
    ReasonCode::GRANTED_QOS_1,
    ReasonCode::GRANTED_QOS_2,
    // Not in the text of 3.1, where a refusal could not be said; every broker says it so.
    ReasonCode::UNSPECIFIED_ERROR,
];

const REASONS_V5: &[ReasonCode] = &[
    ReasonCode::SUCCESS,
    ReasonCode::GRANTED_QOS_1,
    ReasonCode::GRANTED_QOS_2,
    ReasonCode::UNSPECIFIED_ERROR,
    ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    ReasonCode::NOT_AUTHORIZED,
    ReasonCode::TOPIC_FILTER_INVALID,
    ReasonCode::PACKET_IDENTIFIER_IN_USE,
    ReasonCode::QUOTA_EXCEEDED,
    ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
    ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
    ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
];

const PROPERTIES: Allowed = Allowed::new("SUBACK", &[REASON_STRING]);

impl Suback {
    pub(super) fn decode(version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let (own, properties) = if version.has_properties() {
            (REASONS_V5, Properties::decode(&PROPERTIES, body)?)
        } else {
            (REASONS_V3, Properties::default())
        };
        let mut reasons = Vec::new();
        while !body.is_empty() {
            reasons.push(super::reason("SUBACK", own, body)?);
        }
        if reasons.is_empty() {
            return Err(DecodeError::Protocol("SUBACK without an answer"));
        }
        Ok(Self { packet_id, reasons, properties })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.reasons.is_empty() {
            return Err(EncodeError::Empty { packet: "SUBACK" });
        }
        out.put_u16(self.packet_id.get());
        if version.has_properties() {
            self.properties.encode(out)?;
        }
        for reason in &self.reasons {
            let refused = reason.is_error() && !version.has_properties();
            out.put_u8(if refused { ReasonCode::UNSPECIFIED_ERROR.0 } else { reason.0 });
        }
        Ok(())
    }
}
