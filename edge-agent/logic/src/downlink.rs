//! Alerts on their way down: from the broker's topic to the device that is behind this agent.
//!
//! A message is durable together with the offset after it, and handed on only then; it is handed
//! again after a restart until the session says it was delivered, and dropped when it has expired:
//! "take a break" is no use to a driver who has parked.
//!
//! Time here is the wall clock, milliseconds since the epoch, because that is what records carry.

mod message;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_wire::record_batch::{Record, batches, decode_records};
use serde::Deserialize;
use uplink_wire::Subscribe;

use self::{message::Message, seen::SeenAlerts};
use crate::{outbox::Change, routes::Device};

/// The kind of the facts that keep who is behind this agent.
const DEVICE_FACT: &str = "device";

/// The kind of the fact that keeps which cluster the offsets are of.
const CLUSTER_FACT: &str = "cluster";

/// A gateway serves some hundred devices; who invents more is kept out.
const MAX_DEVICES: usize = 65_536;

/// Names that come from outside and are kept: a vehicle, its topic, an alert's id.
const MAX_NAME_BYTES: usize = 1024;

/// Of a `Deliver`, decompressed.
const MAX_DECOMPRESSED_BYTES: usize = 8 << 20;

/// Messages that wait for their devices; beyond it the one that expires first makes room.
const MAX_PENDING: usize = 10_000;

/// An offset that passed no message of ours is kept at the latest after this long: reading some
/// records of others again after a restart costs less than a commit for each.
const OFFSET_LINGER_MS: i64 = 60_000;

#[derive(Debug, Clone)]
pub struct DownlinkConfig {
    /// How long after its record's timestamp an alert is worth hearing.
    pub ttl_ms: i64,
}

impl Default for DownlinkConfig {
    fn default() -> Self {
        DownlinkConfig { ttl_ms: 600_000 }
    }
}

/// What the store kept.
#[derive(Debug, Default)]
pub struct StoredDownlink {
    pub pending: Vec<(u64, Bytes)>,
    /// (topic, partition, next offset)
    pub offsets: Vec<(String, i32, i64)>,
    /// (kind, key, value); those of others are ignored.
    pub facts: Vec<(String, String, Bytes)>,
}

/// Never used again: its upper half is the agent's boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryId(pub u64);

/// One of the downlink's writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteId(pub u64);

#[derive(Debug)]
pub enum Input {
    /// From the uplink.
    Deliver { topic: String, partition: i32, next_offset: i64, batches: Bytes },
    /// The outbox has it on disk.
    Durable { write: WriteId },
    /// The device has acknowledged it.
    Delivered { delivery: DeliveryId },
    /// Nobody listens on its topic just now, or whoever does is busy.
    NotWanted { delivery: DeliveryId },
    /// It will never be delivered: refused, or larger than the device takes.
    Undeliverable { delivery: DeliveryId },
    /// A device has subscribed or has room again: offer what was not wanted.
    Wanted,
    /// The deadline has come.
    Tick,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// For the outbox: a write without events.
    Write { write: WriteId, changes: Vec<Change> },
    /// For the sessions: publish at QoS 1, answer `Delivered`, `NotWanted` or
    /// `Undeliverable`.
    Publish { delivery: DeliveryId, mqtt_topic: String, payload: Bytes, expires_ms: i64 },
    /// For the sessions: it has expired, do not send it any more.
    Withdraw { delivery: DeliveryId },
}

/// What became of the records that came down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub taken: u64,
    pub delivered: u64,
    pub undeliverable: u64,
    pub expired: u64,
    pub duplicate: u64,
    /// For a vehicle that is behind another agent, or behind none.
    pub elsewhere: u64,
    pub malformed: u64,
    /// The oldest of too many.
    pub displaced: u64,
}

#[derive(Debug)]
pub struct Downlink {
    config: DownlinkConfig,
    boot: u64,
    /// The cluster that the offsets are of; none before the first welcome.
    cluster_id: Option<String>,
    offsets: BTreeMap<(String, i32), i64>,
    /// Offsets that are not on disk yet, and when they should be.
    dirty: BTreeMap<(String, i32), i64>,
    dirty_until_ms: Option<i64>,
    devices: BTreeMap<String, String>,
    seen: SeenAlerts,
    pending: BTreeMap<DeliveryId, Pending>,
    saving: BTreeMap<WriteId, Vec<DeliveryId>>,
    next_delivery: u32,
    next_write: u64,
    counts: Counts,
}

#[derive(Debug)]
struct Pending {
    message: Message,
    /// With the sessions.
    handed: bool,
    durable: bool,
}

/// What the agent must know of an alert; the rest is the driver's.
#[derive(Deserialize)]
struct AlertHead {
    alert_id: String,
    vehicle_id: Option<String>,
    subject_id: Option<String>,
}

