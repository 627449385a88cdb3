//! Addresses to listen on.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A listener that a service can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optional {
    Off,
    At(SocketAddr),
}

/// An address to listen on. A name is none: it may stand for several.
pub fn ip_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not IP:PORT, such as 127.0.0.1:9644"))
}

/// The same from a config: `#[serde(deserialize_with = "service::read_ip_port")]`.
pub fn read_ip_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    ip_port(&text).map_err(D::Error::custom)
}

impl FromStr for Optional {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            text => ip_port(text).map(Self::At).map_err(|wrong| format!("{wrong}, nor \"off\"")),
        }
    }
}

impl fmt::Display for Optional {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl Serialize for Optional {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Optional {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}
