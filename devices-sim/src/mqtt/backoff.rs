//! How long to wait before the next try to connect: decorrelated jitter, so that a fleet that lost
//! its broker does not come back in one instant.

use std::time::Duration;

use sim_logic::Rng;

const FIRST_S: f64 = 0.1;
const LONGEST_S: f64 = 5.0;
/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Backoff {
    rng: Rng,
    last_s: f64,
}

impl Backoff {
    pub fn new(rng: Rng) -> Self {
        Self { rng, last_s: FIRST_S }
    }

    /// A broker that accepts and hangs up at once is not asked faster than one that is away.
    pub fn connection_lasted(&mut self, time: Duration) {
        if time >= GOOD {
            self.last_s = FIRST_S;
        }
    }

    pub fn next(&mut self) -> Duration {
        self.last_s = self.rng.between(FIRST_S, 3.0 * self.last_s).min(LONGEST_S);
        Duration::from_secs_f64(self.last_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_the_cap_and_begins_anew_after_a_good_connection() {
        let mut backoff = Backoff::new(Rng::new(1));
        let waits: Vec<f64> = (0..200).map(|_| backoff.next().as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (FIRST_S..=LONGEST_S).contains(wait)));
        assert!(waits.iter().any(|wait| *wait > 3.0));
        backoff.connection_lasted(Duration::from_secs(1));
        backoff.last_s = LONGEST_S;
        backoff.connection_lasted(GOOD);
        assert!(backoff.next().as_secs_f64() < 3.0 * FIRST_S);
    }
}
