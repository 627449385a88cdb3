//! A message that waits for its device, as the store keeps it.
//!
//! ```text
//! 0         1               9              11
//! +---------+---------------+--------------+------------+---------+
//! | version | expires at ms | topic length | MQTT topic | payload |     big endian
//! | = 1     | i64           | u16          |            |         |
//! +---------+---------------+--------------+------------+---------+
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};

const VERSION: u8 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub expires_ms: i64,
    pub mqtt_topic: String,
    pub payload: Bytes,
}

impl Message {
    pub fn encode(&self) -> Bytes {
        let topic = self.mqtt_topic.as_bytes();
        let mut out = BytesMut::with_capacity(11 + topic.len() + self.payload.len());
        out.put_u8(VERSION);
        out.put_i64(self.expires_ms);
        out.put_u16(u16::try_from(topic.len()).expect("the downlink keeps no longer names"));
        out.put_slice(topic);
        out.put_slice(&self.payload);
        out.freeze()
    }

    pub fn decode(mut bytes: Bytes) -> Option<Message> {
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let expires_ms = bytes.try_get_i64().ok()?;
        let length = usize::from(bytes.try_get_u16().ok()?);
        if length > bytes.len() {
            return None;
        }
        let mqtt_topic = String::from_utf8(bytes.split_to(length).into()).ok()?;
        Some(Message { expires_ms, mqtt_topic, payload: bytes })
    }
}
