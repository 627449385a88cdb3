//! UNSUBSCRIBE: what the client no longer wants to hear (section 3.10).

use bytes::{BufMut, BytesMut};

use crate::primitives::{Reader, put_text};
use crate::property::Allowed;
use crate::{DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, check_topic_filter};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    pub packet_id: PacketId,
    /// At least one. [MQTT-3.10.3-2]
    pub filters: Vec<String>,
    pub properties: Properties,
}

const PROPERTIES: Allowed = Allowed::new("UNSUBSCRIBE", &[]);

impl Unsubscribe {
    pub(super) fn decode(version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let properties = if version.has_properties() {
            Properties::decode(&PROPERTIES, body)?
        } else {
            Properties::default()
        };
        let mut filters = Vec::new();
        while !body.is_empty() {
            let filter = body.text()?;
            check_topic_filter(&filter, version).map_err(DecodeError::TopicFilter)?;
            filters.push(filter);
        }
        if filters.is_empty() {
            return Err(DecodeError::Protocol("UNSUBSCRIBE without a topic filter"));
        }
        Ok(Self { packet_id, filters, properties })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.filters.is_empty() {
            return Err(EncodeError::Empty { packet: "UNSUBSCRIBE" });
        }
        out.put_u16(self.packet_id.get());
        if version.has_properties() {
            self.properties.encode(out)?;
        }
        self.filters.iter().try_for_each(|filter| put_text(filter, out))
    }
}
