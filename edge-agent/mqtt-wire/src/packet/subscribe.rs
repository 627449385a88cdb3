//! SUBSCRIBE: what the client wants to hear (section 3.8).

use bytes::{BufMut, BytesMut};

use crate::primitives::{Reader, put_text};
use crate::property::{self, Allowed};
use crate::{
    DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, Qos, check_topic_filter,
    is_shared_filter,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    pub packet_id: PacketId,
    /// At least one. [MQTT-3.8.3-3]
    pub requests: Vec<SubscribeRequest>,
    pub properties: Properties,
}

/// One topic filter and how its messages are to be sent. All but the QoS is version 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeRequest {
    pub filter: String,
    pub max_qos: Qos,
    /// Not what this client publishes itself.
    pub no_local: bool,
    pub retain_as_published: bool,
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainHandling {
    AtSubscribe = 0,
    AtNewSubscription = 1,
    Never = 2,
}

const QOS: u8 = 0b0000_0011;
const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const RETAIN_HANDLING_SHIFT: u8 = 4;
const RESERVED_V5: u8 = 0b1100_0000;

const PROPERTIES: Allowed = Allowed::new("SUBSCRIBE", &[property::SUBSCRIPTION_IDENTIFIER]);

impl Subscribe {
    pub(super) fn decode(version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let properties = if version.has_properties() {
            Properties::decode(&PROPERTIES, body)?
        } else {
            Properties::default()
        };
        let mut requests = Vec::new();
        while !body.is_empty() {
            requests.push(SubscribeRequest::decode(version, body)?);
        }
        if requests.is_empty() {
            return Err(DecodeError::Protocol("SUBSCRIBE without a topic filter"));
        }
        Ok(Self { packet_id, requests, properties })
    }

    pub(super) fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.requests.is_empty() {
            return Err(EncodeError::Empty { packet: "SUBSCRIBE" });
        }
        out.put_u16(self.packet_id.get());
        if version.has_properties() {
            self.properties.encode(out)?;
        }
        self.requests.iter().try_for_each(|request| request.encode(version, out))
    }
}

impl SubscribeRequest {
    /// A request as the versions before 5 know it.
    pub fn new(filter: &str, max_qos: Qos) -> Self {
        Self {
            filter: filter.to_owned(),
            max_qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::AtSubscribe,
        }
    }

    fn decode(version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let filter = body.text()?;
        check_topic_filter(&filter, version).map_err(DecodeError::TopicFilter)?;
        let options = body.u8()?;
        let reserved = if version.has_properties() { RESERVED_V5 } else { !QOS };
        if options & reserved != 0 {
            // [MQTT-3.8.3-5]; [MQTT-3-8.3-4] of 3.1.1
            return Err(DecodeError::Malformed("a reserved bit of a subscription is set"));
        }
        let max_qos =
            Qos::from_bits(options & QOS).ok_or(DecodeError::Protocol("a subscription with QoS 3"))?;
        let retain_handling = match options >> RETAIN_HANDLING_SHIFT & 3 {
            0 => RetainHandling::AtSubscribe,
            1 => RetainHandling::AtNewSubscription,
            2 => RetainHandling::Never,
            _ => return Err(DecodeError::Protocol("a subscription with retain handling 3")),
        };
        let no_local = options & NO_LOCAL != 0;
        if no_local && is_shared_filter(&filter) {
            return Err(DecodeError::Protocol("a shared subscription with No Local")); // [MQTT-3.8.3-4]
        }
        let retain_as_published = options & RETAIN_AS_PUBLISHED != 0;
        Ok(Self { filter, max_qos, no_local, retain_as_published, retain_handling })
    }

    fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_text(&self.filter, out)?;
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let v5 = flag(self.no_local, NO_LOCAL)
            | flag(self.retain_as_published, RETAIN_AS_PUBLISHED)
            | (self.retain_handling as u8) << RETAIN_HANDLING_SHIFT;
        out.put_u8(self.max_qos.bits() | flag(version.has_properties(), v5));
        Ok(())
    }
}
