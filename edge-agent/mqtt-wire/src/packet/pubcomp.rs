//! PUBCOMP: the last answer to a QoS 2 PUBLISH (section 3.7).

use super::ack::Rules;
use crate::ReasonCode;
use crate::property::{Allowed, REASON_STRING};

pub(super) const RULES: Rules = Rules {
    packet: "PUBCOMP",
    reasons: &[ReasonCode::SUCCESS, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND],
    properties: Allowed::new("PUBCOMP", &[REASON_STRING]),
};
