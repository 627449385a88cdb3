//! Reason codes, the vocabulary of version 5. Older versions know a few under other numbers; the
//! packets translate, so that a session speaks one language.

use std::fmt;

/// One byte that says how it went: below 0x80 well, from 0x80 on badly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

macro_rules! reason_codes {
    ($($code:literal $name:ident $text:literal,)*) => {
        impl ReasonCode {
            $(pub const $name: Self = Self($code);)*

            /// The specification's name. Codes that share a number share the most common name.
            pub fn text(self) -> &'static str {
                match self.0 {
                    $($code => $text,)*
                    _ => "unknown reason",
                }
            }
        }
    };
}

reason_codes! {
    0x00 SUCCESS "success",
    0x01 GRANTED_QOS_1 "granted QoS 1",
    0x02 GRANTED_QOS_2 "granted QoS 2",
    0x04 DISCONNECT_WITH_WILL "disconnect with will message",
    0x10 NO_MATCHING_SUBSCRIBERS "no matching subscribers",
    0x11 NO_SUBSCRIPTION_EXISTED "no subscription existed",
    0x18 CONTINUE_AUTHENTICATION "continue authentication",
    0x19 RE_AUTHENTICATE "re-authenticate",
    0x80 UNSPECIFIED_ERROR "unspecified error",
    0x81 MALFORMED_PACKET "malformed packet",
    0x82 PROTOCOL_ERROR "protocol error",
    0x83 IMPLEMENTATION_SPECIFIC_ERROR "implementation specific error",
    0x84 UNSUPPORTED_PROTOCOL_VERSION "unsupported protocol version",
    0x85 CLIENT_IDENTIFIER_NOT_VALID "client identifier not valid",
    0x86 BAD_USER_NAME_OR_PASSWORD "bad user name or password",
    0x87 NOT_AUTHORIZED "not authorized",
    0x88 SERVER_UNAVAILABLE "server unavailable",
    0x89 SERVER_BUSY "server busy",
    0x8a BANNED "banned",
    0x8b SERVER_SHUTTING_DOWN "server shutting down",
    0x8c BAD_AUTHENTICATION_METHOD "bad authentication method",
    0x8d KEEP_ALIVE_TIMEOUT "keep alive timeout",
    0x8e SESSION_TAKEN_OVER "session taken over",
    0x8f TOPIC_FILTER_INVALID "topic filter invalid",
    0x90 TOPIC_NAME_INVALID "topic name invalid",
    0x91 PACKET_IDENTIFIER_IN_USE "packet identifier in use",
    0x92 PACKET_IDENTIFIER_NOT_FOUND "packet identifier not found",
    0x93 RECEIVE_MAXIMUM_EXCEEDED "receive maximum exceeded",
    0x94 TOPIC_ALIAS_INVALID "topic alias invalid",
    0x95 PACKET_TOO_LARGE "packet too large",
    0x96 MESSAGE_RATE_TOO_HIGH "message rate too high",
    0x97 QUOTA_EXCEEDED "quota exceeded",
    0x98 ADMINISTRATIVE_ACTION "administrative action",
    0x99 PAYLOAD_FORMAT_INVALID "payload format invalid",
    0x9a RETAIN_NOT_SUPPORTED "retain not supported",
    0x9b QOS_NOT_SUPPORTED "QoS not supported",
    0x9c USE_ANOTHER_SERVER "use another server",
    0x9d SERVER_MOVED "server moved",
    0x9e SHARED_SUBSCRIPTIONS_NOT_SUPPORTED "shared subscriptions not supported",
    0x9f CONNECTION_RATE_EXCEEDED "connection rate exceeded",
    0xa0 MAXIMUM_CONNECT_TIME "maximum connect time",
    0xa1 SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED "subscription identifiers not supported",
    0xa2 WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED "wildcard subscriptions not supported",
}

impl ReasonCode {
    pub fn is_error(self) -> bool {
        self.0 >= 0x80
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x} ({})", self.0, self.text())
    }
}

impl fmt::Debug for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReasonCode({self})")
    }
}
