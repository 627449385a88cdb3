//! Bytes per second of clients, by client id (KIP-13): who takes more is answered, and then not listened to
//! until the debt is paid (KIP-219).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A client that was silent has saved this much; Kafka's `quota.window.num` times `quota.window.size`.
const SAVED: Duration = Duration::from_secs(10);

/// The longest that a client is told to wait: one request that is far over its rate is no ban for life.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Clients with a debt, or savings that are not whole. More share one debt.
const CLIENTS: usize = 10_000;

/// Longer ids are told apart by their beginning.
const CLIENT_ID_CHARS: usize = 100;

/// Bytes per second. `None`: as many as there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByteRates {
    pub default: Option<u64>,
    pub by_client: BTreeMap<String, u64>,
}

#[derive(Debug)]
pub struct ByteQuota {
    rates: ByteRates,
    /// Until when each client has paid. At [`SAVED`] before the present it has saved all that it may, like one
    /// that was never seen, and may be forgotten.
    paid_until: BTreeMap<String, Instant>,
    overflow_paid_until: Option<Instant>,
}

impl ByteQuota {
    pub fn new(rates: ByteRates) -> Self {
        Self { rates, paid_until: BTreeMap::new(), overflow_paid_until: None }
    }

    /// How long the client is to wait after these bytes.
    pub fn charge(&mut self, client_id: &str, bytes: u64, now: Instant) -> Duration {
        let Some(rate) = self.rate(client_id) else { return Duration::ZERO };
        let key: String = client_id.chars().take(CLIENT_ID_CHARS).collect();
        let known = self.paid_until.contains_key(&key);
        if !known && self.paid_until.len() >= CLIENTS {
            self.paid_until.retain(|_, paid_until| now.saturating_duration_since(*paid_until) < SAVED);
        }
        let paid_until = if known || self.paid_until.len() < CLIENTS {
            self.paid_until.entry(key).or_insert(saved_all(now))
        } else {
            self.overflow_paid_until.get_or_insert(saved_all(now))
        };
        let micros = u128::from(bytes) * 1_000_000 / u128::from(rate.max(1));
        let cost = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(SAVED + LONGEST);
        *paid_until = ((*paid_until).max(saved_all(now)) + cost).min(now + LONGEST);
        paid_until.saturating_duration_since(now)
    }

    fn rate(&self, client_id: &str) -> Option<u64> {
        self.rates.by_client.get(client_id).copied().or(self.rates.default)
    }
}

fn saved_all(now: Instant) -> Instant {
    now.checked_sub(SAVED).unwrap_or(now)
}

#[cfg(test)]
mod tests;
