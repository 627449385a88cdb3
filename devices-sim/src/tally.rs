//! The numbers of a run, made of what the devices report, and the line that shows them.

use anyhow::Context;
use fleet_events::{Timestamp, VehicleId};
use serde::Serialize;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    alerts::{Alert, Heard},
    ledger::Ledger,
    mqtt::Report,
    pace::Progress,
};

pub struct Tally {
    devices: usize,
    broker: String,
    ledger: Option<Ledger>,
    heard: Heard,
    published: u64,
    acknowledged: u64,
    connected: usize,
    pub ever_connected: bool,
    /// One sentence for one outage, not one for each device and try.
    outage_told: bool,
}

/// A line of `--status-json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Fixes that went out, each counted once.
    pub published: u64,
    /// Fixes whose PUBACK came.
    pub acknowledged: u64,
    /// Fixes that went out and that no PUBACK came for.
    pub unacknowledged: u64,
    /// Fixes given to a device that could not publish them yet.
    pub waiting: u64,
    /// Alerts, each id once.
    pub alerts_heard: usize,
    /// Wall-clock seconds that the simulation is late, because the broker is slow or away.
    pub behind_s: f64,
    pub event_time: Option<Timestamp>,
    pub connected: usize,
    pub devices: usize,
    /// All is published and acknowledged; alerts may still come.
    pub drained: bool,
    pub done: bool,
}

impl Tally {
    pub fn new(devices: usize, broker: String, ledger: Option<Ledger>) -> Self {
        Self {
            devices,
            broker,
            ledger,
            heard: Heard::default(),
            published: 0,
            acknowledged: 0,
            connected: 0,
            ever_connected: false,
            outage_told: false,
        }
    }

    /// Counts a report; answers with an alert that no cab had heard, and the cab.
    pub fn note(&mut self, report: Report) -> anyhow::Result<Option<(VehicleId, Alert)>> {
        match report {
            Report::Connected => self.connected(),
            Report::Lost { reason } => {
                self.connected = self.connected.saturating_sub(1);
                self.tell_outage(&reason);
            }
            Report::Unreachable { reason } => self.tell_outage(&reason),
            Report::Deaf { vehicle_id } => warn!(%vehicle_id, "the broker refuses the cab its alerts"),
            Report::Published => self.published += 1,
            Report::Acknowledged { fleet, fix } => {
                self.acknowledged += 1;
                if let Some(ledger) = &mut self.ledger {
                    ledger.acknowledged(&fleet, &fix)?;
                }
            }
            Report::Alert { vehicle_id, payload } => {
                return Ok(self.heard.hear(&payload).map(|alert| (vehicle_id, alert)));
            }
        }
        Ok(None)
    }

    fn connected(&mut self) {
        self.connected += 1;
        if self.connected == self.devices {
            info!(devices = self.devices, broker = self.broker, "all devices are connected");
            self.outage_told = false;
        }
        self.ever_connected = true;
    }

    fn tell_outage(&mut self, reason: &str) {
        if std::mem::replace(&mut self.outage_told, true) {
            return;
        }
        let broker = &self.broker;
        if self.ever_connected {
            warn!("lost the MQTT broker at {broker} ({reason}); devices keep trying");
        } else {
            warn!("no MQTT broker answers at {broker} ({reason}); devices keep trying");
        }
    }

    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.ledger.as_mut().map_or(Ok(()), Ledger::flush)
    }

    /// Every fix that was handed out is acknowledged.
    pub fn complete(&self, progress: Progress) -> bool {
        self.acknowledged == progress.handed
    }

    pub fn status(&self, progress: Progress, drained: bool, done: bool) -> Status {
        let behind_s = progress.behind(Instant::now()).as_secs_f64();
        Status {
            published: self.published,
            acknowledged: self.acknowledged,
            unacknowledged: self.published.saturating_sub(self.acknowledged),
            waiting: progress.handed.saturating_sub(self.published),
            alerts_heard: self.heard.count(),
            behind_s: (behind_s * 1_000.0).round() / 1_000.0,
            event_time: progress.event_time,
            connected: self.connected,
            devices: self.devices,
            drained,
            done,
        }
    }

    /// Deliveries on an alert topic that no driver can read.
    pub fn unreadable_alerts(&self) -> u64 {
        self.heard.unreadable
    }
}

impl Status {
    pub fn json(&self) -> anyhow::Result<String> {
        serde_json::to_string(self).context("a status is plain JSON")
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let time = self.event_time.map_or("-".to_owned(), |time| time.to_string());
        write!(
            f,
            "published {}, acknowledged {}, unacknowledged {}, waiting {}, alerts heard {}, event time {time}, behind {:.1} s, \
             connected {} of {}",
            self.published,
            self.acknowledged,
            self.unacknowledged,
            self.waiting,
            self.alerts_heard,
            self.behind_s,
            self.connected,
            self.devices
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use fleet_events::GpsFix;

    #[test]
    fn what_is_handed_out_is_waiting_then_unacknowledged_then_acknowledged() {
        let mut tally = Tally::new(1, "here:1".to_owned(), None);
        let vehicle_id = VehicleId::new("truck-001").unwrap();
        let fix = || Box::new(GpsFix::new(vehicle_id.clone(), Timestamp::from_ms(0), 1.0, 2.0));
        let progress = Progress { handed: 3, ..Progress::default() };
        let alert = || Report::Alert {
            vehicle_id: vehicle_id.clone(),
            payload: Bytes::from_static(br#"{"alert_id":"a"}"#),
        };
        let reports = [
            Report::Connected,
            Report::Published,
            Report::Published,
            alert(),
            alert(),
            Report::Acknowledged { fleet: vehicle_id.clone(), fix: fix() },
        ];
        let alerts: Vec<_> = reports.into_iter().filter_map(|report| tally.note(report).unwrap()).collect();
        assert_eq!(alerts.len(), 1);
        let status = tally.status(progress, false, false);
        assert_eq!((status.published, status.acknowledged), (2, 1));
        assert_eq!((status.unacknowledged, status.waiting), (1, 1));
        assert_eq!((status.alerts_heard, status.connected, status.devices), (1, 1, 1));
        assert!(!tally.complete(progress));
        let json: serde_json::Value = serde_json::from_str(&status.json().unwrap()).unwrap();
        assert_eq!((&json["event_time"], &json["done"]), (&serde_json::Value::Null, &false.into()));
    }
}