impl Downlink {
    pub fn new(config: DownlinkConfig, boot: u64, stored: StoredDownlink) -> Self {
        let (mut devices, mut seen) = (BTreeMap::new(), SeenAlerts::default());
        let mut cluster_id = None;
        for (kind, key, value) in &stored.facts {
            match kind.as_str() {
                DEVICE_FACT => {
                    devices.insert(key.clone(), String::from_utf8_lossy(value).into_owned());
                }
                seen::FACT => seen.restore(key, value),
                CLUSTER_FACT => cluster_id = Some(String::from_utf8_lossy(value).into_owned()),
                _ => {}
            }
        }
        let pending = stored.pending.into_iter().filter_map(|(id, bytes)| {
            let message = Message::decode(bytes)?;
            Some((DeliveryId(id), Pending { message, handed: false, durable: true }))
        });
        Downlink {
            config,
            boot,
            cluster_id,
            offsets: stored.offsets.into_iter().map(|(topic, part, next)| ((topic, part), next)).collect(),
            dirty: BTreeMap::new(),
            dirty_until_ms: None,
            devices,
            seen,
            pending: pending.collect(),
            saving: BTreeMap::new(),
            next_delivery: 0,
            next_write: 0,
            counts: Counts::default(),
        }
    }

    /// Hands on what waited when the agent stopped; said once, when the sessions are there.
    pub fn start(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        self.expire(now_ms, actions);
        self.hand_on(|_| true, actions);
    }

    /// The frame for a topic's stream.
    pub fn subscribe(&self, topic: &str) -> Subscribe {
        let offsets = self.offsets.iter().filter(|((name, _), _)| name == topic);
        let from = offsets.map(|((_, partition), next)| (*partition, *next)).collect();
        Subscribe { topic: topic.to_owned(), from }
    }

    /// Called with every welcome, before [`Downlink::subscribe`]. Offsets of another cluster mean nothing in
    /// this one: its topics are read from their start, and what was seen is known by its alert id. To be kept.
    pub fn of_cluster(&mut self, cluster_id: &str) -> Vec<Change> {
        if self.cluster_id.as_deref() == Some(cluster_id) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        if self.cluster_id.is_some() {
            for ((topic, partition), next) in &mut self.offsets {
                *next = 0;
                changes.push(Change::PutOffset {
                    topic: topic.clone(),
                    partition: *partition,
                    next_offset: 0,
                });
            }
            self.dirty.clear();
        }
        self.cluster_id = Some(cluster_id.to_owned());
        let value = Bytes::copy_from_slice(cluster_id.as_bytes());
        changes.push(Change::PutFact { kind: CLUSTER_FACT, key: String::new(), value });
        changes
    }

    /// A device was heard. The change is said once: it must be durable before what the device said is
    /// acknowledged, and whether or not that is taken.
    pub fn heard(&mut self, device: &Device) -> Option<Change> {
        let known = self.devices.get(&device.vehicle_id);
        if device.vehicle_id.len().max(device.mqtt_topic.len()) > MAX_NAME_BYTES {
            return None;
        }
        if known == Some(&device.mqtt_topic) || (known.is_none() && self.devices.len() >= MAX_DEVICES) {
            return None;
        }
        self.devices.insert(device.vehicle_id.clone(), device.mqtt_topic.clone());
        let value = Bytes::copy_from_slice(device.mqtt_topic.as_bytes());
        Some(Change::PutFact { kind: DEVICE_FACT, key: device.vehicle_id.clone(), value })
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// When `Tick` should be said, by the wall clock.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.pending.values().map(|pending| pending.message.expires_ms).chain(self.dirty_until_ms).min()
    }

    pub fn handle(&mut self, input: Input, now_ms: i64, actions: &mut Vec<Action>) {
        match input {
            Input::Deliver { topic, partition, next_offset, batches } => {
                self.deliver(topic, partition, next_offset, &batches, now_ms, actions);
            }
            Input::Durable { write } => {
                let durable = self.saving.remove(&write).unwrap_or_default();
                for delivery in &durable {
                    if let Some(pending) = self.pending.get_mut(delivery) {
                        pending.durable = true;
                    }
                }
                self.hand_on(|delivery| durable.contains(&delivery), actions);
            }
            Input::Delivered { delivery } => {
                self.counts.delivered += u64::from(self.pending.contains_key(&delivery));
                self.forget(delivery, actions);
            }
            Input::Undeliverable { delivery } => {
                self.counts.undeliverable += u64::from(self.pending.contains_key(&delivery));
                self.forget(delivery, actions);
            }
            Input::NotWanted { delivery } => {
                if let Some(pending) = self.pending.get_mut(&delivery) {
                    pending.handed = false;
                }
            }
            Input::Wanted => self.hand_on(|_| true, actions),
            Input::Tick => {
                self.expire(now_ms, actions);
                if self.dirty_until_ms.is_some_and(|until| until <= now_ms) {
                    self.write(Vec::new(), Vec::new(), actions);
                }
            }
        }
    }

