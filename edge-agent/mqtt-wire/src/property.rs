//! The properties of version 5: one table of all 27, and how a packet's list of them is read.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{BufMut, Bytes, BytesMut};

use crate::primitives::{MAX_VARIABLE, Reader, put_binary, put_text, put_variable, put_with_length};
use crate::{DecodeError, EncodeError};

macro_rules! properties {
    ($($id:literal $constant:ident $variant:ident($value:ty) $getter:ident,)*) => {
        /// One property with its value.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Property {
            $($variant($value),)*
        }

        $(pub(crate) const $constant: u8 = $id;)*

        impl Property {
            /// The number on the wire.
            pub fn id(&self) -> u8 {
                match self {
                    $(Self::$variant(_) => $id,)*
                }
            }

            fn read(id: u8, body: &mut Reader) -> Result<Self, DecodeError> {
                match id {
                    $($id => <$value>::read(body).map(Self::$variant),)*
                    _ => Err(DecodeError::UnknownProperty(u32::from(id))),
                }
            }

            fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
                out.put_u8(self.id());
                match self {
                    $(Self::$variant(value) => value.write(out),)*
                }
            }
        }

        impl Properties {
            $(
                /// The value of this property; the first one where it may come several times.
                pub fn $getter(&self) -> Option<&$value> {
                    self.0.iter().find_map(|property| match property {
                        Property::$variant(value) => Some(value),
                        _ => None,
                    })
                }
            )*
        }
    };
}

// Section 2.2.2.2. A bool is a byte that may only be 0 or 1.
properties! {
    0x01 PAYLOAD_FORMAT_INDICATOR PayloadFormatIndicator(bool) payload_format_indicator,
    0x02 MESSAGE_EXPIRY_INTERVAL MessageExpiryInterval(u32) message_expiry_interval,
    0x03 CONTENT_TYPE ContentType(String) content_type,
    0x08 RESPONSE_TOPIC ResponseTopic(String) response_topic,
    0x09 CORRELATION_DATA CorrelationData(Bytes) correlation_data,
    0x0b SUBSCRIPTION_IDENTIFIER SubscriptionIdentifier(SubscriptionId) subscription_identifier,
    0x11 SESSION_EXPIRY_INTERVAL SessionExpiryInterval(u32) session_expiry_interval,
    0x12 ASSIGNED_CLIENT_IDENTIFIER AssignedClientIdentifier(String) assigned_client_identifier,
    0x13 SERVER_KEEP_ALIVE ServerKeepAlive(u16) server_keep_alive,
    0x15 AUTHENTICATION_METHOD AuthenticationMethod(String) authentication_method,
    0x16 AUTHENTICATION_DATA AuthenticationData(Bytes) authentication_data,
    0x17 REQUEST_PROBLEM_INFORMATION RequestProblemInformation(bool) request_problem_information,
    0x18 WILL_DELAY_INTERVAL WillDelayInterval(u32) will_delay_interval,
    0x19 REQUEST_RESPONSE_INFORMATION RequestResponseInformation(bool) request_response_information,
    0x1a RESPONSE_INFORMATION ResponseInformation(String) response_information,
    0x1c SERVER_REFERENCE ServerReference(String) server_reference,
    0x1f REASON_STRING ReasonString(String) reason_string,
    0x21 RECEIVE_MAXIMUM ReceiveMaximum(NonZeroU16) receive_maximum,
    0x22 TOPIC_ALIAS_MAXIMUM TopicAliasMaximum(u16) topic_alias_maximum,
    0x23 TOPIC_ALIAS TopicAlias(NonZeroU16) topic_alias,
    0x24 MAXIMUM_QOS MaximumQos(bool) maximum_qos,
    0x25 RETAIN_AVAILABLE RetainAvailable(bool) retain_available,
    0x26 USER_PROPERTY UserProperty((String, String)) user_property,
    0x27 MAXIMUM_PACKET_SIZE MaximumPacketSize(NonZeroU32) maximum_packet_size,
    0x28 WILDCARD_SUBSCRIPTION_AVAILABLE WildcardSubscriptionAvailable(bool) wildcard_subscription_available,
    0x29 SUBSCRIPTION_IDENTIFIER_AVAILABLE SubscriptionIdentifierAvailable(bool) subscription_identifier_available,
    0x2a SHARED_SUBSCRIPTION_AVAILABLE SharedSubscriptionAvailable(bool) shared_subscription_available,
}

