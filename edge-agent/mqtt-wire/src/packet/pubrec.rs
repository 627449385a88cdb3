//! PUBREC: the first answer to a QoS 2 PUBLISH (section 3.5).

use super::ack::Rules;
use crate::ReasonCode;
use crate::property::{Allowed, REASON_STRING};

pub(super) const RULES: Rules = Rules {
    packet: "PUBREC",
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
    properties: Allowed::new("PUBREC", &[REASON_STRING]),
};
