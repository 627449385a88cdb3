//! The 15 packet types, and the first byte that tells them apart (section 2.1).

pub mod ack;
pub mod auth;
pub mod connack;
pub mod connect;
pub mod disconnect;
pub mod pingreq;
pub mod pingresp;
pub mod puback;
pub mod pubcomp;
pub mod publish;
pub mod pubrec;
pub mod pubrel;
pub mod suback;
pub mod subscribe;
pub mod unsuback;
pub mod unsubscribe;

use std::num::NonZeroU16;

use bytes::BytesMut;

use crate::primitives::Reader;
use crate::{
    Ack, Auth, Connack, Connect, DecodeError, Disconnect, EncodeError, ProtocolVersion, Publish, ReasonCode,
    Suback, Subscribe, Unsuback, Unsubscribe,
};

/// Ties an acknowledgement to its packet; 0 does not exist. [MQTT-2.3.1-1]
pub type PacketId = NonZeroU16;

/// Any MQTT packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Connect(Box<Connect>),
    Connack(Connack),
    Publish(Publish),
    Puback(Ack),
    Pubrec(Ack),
    Pubrel(Ack),
    Pubcomp(Ack),
    Subscribe(Subscribe),
    Suback(Suback),
    Unsubscribe(Unsubscribe),
    Unsuback(Unsuback),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect),
    Auth(Auth),
}

/// The type of a packet, its number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl Kind {
    /// The type in the upper half of the first byte, with the lower half checked. [MQTT-2.2.2-2]
    pub fn from_first_byte(first: u8, version: Option<ProtocolVersion>) -> Result<Self, DecodeError> {
        let kind = match first >> 4 {
            1 => Self::Connect,
            2 => Self::Connack,
            3 => Self::Publish,
            4 => Self::Puback,
            5 => Self::Pubrec,
            6 => Self::Pubrel,
            7 => Self::Pubcomp,
            8 => Self::Subscribe,
            9 => Self::Suback,
            10 => Self::Unsubscribe,
            11 => Self::Unsuback,
            12 => Self::Pingreq,
            13 => Self::Pingresp,
            14 => Self::Disconnect,
            15 if version.is_none_or(ProtocolVersion::has_properties) => Self::Auth,
            _ => return Err(DecodeError::Malformed("its packet type is reserved")),
        };
        let flags = first & 0x0f;
        if !kind.takes_flags(flags, version) {
            return Err(DecodeError::Flags { packet: kind.name(), flags });
        }
        if version.is_none() && kind != Self::Connect {
            return Err(DecodeError::Protocol("the first packet is not CONNECT"));
        }
        Ok(kind)
    }

    fn takes_flags(self, flags: u8, version: Option<ProtocolVersion>) -> bool {
        match self {
            Self::Publish => true, // its own file looks at them
            // Version 3.1 repeats these with DUP set.
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe if version == Some(ProtocolVersion::V3_1) => {
                flags & !publish::DUP == REQUEST_FLAGS
            }
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe => flags == REQUEST_FLAGS,
            _ => flags == 0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

/// The flags of PUBREL, SUBSCRIBE and UNSUBSCRIBE: what once said QoS 1.
const REQUEST_FLAGS: u8 = 0b0010;

impl Packet {
    /// The name in capitals, as the specification and the logs have it.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    pub(crate) fn first_byte(&self) -> u8 {
        let kind = self.kind();
        let flags = match self {
            Self::Publish(publish) => publish.flags(),
            Self::Pubrel(_) | Self::Subscribe(_) | Self::Unsubscribe(_) => REQUEST_FLAGS,
            _ => 0,
        };
        (kind as u8) << 4 | flags
    }

    pub(crate) fn decode_body(
        kind: Kind,
        flags: u8,
        version: Option<ProtocolVersion>,
        body: &mut Reader,
    ) -> Result<Self, DecodeError> {
        // CONNECT says its own version. Before it nothing else gets here.
        let version = version.unwrap_or(ProtocolVersion::V5);
        Ok(match kind {
            Kind::Connect => Self::Connect(Box::new(Connect::decode(body)?)),
            Kind::Connack => Self::Connack(Connack::decode(version, body)?),
            Kind::Publish => Self::Publish(Publish::decode(flags, version, body)?),
            Kind::Puback => Self::Puback(Ack::decode(&puback::RULES, version, body)?),
            Kind::Pubrec => Self::Pubrec(Ack::decode(&pubrec::RULES, version, body)?),
            Kind::Pubrel => Self::Pubrel(Ack::decode(&pubrel::RULES, version, body)?),
            Kind::Pubcomp => Self::Pubcomp(Ack::decode(&pubcomp::RULES, version, body)?),
            Kind::Subscribe => Self::Subscribe(Subscribe::decode(version, body)?),
            Kind::Suback => Self::Suback(Suback::decode(version, body)?),
            Kind::Unsubscribe => Self::Unsubscribe(Unsubscribe::decode(version, body)?),
            Kind::Unsuback => Self::Unsuback(Unsuback::decode(version, body)?),
            Kind::Pingreq => pingreq::decode(),
            Kind::Pingresp => pingresp::decode(),
            Kind::Disconnect => Self::Disconnect(Disconnect::decode(version, body)?),
            Kind::Auth => Self::Auth(Auth::decode(body)?),
        })
    }

    pub(crate) fn encode_body(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Connect(connect) => connect.encode(out),
            Self::Connack(connack) => connack.encode(version, out),
            Self::Publish(publish) => publish.encode(version, out),
            Self::Puback(ack) | Self::Pubrec(ack) | Self::Pubrel(ack) | Self::Pubcomp(ack) => {
                ack.encode(version, out)
            }
            Self::Subscribe(subscribe) => subscribe.encode(version, out),
            Self::Suback(suback) => suback.encode(version, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Self::Unsuback(unsuback) => unsuback.encode(version, out),
            Self::Pingreq | Self::Pingresp => Ok(()),
            Self::Disconnect(disconnect) => disconnect.encode(version, out),
            Self::Auth(auth) => auth.encode(version, out),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Connect(_) => Kind::Connect,
            Self::Connack(_) => Kind::Connack,
            Self::Publish(_) => Kind::Publish,
            Self::Puback(_) => Kind::Puback,
            Self::Pubrec(_) => Kind::Pubrec,
            Self::Pubrel(_) => Kind::Pubrel,
            Self::Pubcomp(_) => Kind::Pubcomp,
            Self::Subscribe(_) => Kind::Subscribe,
            Self::Suback(_) => Kind::Suback,
            Self::Unsubscribe(_) => Kind::Unsubscribe,
            Self::Unsuback(_) => Kind::Unsuback,
            Self::Pingreq => Kind::Pingreq,
            Self::Pingresp => Kind::Pingresp,
            Self::Disconnect(_) => Kind::Disconnect,
            Self::Auth(_) => Kind::Auth,
        }
    }
}

/// Reads a reason code that must be one of the packet's own. [MQTT-3.4.2-1] and its like
fn reason(packet: &'static str, own: &[ReasonCode], body: &mut Reader) -> Result<ReasonCode, DecodeError> {
    let reason = ReasonCode(body.u8()?);
    if own.contains(&reason) { Ok(reason) } else { Err(DecodeError::Reason { packet, reason }) }
}
