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
mod tests {
    use super::*;

    /// (milliseconds from the beginning, client, bytes, milliseconds to wait) at 1,000 B/s, for "big" 10,000.
    fn check(script: &[(u64, &str, u64, u64)]) {
        let begin = Instant::now() + SAVED;
        let by_client = [("big".to_owned(), 10_000)].into();
        let mut quota = ByteQuota::new(ByteRates { default: Some(1_000), by_client });
        for (at, client, bytes, wait) in script {
            let told = quota.charge(client, *bytes, begin + Duration::from_millis(*at));
            assert_eq!(told, Duration::from_millis(*wait), "{client} at {at}");
        }
    }

    #[test]
    fn a_client_waits_until_its_debt_is_paid() {
        check(&[
            (0, "a", 10_000, 0),        // what it has saved
            (0, "a", 500, 500),         // half a second more than its rate
            (500, "a", 1, 1),           // paid; one byte is a millisecond
            (2_501, "a", 3_000, 1_000), // 2 s saved, 3 s taken
        ]);
    }

    #[test]
    fn savings_are_bounded() {
        check(&[(0, "a", 1, 0), (1_000_000, "a", 11_000, 1_000)]);
    }

    #[test]
    fn clients_do_not_pay_for_each_other_and_have_rates_of_their_own() {
        check(&[(0, "a", 12_000, 2_000), (0, "b", 10_000, 0), (0, "big", 101_000, 100)]);
    }

    #[test]
    fn nobody_is_sent_away_for_ever() {
        check(&[(0, "a", u64::MAX, 3_600_000), (0, "a", u64::MAX, 3_600_000)]);
    }

    #[test]
    fn without_a_rate_nobody_waits_and_nothing_is_kept() {
        let mut quota = ByteQuota::new(ByteRates::default());
        assert_eq!(quota.charge("a", u64::MAX, Instant::now()), Duration::ZERO);
        assert!(quota.paid_until.is_empty());
    }

    #[test]
    fn clients_that_invent_ids_fill_no_memory_and_share_one_debt() {
        let begin = Instant::now() + SAVED;
        let mut quota = ByteQuota::new(ByteRates { default: Some(1_000), ..ByteRates::default() });
        for number in 0..CLIENTS {
            quota.charge(&format!("client-{number}"), 20_000, begin);
        }
        assert_eq!(quota.charge("one more", 10_000, begin), Duration::ZERO);
        assert_eq!(quota.charge("and another", 1_000, begin), Duration::from_secs(1));
        assert_eq!(quota.charge("client-0", 1_000, begin), Duration::from_secs(11));
        assert_eq!(quota.paid_until.len(), CLIENTS);
        // All have paid and saved: there is room again.
        quota.charge("later", 1, begin + Duration::from_secs(60));
        assert_eq!(quota.paid_until.len(), 1);
        let long = "x".repeat(30_000);
        quota.charge(&long, 1, begin + Duration::from_secs(60));
        assert!(quota.paid_until.keys().all(|key| key.len() <= 4 * CLIENT_ID_CHARS));
    }
}
