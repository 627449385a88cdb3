//! A stream app as the broker sees it: it appends an alert, and again until it is told that the alert is
//! stored. So the log may hold an alert twice, and its driver must hear it once.

use bytes::Bytes;
use kafka_wire::record_batch::{Compression, Producer, RecordsEncoder, assemble};

use crate::{broker::Broker, observation::Observation, scene::Scene, world};

#[derive(Debug)]
pub enum Event {
    /// Has an alert for somebody, and will again.
    Alerts,
    /// Not told that this alert is stored: appends it.
    Appends { alert: usize },
    /// The broker's answer.
    Answered { alert: usize, stored: bool },
}

#[derive(Debug)]
struct Alert {
    id: String,
    vehicle: String,
    device: Option<usize>,
    raised_ms: i64,
    stored: bool,
}

#[derive(Debug, Default)]
pub struct App {
    alerts: Vec<Alert>,
    stopped: bool,
}

impl App {
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// All it said is in the log.
    pub fn is_done(&self) -> bool {
        self.alerts.iter().all(|alert| alert.stored)
    }

    pub fn handle(&mut self, event: Event, scene: &mut Scene, broker: &mut Broker) {
        match event {
            Event::Alerts => {
                if self.stopped {
                    return;
                }
                let wait = scene.chance.ms(1, scene.plan.alert_every.as_millis() as u64 * 2);
                scene.after(wait, Event::Alerts);
                self.alert(scene);
            }
            Event::Appends { alert } => {
                let Some(known) = self.alerts.get(alert).filter(|known| !known.stored) else { return };
                if broker.append_alert(alert, &batch(known), scene).is_err() {
                    again(alert, scene);
                }
            }
            Event::Answered { alert, stored: false } => again(alert, scene),
            Event::Answered { alert, stored: true } => {
                let Some(known) = self.alerts.get_mut(alert) else { return };
                known.stored = true;
                let expires_ms = known.raised_ms + scene.plan.alert_ttl.as_millis() as i64;
                let (alert, device) = (known.id.clone(), known.device);
                scene.observe(Observation::AlertAppended { alert, device, expires_ms });
            }
        }
    }

    /// For one of our devices that was heard, or for a vehicle of another agent.
    fn alert(&mut self, scene: &mut Scene) {
        let stranger = scene.chance.one_in(4);
        let heard = scene.invariants.heard_devices();
        let device = if stranger || heard.is_empty() { None } else { Some(*scene.chance.pick(&heard)) };
        let vehicle = device.map_or("stranger".to_owned(), |device| format!("truck-{device}"));
        let id = format!("alert-{}", self.alerts.len());
        let alert = self.alerts.len();
        self.alerts.push(Alert { id, vehicle, device, raised_ms: scene.wall_ms(), stored: false });
        scene.after(std::time::Duration::ZERO, Event::Appends { alert });
    }
}

fn again(alert: usize, scene: &mut Scene) {
    let wait = scene.chance.ms(500, 5000);
    scene.after(wait, Event::Appends { alert });
}

fn batch(alert: &Alert) -> Bytes {
    let Alert { id, vehicle, raised_ms, .. } = alert;
    let value = format!(r#"{{"alert_id":"{id}","vehicle_id":"{vehicle}"}}"#);
    let mut records = RecordsEncoder::new();
    records.push(*raised_ms, Some(vehicle.as_bytes()), Some(value.as_bytes()), &[]);
    let records = records.finish(Compression::None).expect("one record is a batch");
    assemble(&records, Producer::NONE).freeze()
}

pub fn alert_id_of(payload: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(payload).ok()?;
    Some(value.get("alert_id")?.as_str()?.to_owned())
}

impl From<Event> for world::Event {
    fn from(event: Event) -> Self {
        world::Event::App(event)
    }
}
