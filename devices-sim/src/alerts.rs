//! What the cabs heard. Alerts come at least once; each id counts once.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Ids that are remembered; a run that hears more stops counting and says so.
const IDS_MAX: usize = 100_000;
const ID_BYTES_MAX: usize = 512;

#[derive(Debug, Default)]
pub struct Heard {
    ids: BTreeSet<Box<str>>,
    /// Deliveries that were no alert, or had no id that can be remembered.
    pub unreadable: u64,
}

/// The part of an alert that a driver sees; other fields are the apps' business.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Alert {
    pub alert_id: String,
    #[serde(default)]
    pub ts: String,
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub message: String,
}

impl Heard {
    /// The alert, if it was not heard before.
    pub fn hear(&mut self, payload: &[u8]) -> Option<Alert> {
        let alert = serde_json::from_slice::<Alert>(payload).ok();
        let Some(alert) = alert.filter(|alert| (1..=ID_BYTES_MAX).contains(&alert.alert_id.len())) else {
            self.unreadable += 1;
            return None;
        };
        if self.ids.contains(alert.alert_id.as_str()) {
            return None;
        }
        if self.ids.len() == IDS_MAX {
            self.unreadable += 1;
            return None;
        }
        self.ids.insert(alert.alert_id.as_str().into());
        Some(alert)
    }

    pub fn count(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_counts_once_and_rubbish_never() {
        let mut heard = Heard::default();
        let alert =
            br#"{"alert_id":"a","type":"violation","message":"stop","ts":"2026-03-02T10:30:00Z","lat":1}"#;
        assert_eq!(heard.hear(alert).map(|alert| alert.kind), Some("violation".to_owned()));
        assert_eq!(heard.hear(alert), None);
        let long = format!(r#"{{"alert_id":"{}"}}"#, "x".repeat(ID_BYTES_MAX + 1));
        for bad in [&b""[..], b"\xff", b"{}", br#"{"alert_id":""}"#, br#"{"alert_id":7}"#, long.as_bytes()] {
            assert_eq!(heard.hear(bad), None);
        }
        assert_eq!((heard.count(), heard.unreadable), (1, 6));
    }
}
