//! An invariant that cannot fail proves nothing: each is shown a world in which one part does wrong, and must
//! say so.

use simulation::{Sabotage, run};

/// Some of these worlds never come to the point where the sabotage matters; one that does is enough.
const SEEDS: u64 = 60;

/// `words`: of what the invariant says.
fn check(sabotage: Sabotage, invariant: &str, words: &str) {
    let mut others = Vec::new();
    for seed in 1..=SEEDS {
        match run(seed, Some(sabotage), false).violation {
            Some(violation) if violation.invariant == invariant && violation.what.contains(words) => return,
            Some(violation) => others.push((seed, violation.invariant, violation.what)),
            None => {}
        }
    }
    panic!("{sabotage:?}: {invariant} has noticed nothing in {SEEDS} worlds; others: {others:?}");
}

#[test]
fn a_puback_before_the_commit_is_noticed() {
    check(Sabotage::AckBeforeCommit, "acknowledged_is_kept", "acknowledged and lost");
}

#[test]
fn a_broker_that_forgets_its_producers_is_noticed() {
    check(Sabotage::ProducersForgotten, "never_twice", "2 times");
}

#[test]
fn fixes_out_of_order_are_noticed() {
    check(Sabotage::FixesExchanged, "in_order", "comes after");
}

#[test]
fn a_changed_payload_is_noticed() {
    check(Sabotage::PayloadChanged, "only_what_was_published", "nobody published");
}

#[test]
fn a_log_that_says_synced_without_a_sync_is_noticed() {
    check(Sabotage::SyncedWithoutSync, "what_was_read_stays", "not there any more");
}

#[test]
fn an_alert_that_nobody_is_handed_is_noticed() {
    check(Sabotage::AlertsDropped, "alerts_reach_the_driver", "never received");
}

#[test]
fn an_alert_that_is_handed_again_is_noticed() {
    check(Sabotage::DeliveriesForgotten, "alerts_reach_the_driver", "handed again");
}
