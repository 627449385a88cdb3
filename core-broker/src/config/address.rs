//! Where a listener listens: one address, or `localhost`, which stands for two. And what clients are told of it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

const LOCALHOST: &str = "localhost";

/// No name of the DNS is longer.
const HOST: RangeInclusive<usize> = 1..=255;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenAddress {
    /// 127.0.0.1 and `[::1]` at one port: which of them `localhost` means to a client is the client's choice,
    /// and many ask for the second first.
    Localhost(u16),
    /// No name: it may stand for several.
    Ip(SocketAddr),
}

impl ListenAddress {
    pub fn sockets(self) -> Vec<SocketAddr> {
        match self {
            Self::Localhost(port) => {
                vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
            }
            Self::Ip(address) => vec![address],
        }
    }

    /// 0.0.0.0 and `[::]`, where no client can connect to.
    pub fn is_unspecified(self) -> bool {
        matches!(self, Self::Ip(address) if address.ip().is_unspecified())
    }

    pub fn with_port(self, port: u16) -> Self {
        match self {
            Self::Localhost(_) => Self::Localhost(port),
            Self::Ip(address) => Self::Ip((address.ip(), port).into()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost(port) => write!(f, "{LOCALHOST}:{port}"),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let localhost = text
            .rsplit_once(':')
            .filter(|(host, _)| host.eq_ignore_ascii_case(LOCALHOST))
            .and_then(|(_, port)| port.parse().ok());
        match localhost {
            Some(port) => Ok(Self::Localhost(port)),
            None => text
                .parse()
                .map(Self::Ip)
                .map_err(|_| format!("\"{text}\" is not IP:PORT or localhost:PORT, such as 127.0.0.1:9092")),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Host and port of a `HOST:PORT` that clients are told; an address of IPv6 stands in brackets there.
pub fn advertised(text: &str) -> Result<(&str, u16), String> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let host_port = parts.map(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        (bare.unwrap_or(host), port)
    });
    match host_port {
        Some((host, port)) if port != 0 && is_host(host) => {
            match host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
                true => Err(format!("\"{text}\" is an address that no client can connect to")),
                false => Ok((host, port)),
            }
        }
        _ => Err(format!("\"{text}\" is not HOST:PORT, such as broker.example.com:9092")),
    }
}

/// The letters of names, and of addresses with their zones.
fn is_host(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
    HOST.contains(&text.len()) && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_a_host_that_can_be_asked_and_a_port() {
        for (text, expected) in [
            ("broker.example.com:9092", Some(("broker.example.com", 9092))),
            ("localhost:1", Some(("localhost", 1))),
            ("[fe80::1%eth0]:9092", Some(("fe80::1%eth0", 9092))),
            ("broker.example.com", None),
            ("broker:99999", None),
            ("broker:", None),
            (":9092", None),
            ("[]:9092", None),
            ("broker:0", None),
            ("PLAINTEXT://broker:9092", None),
            ("bro ker:9092", None),
            ("0.0.0.0:9092", None),
            ("[::]:9092", None),
            ("", None),
        ] {
            assert_eq!(advertised(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn localhost_is_both_families_and_an_address_is_itself() {
        for (text, sockets) in [
            ("localhost:9092", &["127.0.0.1:9092", "[::1]:9092"][..]),
            ("LOCALHOST:1", &["127.0.0.1:1", "[::1]:1"]),
            ("127.0.0.1:9092", &["127.0.0.1:9092"]),
            ("[::1]:9092", &["[::1]:9092"]),
            ("0.0.0.0:9092", &["0.0.0.0:9092"]),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            let listened: Vec<String> = address.sockets().iter().map(SocketAddr::to_string).collect();
            assert_eq!(listened, sockets, "{text}");
            assert_eq!(address.to_string(), text.to_lowercase());
        }
        for text in ["localhost", "localhost:", "localhost:99999", "host:9092", "127.0.0.1", "9092", ""] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
