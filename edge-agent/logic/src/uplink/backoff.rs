//! When to knock again: decorrelated jitter, so that a thousand agents that lost one broker do not
//! come back in one beat.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// A connection that held this long was a good one.
const GOOD: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct Backoff {
    previous: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { previous: FIRST }
    }
}

impl Backoff {
    /// How long to wait, between one second and three times the previous wait, by `chance`.
    pub fn next(&mut self, chance: u32) -> Duration {
        let span = (self.previous * 3).saturating_sub(FIRST);
        let wait = FIRST + span.mul_f64(f64::from(chance) / f64::from(u32::MAX));
        self.previous = wait.min(LONGEST);
        self.previous
    }

    /// Starts over after a good connection only: one that breaks at once would otherwise be tried
    /// every second for ever.
    pub fn after_connection(&mut self, up_since: Option<Instant>, now: Instant) {
        if up_since.is_some_and(|since| now.saturating_duration_since(since) >= GOOD) {
            self.previous = FIRST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_between_one_second_and_sixty() {
        for chance in [0, u32::MAX / 2, u32::MAX] {
            let mut backoff = Backoff::default();
            for _ in 0..20 {
                let wait = backoff.next(chance);
                assert!((FIRST..=LONGEST).contains(&wait), "{wait:?}");
            }
        }
        let mut unlucky = Backoff::default();
        let waits: Vec<u64> = (0..5).map(|_| unlucky.next(u32::MAX).as_secs()).collect();
        assert_eq!(waits, [3, 9, 27, 60, 60]);
    }
}
