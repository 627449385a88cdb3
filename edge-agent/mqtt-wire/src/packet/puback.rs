//! PUBACK: the answer to a QoS 1 PUBLISH (section 3.4).

use super::ack::Rules;
use crate::ReasonCode;
use crate::property::{Allowed, REASON_STRING};

pub(super) const RULES: Rules = Rules {
    packet: "PUBACK",
    reasons: &[
        ReasonCode::SUCCESS,
        ReasonCode::NO_MATCHING_SUBSCRIBERS,
        ReasonCode::UNSPECIFIED_ERROR,
        ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        ReasonCode::NOT_AUTHORIZED,
        ReasonCode::TOPIC_NAME_INVALID,
        ReasonCode::PACKET_IDENTIFIER_IN_USE,
        ReasonCode::QUOTA_EXCEEDED,
        ReasonCode::PAYLOAD_FORMAT_INVALID,
    ],
    properties: Allowed::new("PUBACK", &[REASON_STRING]),
};
