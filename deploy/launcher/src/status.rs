//! The live status line: what flows, measured where it arrives.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use serde::Deserialize;

use crate::topics::{self, Ends};

/// What `devices-sim --status-json` says each second.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Devices {
    pub published: u64,
    pub acknowledged: u64,
    pub alerts_heard: u64,
    pub behind_s: f64,
    pub event_time: String,
    pub drained: bool,
    pub done: bool,
}

pub const GPS: [&str; 2] = ["trucks_gps", "fitbits_gps"];
pub const VELOCITY: [&str; 2] = ["trucks_velocity", "fitbits_velocity"];
pub const ALERTS: &str = "driver_alerts";

/// Where every topic ended when the demo began; all counts are from there on.
#[derive(Debug, Clone, Default)]
pub struct Start {
    ends: std::collections::BTreeMap<&'static str, Ends>,
}

impl Start {
    pub fn now(consumer: &BaseConsumer) -> anyhow::Result<Self> {
        let mut ends = std::collections::BTreeMap::new();
        for topic in GPS.into_iter().chain(VELOCITY).chain([ALERTS, "gps_rejected"]) {
            ends.insert(topic, topics::ends(consumer, topic)?);
        }
        Ok(Self { ends })
    }

    pub fn of(&self, topic: &str) -> Ends {
        self.ends.get(topic).cloned().unwrap_or_default()
    }

    pub fn count(&self, consumer: &BaseConsumer, topics: &[&str]) -> anyhow::Result<i64> {
        let mut sum = 0;
        for topic in topics {
            sum += topics::count(&self.of(topic), &topics::ends(consumer, topic)?);
        }
        Ok(sum)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Flow {
    pub stored: i64,
    pub velocities: i64,
    pub alerts: i64,
    /// `None` until a velocity has come.
    pub age: Option<Age>,
}

/// Age of the positions in the velocity topics when this client read them, over the last seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    pub p50_ms: u64,
    pub p99_ms: u64,
}

/// Watches the topics on a thread of its own until the flow is dropped everywhere else.
pub fn watch(bootstrap: String, start: Start) -> Arc<Mutex<Flow>> {
    let flow = Arc::new(Mutex::new(Flow::default()));
    let weak = Arc::downgrade(&flow);
    std::thread::spawn(move || {
        let Ok(counter) = topics::consumer(&bootstrap) else { return };
        let Ok(follower) = topics::consumer(&bootstrap) else { return };
        let mut ages = Ages::default();
        let mut assigned = 0;
        while let Some(flow) = weak.upgrade() {
            if let Ok(count) = follow(&follower, assigned) {
                assigned = count;
            }
            let until = std::time::Instant::now() + Duration::from_millis(900);
            while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
                if let Some(Ok(message)) = follower.poll(left) {
                    ages.add(message.payload().unwrap_or_default());
                }
            }
            let counted = (
                start.count(&counter, &GPS),
                start.count(&counter, &VELOCITY),
                start.count(&counter, &[ALERTS]),
            );
            // While the broker restarts there is nothing to count: the last figures stay.
            if let ((Ok(stored), Ok(velocities), Ok(alerts)), Ok(mut flow)) = (counted, flow.lock()) {
                *flow = Flow { stored, velocities, alerts, age: ages.percentiles() };
            }
        }
    });
    flow
}

/// Follows every partition of the velocity topics from its end, once they exist.
fn follow(consumer: &BaseConsumer, assigned: usize) -> anyhow::Result<usize> {
    let mut assignment = TopicPartitionList::new();
    for topic in VELOCITY {
        for partition in topics::ends(consumer, topic)?.keys() {
            assignment.add_partition_offset(topic, *partition, Offset::End)?;
        }
    }
    if assignment.count() != assigned {
        consumer.assign(&assignment)?;
    }
    Ok(assignment.count())
}

/// The newest few thousand ages.
#[derive(Default)]
struct Ages {
    ms: std::collections::VecDeque<u64>,
}

#[derive(Deserialize)]
struct SentAt {
    sent_at: Option<String>,
}

impl Ages {
    const WINDOW: usize = 4000;

    fn add(&mut self, payload: &[u8]) {
        let sent = serde_json::from_slice::<SentAt>(payload).ok().and_then(|velocity| velocity.sent_at);
        let Some(sent) = sent.and_then(|text| fleet_events::time::Timestamp::parse(&text).ok()) else {
            return;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
        if self.ms.len() == Self::WINDOW {
            self.ms.pop_front();
        }
        self.ms.push_back(now.saturating_sub(sent.ms()).max(0) as u64);
    }

    fn percentiles(&self) -> Option<Age> {
        let mut sorted: Vec<u64> = self.ms.iter().copied().collect();
        sorted.sort_unstable();
        let at = |share: f64| {
            let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
            sorted.get(index).copied()
        };
        Some(Age { p50_ms: at(0.50)?, p99_ms: at(0.99)? })
    }
}

pub fn line(devices: &Devices, flow: &Flow) -> String {
    format!(
        "{}  fixes published {}, acknowledged {}, stored {} | velocities {} | alerts raised {}, heard in cabs {} \
         | data age {}{}",
        devices.event_time,
        devices.published,
        devices.acknowledged,
        flow.stored,
        flow.velocities,
        flow.alerts,
        devices.alerts_heard,
        flow.age.map_or("-".to_owned(), |age| format!("p50 {} ms, p99 {} ms", age.p50_ms, age.p99_ms)),
        if devices.behind_s > 1.0 {
            format!(" | fleet {:.0} s behind", devices.behind_s)
        } else {
            String::new()
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_that_was_not_measured_is_a_dash() {
        let mut ages = Ages::default();
        for (ms, expected) in [(vec![], "age -"), (vec![40, 10, 20, 30], "age p50 30 ms, p99 40 ms")] {
            ages.ms = ms.into();
            let flow = Flow { age: ages.percentiles(), ..Flow::default() };
            let line = line(&Devices::default(), &flow);
            assert!(line.ends_with(expected), "{line}");
        }
    }
}
