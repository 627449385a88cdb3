//! The fleet as a stream: the same seed gives the same bytes, in order, within the world.

use std::collections::BTreeMap;

use fleet_events::{GpsFix, Timestamp};
use proptest::prelude::*;
use sim_logic::{Faults, Fleet, FleetConfig};

fn config() -> FleetConfig {
    FleetConfig { trucks: 6, persons: 2, person_interval_s: 5, ..FleetConfig::default() }
}

fn bytes(seed: u64, config: &FleetConfig, fixes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, publish) in Fleet::new(seed, config).take(fixes) {
        bytes.extend(format!("{at} fleet/{}/{}/gps ", publish.fleet, publish.vehicle_id).bytes());
        bytes.extend(publish.fix.to_json());
        bytes.push(b'\n');
    }
    bytes
}

#[test]
fn one_seed_gives_the_same_bytes_and_another_seed_others() {
    let faulty = FleetConfig { faults: Faults { duplicate: 0.1, reorder: 0.1 }, ..config() };
    for config in [config(), faulty] {
        assert!(bytes(1, &config, 5_000) == bytes(1, &config, 5_000), "two runs of one seed differ");
        assert!(bytes(1, &config, 5_000) != bytes(2, &config, 5_000));
    }
}

#[test]
fn the_start_is_a_monday_morning() {
    assert_eq!(FleetConfig::default().start, Timestamp::parse("2026-03-02T06:00:00Z").unwrap());
}

#[test]
fn one_truck_more_changes_nothing_for_the_others() {
    let days = |trucks| {
        let fleet = Fleet::new(3, &FleetConfig { trucks, persons: 0, offenders: 0.0, ..config() });
        fleet.filter(|(_, p)| p.vehicle_id.as_str() == "truck-001").take(2_000).collect::<Vec<_>>()
    };
    assert!(days(2) == days(3));
}

#[test]
fn every_fix_is_what_a_strict_reader_accepts() {
    for (_, publish) in Fleet::new(9, &config()).take(20_000) {
        assert_eq!(GpsFix::parse(&publish.fix.to_json()), Ok(publish.fix.clone()));
        assert!((35.0..60.0).contains(&publish.fix.lat) && (-6.0..26.0).contains(&publish.fix.lon));
    }
}

#[test]
fn the_offenders_are_as_many_as_wanted_and_at_least_one() {
    for (trucks, share, expected) in [(25, 0.15, 4), (25, 0.0, 0), (3, 0.01, 1), (10, 1.0, 10), (0, 0.5, 0)] {
        let fleet = Fleet::new(5, &FleetConfig { trucks, offenders: share, ..config() });
        assert_eq!(fleet.offenders().count(), expected, "{share} of {trucks}");
    }
}

#[test]
fn faults_repeat_and_delay_fixes_but_lose_none() {
    let faults = Faults { duplicate: 0.2, reorder: 0.2 };
    let fleet = Fleet::new(1, &FleetConfig { persons: 0, trucks: 1, faults, ..config() });
    let seqs: Vec<u64> = fleet.take(3_000).filter_map(|(_, publish)| publish.fix.seq).collect();
    let mut sorted = seqs.clone();
    sorted.sort_unstable();
    let duplicates = sorted.windows(2).filter(|pair| pair[0] == pair[1]).count();
    sorted.dedup();
    assert!((400..600).contains(&duplicates), "{duplicates}");
    assert!(sorted[..2_000].iter().enumerate().all(|(n, seq)| n as u64 == *seq));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn time_never_goes_back_and_every_device_counts_from_0(
        seed in any::<u64>(), trucks in 0u32..5, persons in 0u32..3, interval in 1u32..30,
    ) {
        let config = FleetConfig { trucks, persons, truck_interval_s: interval, ..config() };
        let mut last = config.start;
        let mut next: BTreeMap<_, u64> = BTreeMap::new();
        for (at, publish) in Fleet::new(seed, &config).take(300) {
            prop_assert!(at >= last);
            last = at;
            let seq = next.entry(publish.vehicle_id.clone()).or_default();
            prop_assert_eq!(publish.fix.seq, Some(*seq));
            *seq += 1;
        }
    }
}