/// The properties of one packet, in the order they are written. Empty costs no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(Vec<Property>);

impl Properties {
    pub fn push(&mut self, property: Property) {
        self.0.push(property);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Property> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the length and the properties, each at most once except those `allowed` to repeat.
    pub(crate) fn decode(allowed: &Allowed, body: &mut Reader) -> Result<Self, DecodeError> {
        let packet = allowed.packet;
        let bytes = body.variable()? as usize;
        let mut body = Reader::new(body.take(bytes)?);
        let mut properties = Self::default();
        let mut seen = 0_u64;
        while !body.is_empty() {
            let id = body.variable()?;
            let id = u8::try_from(id).map_err(|_| DecodeError::UnknownProperty(id))?;
            let property = Property::read(id, &mut body)?;
            if !allowed.has(id) {
                return Err(DecodeError::PropertyNotAllowed { packet, id });
            }
            if seen & bit(id) != 0 && !allowed.repeats(id) {
                return Err(DecodeError::PropertyTwice { packet, id });
            }
            seen |= bit(id);
            properties.0.push(property);
        }
        if properties.authentication_data().is_some() && properties.authentication_method().is_none() {
            return Err(DecodeError::Protocol("authentication data without a method"));
        }
        Ok(properties)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_with_length(out, |out| self.0.iter().try_for_each(|property| property.write(out)))
    }
}

impl FromIterator<Property> for Properties {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        Self(properties.into_iter().collect())
    }
}

/// The properties a packet may have.
pub(crate) struct Allowed {
    packet: &'static str,
    once: u64,
    repeated: u64,
}

impl Allowed {
    /// These properties, each once, and user properties as often as one likes.
    pub const fn new(packet: &'static str, ids: &[u8]) -> Self {
        let mut once = 0;
        let mut at = 0;
        while at < ids.len() {
            once |= bit(ids[at]);
            at += 1;
        }
        Self { packet, once, repeated: bit(USER_PROPERTY) }
    }

    pub const fn and_repeated(mut self, id: u8) -> Self {
        self.repeated |= bit(id);
        self
    }

    fn has(&self, id: u8) -> bool {
        (self.once | self.repeated) & bit(id) != 0
    }

    fn repeats(&self, id: u8) -> bool {
        self.repeated & bit(id) != 0
    }
}

const fn bit(id: u8) -> u64 {
    if id < 64 { 1 << id } else { 0 }
}

/// The number a client gives a subscription: 1 to 268,435,455. [section 3.8.2.1.2]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    pub fn new(id: u32) -> Option<Self> {
        NonZeroU32::new(id).filter(|id| id.get() as usize <= MAX_VARIABLE).map(Self)
    }

    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// A kind of value a property can have.
trait Value: Sized {
    fn read(body: &mut Reader) -> Result<Self, DecodeError>;
    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError>;
}

impl Value for bool {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        match body.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Protocol("a property that is 0 or 1 has another value")),
        }
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_u8(u8::from(*self));
        Ok(())
    }
}

impl Value for u16 {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        body.u16()
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_u16(*self);
        Ok(())
    }
}

impl Value for u32 {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        body.u32()
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_u32(*self);
        Ok(())
    }
}

const ZERO: DecodeError = DecodeError::Protocol("a property that may not be 0 is 0");

impl Value for NonZeroU16 {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        Self::new(body.u16()?).ok_or(ZERO)
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.get().write(out)
    }
}

impl Value for NonZeroU32 {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        Self::new(body.u32()?).ok_or(ZERO)
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.get().write(out)
    }
}

impl Value for SubscriptionId {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        Self::new(body.variable()?).ok_or(ZERO)
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_variable(self.get(), out);
        Ok(())
    }
}

impl Value for String {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        body.text()
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_text(self, out)
    }
}

impl Value for Bytes {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        body.binary()
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_binary(self, out)
    }
}

impl Value for (String, String) {
    fn read(body: &mut Reader) -> Result<Self, DecodeError> {
        Ok((body.text()?, body.text()?))
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_text(&self.0, out)?;
        put_text(&self.1, out)
    }
}
