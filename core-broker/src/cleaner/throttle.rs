//! So many bytes a second, on average.

use std::{
    cell::Cell,
    thread::sleep,
    time::{Duration, Instant},
};

/// Shorter waits are saved up.
const SHORTEST: Duration = Duration::from_millis(20);

pub struct Throttle {
    bytes_per_second: f64,
    began: Instant,
    spent: Cell<u64>,
}

impl Throttle {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1) as f64, began: Instant::now(), spent: Cell::new(0) }
    }

    /// Waits until so many bytes more are allowed to have been read.
    pub fn spend(&self, bytes: u64) {
        self.spent.set(self.spent.get() + bytes);
        let due = Duration::from_secs_f64(self.spent.get() as f64 / self.bytes_per_second);
        let ahead = due.saturating_sub(self.began.elapsed());
        if ahead >= SHORTEST {
            sleep(ahead);
        }
    }
}
