//! PUBREL: the sender of a QoS 2 PUBLISH forgets it (section 3.6).

use super::ack::Rules;
use crate::ReasonCode;
use crate::property::{Allowed, REASON_STRING};

pub(super) const RULES: Rules = Rules {
    packet: "PUBREL",
    reasons: &[ReasonCode::SUCCESS, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND],
    properties: Allowed::new("PUBREL", &[REASON_STRING]),
};
