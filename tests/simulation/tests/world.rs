//! Many worlds, and what must be true of all of them.
#![allow(clippy::disallowed_methods)] // reads a list of seeds

use simulation::{Outcome, run};

/// More of them with `SIMULATION_SEEDS=n`, others with `SIMULATION_FIRST=n`.
const SEEDS: u64 = 64;

/// Seeds that once found something, and why.
const REGRESSIONS: &str = include_str!("regressions.txt");

/// What is wrong with the worlds of these seeds, and how to look at one.
fn broken(seeds: impl Iterator<Item = u64>) -> (Vec<u64>, usize, usize) {
    let (mut broken, mut fixes, mut alerts) = (Vec::new(), 0, 0);
    for seed in seeds {
        // A core that asserts ends its world, not the search.
        let outcome = std::panic::catch_unwind(|| run(seed, None, false));
        let Ok(Outcome { violation, fixes: published, alerts: received, .. }) = outcome else {
            println!("seed {seed}: panicked, see above");
            broken.push(seed);
            continue;
        };
        (fixes, alerts) = (fixes + published, alerts + received);
        if let Some(violation) = violation {
            println!("seed {seed}: {} at {:?}: {}", violation.invariant, violation.at, violation.what);
            broken.push(seed);
        }
    }
    if let Some(seed) = broken.first() {
        println!(
            "look at it with SIMULATION_SEED={seed} cargo test -p simulation --test world -- \
             --nocapture one_seed_aloud"
        );
    }
    (broken, fixes, alerts)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_promise_holds_in_every_world() {
    let first = number("SIMULATION_FIRST").unwrap_or(1);
    let count = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (broken, fixes, alerts) = broken(first..first + count);
    assert!(broken.is_empty(), "broken promises in the worlds of {broken:?}");
    // A world where nothing happens keeps every promise. One alone may be quiet.
    let busy = fixes as u64 > 50 * count && alerts as u64 > count;
    assert!(busy || count < SEEDS, "only {fixes} fixes and {alerts} alerts");
}

#[test]
fn seeds_that_once_found_something_find_nothing() {
    let lines = REGRESSIONS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let seeds = lines.map(|line| {
        let seed = line.split_whitespace().next().and_then(|seed| seed.parse().ok());
        seed.unwrap_or_else(|| panic!("a line begins with its seed: {line}"))
    });
    let (broken, _, _) = broken(seeds);
    assert!(broken.is_empty(), "broken again: {broken:?}");
}

#[test]
fn run_twice_is_the_same() {
    for seed in [3, 17] {
        assert_eq!(run(seed, None, false), run(seed, None, false), "seed {seed}");
    }
    assert_ne!(run(3, None, false).trace, run(17, None, false).trace);
}

#[test]
fn one_seed_aloud() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let outcome = run(seed, None, true);
        println!("{outcome:#?}");
    }
}
