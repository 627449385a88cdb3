//! What an alert says to people. Every number in the text is in a field as well.

use fleet_events::{AlertType, Severity};

use crate::driver_break::{BreakRules, Crossing, LIMIT_MS};

/// Information half an hour before, a warning when a break must be near, critical when the law is broken.
pub fn severity(crossing: &Crossing) -> Severity {
    match crossing.kind {
        AlertType::PreAlert if crossing.lead_s.is_some_and(|lead_s| lead_s > 900) => Severity::Info,
        AlertType::PreAlert | AlertType::LimitReached => Severity::Warning,
        AlertType::Violation => Severity::Critical,
        AlertType::Cleared | AlertType::Retracted => Severity::Info,
    }
}

pub fn message(crossing: &Crossing, rules: &BreakRules) -> String {
    let break_min = minutes(crossing.required_break_ms(rules));
    let limit_min = minutes(LIMIT_MS);
    let limit = format!("{}:{:02}", limit_min / 60, limit_min % 60);
    match crossing.kind {
        AlertType::PreAlert => format!(
            "Please take a break: {} minutes of driving time left. Next break: {break_min} minutes.",
            minutes(LIMIT_MS - crossing.accumulated_ms)
        ),
        AlertType::LimitReached => {
            format!("Driving time is used up: {limit} hours. Take a break of {break_min} minutes.")
        }
        AlertType::Violation => {
            format!("Driving beyond {limit} hours without a break. Stop for {break_min} minutes.")
        }
        AlertType::Cleared | AlertType::Retracted => {
            "Taken back: positions that arrived later show that this alert was wrong.".to_owned()
        }
    }
}

/// Rounded up: a break of 44 minutes and a second is not one of 44.
fn minutes(ms: i64) -> i64 {
    (ms + 59_999).div_euclid(60_000)
}
