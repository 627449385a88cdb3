//! What kind of world a seed makes: how many devices, which faults and how often. Every fault is missing from
//! some worlds, because a fault that always happens hides those that need its absence.

use std::time::Duration;

use crate::{broker::GPS_PARTITIONS, chance::Chance};

/// Something a part of the world does wrong on purpose, to prove that an invariant sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// The agent's shell says that a commit is synced, and then writes it.
    AckBeforeCommit,
    /// The agent's shell gives two fixes of a device each other's payload.
    FixesExchanged,
    /// The agent's shell changes a digit of some payloads.
    PayloadChanged,
    /// The broker forgets its producers when it starts.
    ProducersForgotten,
    /// The broker says "synced" without a sync.
    SyncedWithoutSync,
    /// The agent's shell never sends some of the alerts.
    AlertsDropped,
    /// The agent's shell keeps from the store that an alert was delivered.
    DeliveriesForgotten,
}

/// A fault and its mean distance, if it happens in this world.
pub type Every = Option<Duration>;

#[derive(Debug, Clone)]
pub struct Plan {
    pub sabotage: Option<Sabotage>,
    pub devices: usize,
    /// Between two fixes of one device, on average.
    pub publish_every: Duration,
    /// The last device appears this late.
    pub late: Duration,
    /// How long things go wrong; afterwards everything heals.
    pub trouble: Duration,
    pub commit_ms: u64,
    pub linger: Duration,
    pub outbox_bytes: u64,
    /// How many partitions the agent reckons with until the broker has told it.
    pub guessed_partitions: u32,
    pub alert_every: Duration,
    pub alert_ttl: Duration,
    pub segment_bytes: u64,
    pub device_cut: Every,
    pub link_cut: Every,
    /// Longest time that the link stays away after a cut.
    pub link_away: Duration,
    pub agent_crash: Every,
    pub broker_crash: Every,
    pub outbox_disk_fails: Every,
    pub log_disk_fails: Every,
}

impl Plan {
    pub fn of(chance: &mut Chance, sabotage: Option<Sabotage>) -> Plan {
        let every = |chance: &mut Chance, from: u64, to: u64| {
            let every = chance.ms(from * 1000, to * 1000);
            (chance.below(3) != 0).then_some(every)
        };
        Plan {
            sabotage,
            devices: 1 + chance.below(4) as usize,
            publish_every: chance.ms(150, 2500),
            late: *chance.pick(&[Duration::ZERO, Duration::from_secs(30)]),
            trouble: chance.ms(40_000, 120_000),
            commit_ms: *chance.pick(&[2, 10, 50, 400, 3000]),
            linger: *chance.pick(&[Duration::ZERO, Duration::ZERO, Duration::from_millis(500)]),
            outbox_bytes: *chance.pick(&[1 << 30, 1 << 30, 1 << 30, 12_000]),
            guessed_partitions: *chance.pick(&[GPS_PARTITIONS as u32, 1]),
            alert_every: chance.ms(2000, 20_000),
            alert_ttl: *chance.pick(&[Duration::from_secs(7200), Duration::from_secs(30)]),
            segment_bytes: *chance.pick(&[2_000, 20_000, 1 << 20]),
            device_cut: every(chance, 2, 20),
            link_cut: every(chance, 4, 40),
            link_away: chance.ms(0, 60_000),
            agent_crash: every(chance, 5, 50),
            broker_crash: every(chance, 5, 50),
            outbox_disk_fails: every(chance, 15, 120).filter(|_| chance.one_in(2)),
            log_disk_fails: every(chance, 15, 120).filter(|_| chance.one_in(2)),
        }
    }
}