    fn deliver(
        &mut self,
        topic: String,
        partition: i32,
        next_offset: i64,
        bytes: &Bytes,
        now_ms: i64,
        actions: &mut Vec<Action>,
    ) {
        let place = (topic, partition);
        // What comes again after a reconnect lies before the place that was reached.
        let from = self.offsets.get(&place).copied().unwrap_or(0);
        let (mut changes, mut deliveries) = (Vec::new(), Vec::new());
        for batch in batches(bytes) {
            let Ok((header, range)) = batch else {
                self.counts.malformed += 1;
                break;
            };
            if header.is_control() {
                continue;
            }
            match decode_records(bytes.slice(range), MAX_DECOMPRESSED_BYTES) {
                Err(_) => self.counts.malformed += 1,
                Ok(records) => {
                    for record in records.into_iter().filter(|record| record.offset >= from) {
                        deliveries.extend(self.record(&record, now_ms, &mut changes));
                    }
                }
            }
        }
        let next = next_offset.max(from);
        self.offsets.insert(place.clone(), next);
        self.dirty.insert(place, next);
        if changes.is_empty() {
            self.dirty_until_ms.get_or_insert(now_ms.saturating_add(OFFSET_LINGER_MS));
        } else {
            self.write(changes, deliveries, actions);
        }
        self.displace(actions);
    }

    fn record(&mut self, record: &Record, now_ms: i64, changes: &mut Vec<Change>) -> Option<DeliveryId> {
        // No value is a tombstone: the topic may be compacted.
        let value = record.value.as_ref()?;
        let head = serde_json::from_slice::<AlertHead>(value).ok();
        let Some(head) = head.filter(|head| head.alert_id.len() <= MAX_NAME_BYTES) else {
            self.counts.malformed += 1;
            return None;
        };
        let vehicle = head.vehicle_id.or(head.subject_id).unwrap_or_default();
        let Some(mqtt_topic) = self.devices.get(&vehicle).cloned() else {
            self.counts.elsewhere += 1;
            return None;
        };
        let expires_ms = record.timestamp.saturating_add(self.config.ttl_ms);
        if expires_ms <= now_ms {
            self.counts.expired += 1;
            return None;
        }
        if !self.seen.take(&head.alert_id, changes) {
            self.counts.duplicate += 1;
            return None;
        }
        self.counts.taken += 1;
        let delivery = DeliveryId((self.boot << 32) | u64::from(self.next_delivery));
        self.next_delivery = self.next_delivery.wrapping_add(1);
        // Copied: a slice would keep the whole delivery alive for as long as the message waits.
        let payload = Bytes::copy_from_slice(value);
        let message = Message { expires_ms, mqtt_topic, payload };
        changes.push(Change::PutDownlink { delivery: delivery.0, message: message.encode() });
        self.pending.insert(delivery, Pending { message, handed: false, durable: false });
        Some(delivery)
    }

    /// Every write takes along the offsets that wait for one.
    fn write(&mut self, mut changes: Vec<Change>, deliveries: Vec<DeliveryId>, actions: &mut Vec<Action>) {
        self.dirty_until_ms = None;
        for ((topic, partition), next_offset) in std::mem::take(&mut self.dirty) {
            changes.push(Change::PutOffset { topic, partition, next_offset });
        }
        let write = WriteId(self.next_write);
        self.next_write += 1;
        self.saving.insert(write, deliveries);
        actions.push(Action::Write { write, changes });
    }

    fn hand_on(&mut self, wanted: impl Fn(DeliveryId) -> bool, actions: &mut Vec<Action>) {
        for (delivery, pending) in &mut self.pending {
            if pending.durable && !pending.handed && wanted(*delivery) {
                pending.handed = true;
                let Message { expires_ms, mqtt_topic, payload } = pending.message.clone();
                actions.push(Action::Publish { delivery: *delivery, mqtt_topic, payload, expires_ms });
            }
        }
    }

    fn forget(&mut self, delivery: DeliveryId, actions: &mut Vec<Action>) {
        if self.pending.remove(&delivery).is_some() {
            self.write(vec![Change::DeleteDownlink { delivery: delivery.0 }], Vec::new(), actions);
        }
    }

    fn expire(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        let expired = |pending: &Pending| pending.message.expires_ms <= now_ms;
        let gone: Vec<DeliveryId> =
            self.pending.iter().filter(|(_, pending)| expired(pending)).map(|(id, _)| *id).collect();
        self.counts.expired += gone.len() as u64;
        self.drop_all(gone, actions);
    }

    fn displace(&mut self, actions: &mut Vec<Action>) {
        let excess = self.pending.len().saturating_sub(MAX_PENDING);
        if excess == 0 {
            return;
        }
        let mut oldest: Vec<(i64, DeliveryId)> =
            self.pending.iter().map(|(id, pending)| (pending.message.expires_ms, *id)).collect();
        oldest.sort_unstable();
        self.counts.displaced += excess as u64;
        self.drop_all(oldest.into_iter().take(excess).map(|(_, id)| id).collect(), actions);
    }

    fn drop_all(&mut self, gone: Vec<DeliveryId>, actions: &mut Vec<Action>) {
        if gone.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        for delivery in gone {
            if self.pending.remove(&delivery).is_some_and(|pending| pending.handed) {
                actions.push(Action::Withdraw { delivery });
            }
            changes.push(Change::DeleteDownlink { delivery: delivery.0 });
        }
        self.write(changes, Vec::new(), actions);
    }
}
