//! What all parts of a world share: time, chance, the queue of what is to come, and those who watch.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    chance::Chance,
    invariants::{Invariants, Violation},
    observation::Observation,
    plan::Plan,
    trace::Trace,
    world::Event,
};

/// The wall clock at the beginning of every world, milliseconds since the epoch.
const EPOCH_MS: i64 = 1_780_000_000_000;

pub struct Scene {
    pub plan: Plan,
    pub chance: Chance,
    pub trace: Trace,
    pub invariants: Invariants,
    pub violation: Option<Violation>,
    base: Instant,
    now: Duration,
    queue: BTreeMap<(Duration, u64), Event>,
    queued: u64,
    talks: bool,
}

impl Scene {
    /// `base`: any instant; only what is added to it matters.
    pub fn new(plan: Plan, chance: Chance, base: Instant, talks: bool) -> Scene {
        Scene {
            plan,
            chance,
            trace: Trace::default(),
            invariants: Invariants::default(),
            violation: None,
            base,
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            talks,
        }
    }

    /// Since the beginning of the world.
    pub fn now(&self) -> Duration {
        self.now
    }

    pub fn instant(&self) -> Instant {
        self.base + self.now
    }

    pub fn wall_ms(&self) -> i64 {
        EPOCH_MS + self.now.as_millis() as i64
    }

    /// An instant on this world's time.
    pub fn since_base(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.base)
    }

    /// A wall clock time on this world's time.
    pub fn of_wall_ms(&self, at_ms: i64) -> Duration {
        Duration::from_millis(at_ms.saturating_sub(EPOCH_MS).max(0) as u64)
    }

    pub fn after(&mut self, wait: Duration, event: impl Into<Event>) {
        self.at(self.now + wait, event);
    }

    /// Events of one instant happen in the order in which they were asked for.
    pub fn at(&mut self, at: Duration, event: impl Into<Event>) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), event.into());
    }

    /// Takes the next event and goes to its time.
    pub fn next(&mut self) -> Option<Event> {
        let ((at, _), event) = self.queue.pop_first()?;
        self.now = at;
        Some(event)
    }

    pub fn observe(&mut self, seen: Observation) {
        self.say(&seen);
        self.trace.note(&self.now);
        self.trace.note(&seen);
        if self.violation.is_none() {
            self.violation = self.invariants.observe(&seen, self.now);
        }
    }

    /// A line for who looks at one seed.
    pub fn say(&self, what: &dyn std::fmt::Debug) {
        if self.talks {
            println!("{:>12.3} {what:?}", self.now.as_secs_f64());
        }
    }
}
