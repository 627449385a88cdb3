//! PINGREQ: the client is there. No body; a byte in it is left over and therefore refused.

use crate::Packet;

pub(super) fn decode() -> Packet {
    Packet::Pingreq
}
