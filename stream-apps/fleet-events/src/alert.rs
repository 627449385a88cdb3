//! An alert about a driver's hours, the value of `driver_alerts`.
//!
//! An alert is told apart by its id alone, and the last record with an id counts: a record that
//! comes again with another `ts` corrects the first, and a `retracted` record takes back the alert
//! that it names in `supersedes`, until that alert is sent again.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::vehicle::{DriverId, VehicleId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertType {
    PreAlert,
    LimitReached,
    Violation,
    Cleared,
    Retracted,
}

impl AlertType {
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertType::PreAlert => "pre_alert",
            AlertType::LimitReached => "limit_reached",
            AlertType::Violation => "violation",
            AlertType::Cleared => "cleared",
            AlertType::Retracted => "retracted",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    Driver,
    Vehicle,
    Person,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    DeviceState,
    GpsInferred,
}

/// `subject|ruleset|limit|type|lead_s|period_start`, a pure function of what the alert is about:
/// a replay gives the same id, and readers drop the duplicate. `-` stands for no lead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(String);

impl AlertId {
    pub fn new(
        subject: &str,
        ruleset: &str,
        limit: &str,
        kind: AlertType,
        lead_s: Option<u32>,
        period_start: Timestamp,
    ) -> AlertId {
        let lead = lead_s.map_or("-".to_owned(), |lead_s| lead_s.to_string());
        AlertId(format!("{subject}|{ruleset}|{limit}|{}|{lead}|{period_start}", kind.as_str()))
    }

    /// The id of the record that takes this alert back: the type reads `retracted:` and what it was,
    /// so that each alert of a period has a retraction of its own.
    pub fn retraction(&self) -> AlertId {
        let mut parts: Vec<&str> = self.0.split('|').collect();
        let kind = format!("{}:{}", AlertType::Retracted.as_str(), parts.get(3).copied().unwrap_or_default());
        if let Some(part) = parts.get_mut(3) {
            *part = &kind;
        }
        AlertId(parts.join("|"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverAlert {
    pub v: u8,
    pub alert_id: AlertId,
    /// Event time: the instant the threshold was crossed, not that of the next fix.
    pub ts: Timestamp,
    pub detected_at: Timestamp,
    /// `detected_at` after `ts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_s: Option<f64>,
    pub subject_id: DriverId,
    pub subject_kind: SubjectKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_id: Option<VehicleId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_id: Option<DriverId>,
    pub ruleset: String,
    pub limit: String,
    #[serde(rename = "type")]
    pub kind: AlertType,
    pub severity: Severity,
    /// How long before the limit a pre-alert stands.
    #[serde(default)]
    pub lead_s: Option<u32>,
    /// Driving counted at `ts`.
    pub accumulated_s: u32,
    pub limit_s: u32,
    /// Below 0 once the limit is passed.
    pub remaining_s: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_break_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_part_taken: Option<bool>,
    pub period_start: Timestamp,
    /// Where the vehicle was at `ts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_reference: Option<String>,
    #[serde(default)]
    pub supersedes: Option<AlertId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
}

impl DriverAlert {
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an alert has only string keys and no failing field")
    }

    /// Reads what `to_json` wrote. Unknown fields are ignored.
    pub fn parse(payload: &[u8]) -> Result<DriverAlert, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn reads_back_under_the_names_of_the_schema() {
        let example = json!({"v": 1,
            "alert_id": "drv-7|eu561|continuous_driving|pre_alert|900|2026-03-02T06:00:00Z",
            "ts": "2026-03-02T10:15:00Z", "detected_at": "2026-03-02T10:15:01.300Z", "late_s": 1.3,
            "subject_id": "drv-7", "subject_kind": "driver", "vehicle_id": "truck-042", "driver_id": "drv-7",
            "ruleset": "eu561", "limit": "continuous_driving", "type": "pre_alert", "severity": "warning",
            "lead_s": 900, "accumulated_s": 15300, "limit_s": 16200, "remaining_s": 900,
            "required_break_s": 2700, "first_part_taken": false, "period_start": "2026-03-02T06:00:00Z",
            "lat": 50.31, "lon": 8.69, "message": "Please take a break.",
            "rule_reference": "Reg. (EC) 561/2006 Art. 7", "supersedes": null, "confidence": "gps_inferred"});
        let alert = DriverAlert::parse(&serde_json::to_vec(&example).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&alert.to_json()).unwrap(), example);
        assert_eq!(
            alert.alert_id,
            AlertId::new("drv-7", "eu561", "continuous_driving", alert.kind, Some(900), alert.period_start)
        );
    }

    #[test]
    fn each_alert_of_a_period_has_its_own_retraction() {
        let start = Timestamp::from_ms(0);
        let id = |kind, lead_s| AlertId::new("d", "eu561", "continuous_driving", kind, lead_s, start);
        assert_eq!(
            id(AlertType::Violation, None).retraction().as_str(),
            "d|eu561|continuous_driving|retracted:violation|-|1970-01-01T00:00:00Z"
        );
        assert_ne!(
            id(AlertType::PreAlert, Some(900)).retraction(),
            id(AlertType::PreAlert, Some(1800)).retraction()
        );
    }
}
