//! The regular look at every log: silent producers, segments that are too old or too many. In small steps:
//! whoever appends is not kept waiting.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::slot::Slot;
use crate::upkeep::UpkeepCounts;

/// Of the writer's time, between two turns.
const STEP: Duration = Duration::from_millis(2);

pub struct Sweep {
    every: Duration,
    due_ms: i64,
    /// Not looked at yet in this sweep.
    left: VecDeque<usize>,
    counts: Arc<UpkeepCounts>,
}

impl Sweep {
    pub fn new(every: Duration, now_ms: i64, counts: Arc<UpkeepCounts>) -> Self {
        let every_ms = every.as_millis() as i64;
        Self { every, due_ms: now_ms.saturating_add(every_ms), left: VecDeque::new(), counts }
    }

    /// When the next step is due.
    pub fn due_ms(&self) -> i64 {
        if self.left.is_empty() { self.due_ms } else { i64::MIN }
    }

    pub fn step(&mut self, slots: &mut [Option<Box<Slot>>], now_ms: i64) {
        if self.left.is_empty() {
            if now_ms < self.due_ms {
                return;
            }
            self.left = (0..slots.len()).collect();
            self.due_ms = now_ms.saturating_add(self.every.as_millis() as i64);
        }
        let began = Instant::now();
        while let Some(next) = self.left.front()
            && began.elapsed() < STEP
        {
            let slot = slots.get_mut(*next).and_then(Option::as_deref_mut);
            let removed =
                slot.and_then(|slot| slot.act(|hosted, now_ms, answers| hosted.upkeep(now_ms, answers)));
            match removed {
                Some(segment) => {
                    self.counts.segment_deleted(segment.bytes());
                    // Closing a large file takes its time.
                    tokio::task::spawn_blocking(move || drop(segment));
                }
                None => {
                    self.left.pop_front();
                }
            }
        }
    }
}
