//! PUBLISH: a message (section 3.3). The hot path: one string for the topic, the payload as a slice.

use bytes::{BufMut, Bytes, BytesMut};

use crate::primitives::{Reader, put_text};
use crate::property::{self, Allowed};
use crate::{DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, Qos, check_topic_name};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Sent before, perhaps. Says nothing certain.
    pub dup: bool,
    pub qos: Qos,
    pub retain: bool,
    /// Empty only in version 5, with a topic alias.
    pub topic: String,
    /// There exactly when the QoS is above 0. [MQTT-2.2.1-2]
    pub packet_id: Option<PacketId>,
    pub properties: Properties,
    pub payload: Bytes,
}

pub(super) const DUP: u8 = 0b1000;
const QOS_SHIFT: u8 = 1;
const RETAIN: u8 = 0b0001;

const PROPERTIES: Allowed = Allowed::new(
    "PUBLISH",
    &[
        property::PAYLOAD_FORMAT_INDICATOR,
        property::MESSAGE_EXPIRY_INTERVAL,
        property::TOPIC_ALIAS,
        property::RESPONSE_TOPIC,
        property::CORRELATION_DATA,
        property::CONTENT_TYPE,
    ],
)
.and_repeated(property::SUBSCRIPTION_IDENTIFIER); // one per subscription that matched

impl Publish {
    pub(super) fn decode(
        flags: u8,
        version: ProtocolVersion,
        body: &mut Reader,
    ) -> Result<Self, DecodeError> {
        let qos =
            Qos::from_bits(flags >> QOS_SHIFT & 3).ok_or(DecodeError::Malformed("PUBLISH has QoS 3"))?; // [MQTT-3.3.1-4]
        let dup = flags & DUP != 0;
        if dup && qos == Qos::AtMostOnce {
            return Err(DecodeError::Malformed("PUBLISH has DUP with QoS 0")); // [MQTT-3.3.1-2]
        }
        let topic = body.text()?;
        let packet_id = if qos == Qos::AtMostOnce { None } else { Some(body.packet_id()?) };
        let properties = if version.has_properties() {
            Properties::decode(&PROPERTIES, body)?
        } else {
            Properties::default()
        };
        if let Some(topic) = properties.response_topic() {
            check_topic_name(topic).map_err(DecodeError::TopicName)?; // [MQTT-3.3.2-14]
        }
        if !topic.is_empty() {
            check_topic_name(&topic).map_err(DecodeError::TopicName)?;
        } else if properties.topic_alias().is_none() {
            return Err(DecodeError::Protocol("PUBLISH has neither a topic nor an alias for one"));
        }
        Ok(Self { dup, qos, retain: flags & RETAIN != 0, topic, packet_id, properties, payload: body.rest() })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        let acknowledged = self.qos != Qos::AtMostOnce;
        if self.packet_id.is_some() != acknowledged || self.dup && !acknowledged {
            return Err(EncodeError::PacketIdAndQos);
        }
        put_text(&self.topic, out)?;
        if let Some(packet_id) = self.packet_id {
            out.put_u16(packet_id.get());
        }
        if version.has_properties() {
            self.properties.encode(out)?;
        }
        out.put_slice(&self.payload);
        Ok(())
    }

    pub(super) fn flags(&self) -> u8 {
        let dup = if self.dup { DUP } else { 0 };
        let retain = if self.retain { RETAIN } else { 0 };
        dup | self.qos.bits() << QOS_SHIFT | retain
    }
}
