//! A fix goes down the whole way once, and an alert comes back up to the cab.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, ensure};
use end_to_end::{derived, ledger, scene, topic};

#[test]
fn every_fix_arrives_once_and_the_alert_is_heard_in_the_cab() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut agent = scene.agent()?;
        let mut velocity = scene.app("velocity")?;
        let mut driver_break = scene.app("driver-break")?;
        // All drivers skip their break; at 1000 times real time 4 h 30 of driving take 17 s.
        let mut fleet = scene.devices(&[
            "fleet",
            "--trucks=6",
            "--persons=2",
            "--person-interval=20s",
            "--seed=7",
            "--speed-up=1000",
            "--offenders=1",
            "--linger=1",
        ])?;
        let limit = Duration::from_secs(60);
        fleet.until("violations heard in six cabs", limit, |status| status.alerts_heard >= 12)?;
        let last = fleet.finish()?;

        let bootstrap = scene.bootstrap();
        let stored = ledger::check_exactly_once(&bootstrap, &fleet.acknowledged()?)?;
        ensure!(stored.rejected.is_empty(), "valid fixes were rejected: {:?}", stored.rejected[0]);
        ensure!(stored.accepted.len() as u64 == last.acknowledged, "{last:?}");

        for (input, output) in [("trucks_gps", "trucks_velocity"), ("fitbits_gps", "fitbits_velocity")] {
            let velocities = derived::check_velocities(&bootstrap, input, output)?;
            ensure!(velocities > 0, "{output} is empty");
        }
        let alerts = derived::check_alerts(&bootstrap)?;
        check_alerts_are_unique(&bootstrap)?;
        ensure!(alerts as u64 >= last.alerts_heard, "{alerts} raised, {last:?}");

        for process in [&mut driver_break, &mut velocity, &mut agent, &mut broker] {
            process.stop()?;
        }
        Ok(())
    });
}

fn check_alerts_are_unique(bootstrap: &str) -> Result<()> {
    let mut ids = BTreeSet::new();
    let mut violations = 0;
    for record in topic::read(bootstrap, &["driver_alerts"])? {
        let id = record.headers.get("ce_id").cloned().unwrap_or_default();
        ensure!(ids.insert(id.clone()), "the alert {id:?} was raised twice");
        violations += usize::from(record.headers["ce_type"] == "fleet.driver.break.violation.v1");
    }
    ensure!(violations > 0, "nobody drove for longer than 4 h 30: {ids:?}");
    Ok(())
}
