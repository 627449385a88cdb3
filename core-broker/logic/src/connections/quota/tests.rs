#![allow(clippy::disallowed_methods)] // only differences matter, so any instant will do

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
