//! PINGRESP: so is the server. No body.

use crate::Packet;

pub(super) fn decode() -> Packet {
    Packet::Pingresp
}
