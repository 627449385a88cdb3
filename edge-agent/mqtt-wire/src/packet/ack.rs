//! What PUBACK, PUBREC, PUBREL and PUBCOMP share: a packet id, and in version 5 a reason that is left
//! out when all is well.

use bytes::{BufMut, BytesMut};

use crate::primitives::Reader;
use crate::property::Allowed;
use crate::{DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, ReasonCode};

/// The body of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub packet_id: PacketId,
    /// Always success in the versions before 5.
    pub reason: ReasonCode,
    pub properties: Properties,
}

/// What tells one acknowledgement from another.
pub(super) struct Rules {
    pub packet: &'static str,
    pub reasons: &'static [ReasonCode],
    pub properties: Allowed,
}

impl Ack {
    /// All is well with this packet id.
    pub fn success(packet_id: PacketId) -> Self {
        Self { packet_id, reason: ReasonCode::SUCCESS, properties: Properties::default() }
    }

    pub(super) fn decode(
        rules: &Rules,
        version: ProtocolVersion,
        body: &mut Reader,
    ) -> Result<Self, DecodeError> {
        let mut ack = Self::success(body.packet_id()?);
        if version.has_properties() && !body.is_empty() {
            ack.reason = super::reason(rules.packet, rules.reasons, body)?;
            if !body.is_empty() {
                ack.properties = Properties::decode(&rules.properties, body)?;
            }
        }
        Ok(ack)
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_u16(self.packet_id.get());
        if version.has_properties() && (self.reason != ReasonCode::SUCCESS || !self.properties.is_empty()) {
            out.put_u8(self.reason.0);
            if !self.properties.is_empty() {
                self.properties.encode(out)?;
            }
        }
        Ok(())
    }
}
