//! CONNECT: who the client is and what it leaves behind (section 3.1).

use bytes::{BufMut, Bytes, BytesMut};

use crate::primitives::{Reader, put_binary, put_text};
use crate::property::{self, Allowed};
use crate::{DecodeError, EncodeError, Properties, ProtocolVersion, Qos, check_topic_name};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    pub version: ProtocolVersion,
    /// Version 5 "clean start", before it "clean session", which also ends the session with the connection.
    pub clean_start: bool,
    /// 0: the connection may be silent for ever.
    pub keep_alive_secs: u16,
    /// May be empty; what that means is for the server to say.
    pub client_id: String,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<Bytes>,
    pub properties: Properties,
}

/// The message published when the connection is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    pub topic: String,
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    pub properties: Properties,
}

const USERNAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL_QOS_SHIFT: u8 = 3;
const WILL: u8 = 0x04;
const CLEAN_START: u8 = 0x02;
const RESERVED: u8 = 0x01;

const PROPERTIES: Allowed = Allowed::new(
    "CONNECT",
    &[
        property::SESSION_EXPIRY_INTERVAL,
        property::RECEIVE_MAXIMUM,
        property::MAXIMUM_PACKET_SIZE,
        property::TOPIC_ALIAS_MAXIMUM,
        property::REQUEST_RESPONSE_INFORMATION,
        property::REQUEST_PROBLEM_INFORMATION,
        property::AUTHENTICATION_METHOD,
        property::AUTHENTICATION_DATA,
    ],
);

const WILL_PROPERTIES: Allowed = Allowed::new(
    "the will in CONNECT",
    &[
        property::WILL_DELAY_INTERVAL,
        property::PAYLOAD_FORMAT_INDICATOR,
        property::MESSAGE_EXPIRY_INTERVAL,
        property::CONTENT_TYPE,
        property::RESPONSE_TOPIC,
        property::CORRELATION_DATA,
    ],
);

impl Connect {
    pub(super) fn decode(body: &mut Reader) -> Result<Self, DecodeError> {
        let version = decode_version(body)?;
        let flags = body.u8()?;
        check_flags(flags, version)?;
        let keep_alive_secs = body.u16()?;
        let properties = decode_properties(&PROPERTIES, version, body)?;
        let client_id = body.text()?;
        let will = if flags & WILL != 0 { Some(Will::decode(flags, version, body)?) } else { None };
        // Version 3.1 lets the fields be missing although their flags are set.
        let missing = |body: &Reader| version == ProtocolVersion::V3_1 && body.is_empty();
        let username = if flags & USERNAME != 0 && !missing(body) { Some(body.text()?) } else { None };
        let password = if flags & PASSWORD != 0 && !missing(body) { Some(body.binary()?) } else { None };
        Ok(Self {
            version,
            clean_start: flags & CLEAN_START != 0,
            keep_alive_secs,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_text(self.version.name(), out)?;
        out.put_u8(self.version.level());
        out.put_u8(self.flags());
        out.put_u16(self.keep_alive_secs);
        if self.version.has_properties() {
            self.properties.encode(out)?;
        }
        put_text(&self.client_id, out)?;
        if let Some(will) = &self.will {
            will.encode(self.version, out)?;
        }
        if let Some(username) = &self.username {
            put_text(username, out)?;
        }
        if let Some(password) = &self.password {
            put_binary(password, out)?;
        }
        Ok(())
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let will = self
            .will
            .as_ref()
            .map_or(0, |will| WILL | will.qos.bits() << WILL_QOS_SHIFT | flag(will.retain, WILL_RETAIN));
        flag(self.username.is_some(), USERNAME)
            | flag(self.password.is_some(), PASSWORD)
            | flag(self.clean_start, CLEAN_START)
            | will
    }
}

/// The protocol's name and level. [MQTT-3.1.2-1], [MQTT-3.1.2-2]
fn decode_version(body: &mut Reader) -> Result<ProtocolVersion, DecodeError> {
    let name = body.text()?;
    let level = body.u8()?;
    match (name.as_str(), level) {
        ("MQIsdp", 3) => Ok(ProtocolVersion::V3_1),
        ("MQTT", 4) => Ok(ProtocolVersion::V3_1_1),
        ("MQTT", 5) => Ok(ProtocolVersion::V5),
        ("MQIsdp" | "MQTT", _) => Err(DecodeError::UnsupportedVersion { level }),
        _ => Err(DecodeError::Malformed("the protocol's name is not MQTT")),
    }
}

fn check_flags(flags: u8, version: ProtocolVersion) -> Result<(), DecodeError> {
    if flags & RESERVED != 0 {
        return Err(DecodeError::Malformed("the reserved connect flag is set")); // [MQTT-3.1.2-3]
    }
    if flags & WILL == 0 && flags & (WILL_RETAIN | 3 << WILL_QOS_SHIFT) != 0 {
        return Err(DecodeError::Malformed("a will QoS or will retain without a will")); // [MQTT-3.1.2-11]
    }
    if flags & USERNAME == 0 && flags & PASSWORD != 0 && !version.has_properties() {
        return Err(DecodeError::Malformed("a password without a user name")); // [MQTT-3.1.2-22]
    }
    Ok(())
}

fn decode_properties(
    allowed: &Allowed,
    version: ProtocolVersion,
    body: &mut Reader,
) -> Result<Properties, DecodeError> {
    if version.has_properties() { Properties::decode(allowed, body) } else { Ok(Properties::default()) }
}

impl Will {
    fn decode(flags: u8, version: ProtocolVersion, body: &mut Reader) -> Result<Self, DecodeError> {
        let qos = Qos::from_bits(flags >> WILL_QOS_SHIFT & 3)
            .ok_or(DecodeError::Malformed("the will has QoS 3"))?; // [MQTT-3.1.2-14]
        let properties = decode_properties(&WILL_PROPERTIES, version, body)?;
        if let Some(topic) = properties.response_topic() {
            check_topic_name(topic).map_err(DecodeError::TopicName)?;
        }
        let topic = body.text()?;
        check_topic_name(&topic).map_err(DecodeError::TopicName)?;
        let payload = body.binary()?;
        Ok(Self { topic, payload, qos, retain: flags & WILL_RETAIN != 0, properties })
    }

    fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if version.has_properties() {
            self.properties.encode(out)?;
        }
        put_text(&self.topic, out)?;
        put_binary(&self.payload, out)
    }
}
