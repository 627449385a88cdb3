//! P6: the alert reaches the driver: durable, once, not when it has expired.
//!
//! *Durable*: an alert that was appended, and that had not expired in the end, was received by its device.
//! *Once*: after a device's PUBACK has reached the agent the alert is not handed to a device again; not in
//! this life of the agent, and not in a later one if a commit began after the PUBACK and reached the disk.
//! (A PUBACK lost on the wire or in a crash cannot forbid a second delivery: QoS 1 is all that a device
//! offers.) *Not when it has expired*: nothing is handed after its time.

use std::collections::{BTreeMap, BTreeSet};

use super::Invariant;
use crate::observation::Observation;

/// How safe it is that the agent will remember a PUBACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    InMemory,
    BeingCommitted,
    OnDisk,
}

#[derive(Default)]
pub struct AlertsReachTheDriver {
    /// Of our devices: whose, and when it expires.
    appended: BTreeMap<String, (usize, i64)>,
    handed: BTreeMap<(u64, u16), String>,
    heard: BTreeMap<String, Heard>,
    received: BTreeSet<(usize, String)>,
    looked_ms: i64,
}

impl AlertsReachTheDriver {
    pub fn received(&self) -> usize {
        self.received.len()
    }
}

impl Invariant for AlertsReachTheDriver {
    fn name(&self) -> &'static str {
        "alerts_reach_the_driver"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        match seen {
            Observation::AlertAppended { alert, device: Some(device), expires_ms } => {
                self.appended.insert(alert.clone(), (*device, *expires_ms));
            }
            Observation::AlertHanded { conn, packet_id, alert, now_ms } => {
                if let Some(heard) = self.heard.get(alert) {
                    return Err(format!("{alert} is handed again after its PUBACK, which was {heard:?}"));
                }
                if self.appended.get(alert).is_some_and(|(_, expires_ms)| expires_ms <= now_ms) {
                    return Err(format!("{alert} is handed although it has expired"));
                }
                self.handed.insert((*conn, *packet_id), alert.clone());
            }
            Observation::PubackHeard { conn, packet_id } => {
                if let Some(alert) = self.handed.remove(&(*conn, *packet_id)) {
                    self.heard.entry(alert).or_insert(Heard::InMemory);
                }
            }
            Observation::CommitStarted => self.promote(Heard::InMemory, Heard::BeingCommitted),
            Observation::CommitOnDisk => self.promote(Heard::BeingCommitted, Heard::OnDisk),
            Observation::AgentDied => self.heard.retain(|_, heard| *heard == Heard::OnDisk),
            Observation::OutboxHolds { now_ms, .. } => self.looked_ms = *now_ms,
            Observation::AlertReceived { device, alert } => {
                if self.appended.get(alert).is_some_and(|(of, _)| of != device) {
                    return Err(format!("{alert} reached device {device}, which it is not for"));
                }
                self.received.insert((*device, alert.clone()));
            }
            _ => {}
        }
        Ok(())
    }

    fn at_rest(&self) -> Result<(), String> {
        let lost: Vec<_> = self
            .appended
            .iter()
            .filter(|(alert, (device, _))| !self.received.contains(&(*device, (*alert).clone())))
            .filter(|(_, (_, expires_ms))| *expires_ms > self.looked_ms)
            .map(|(alert, _)| alert)
            .collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("appended and never received: {lost:?}")) }
    }
}

impl AlertsReachTheDriver {
    fn promote(&mut self, from: Heard, to: Heard) {
        for heard in self.heard.values_mut().filter(|heard| **heard == from) {
            *heard = to;
        }
    }
}
