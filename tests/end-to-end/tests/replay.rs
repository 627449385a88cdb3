//! Recorded traces: every row of a file becomes one record.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use end_to_end::{derived, ledger, scene, workspace};

#[test]
fn a_bus_trace_is_replayed_row_by_row() {
    check("bus_liverpool_2026.csv", "40000", "trucks_gps", "trucks_velocity");
}

#[test]
fn traces_of_runners_are_replayed_row_by_row() {
    check("fitness_runs_walks.csv", "2000", "fitbits_gps", "fitbits_velocity");
}

fn check(file: &str, speed_up: &str, input: &str, output: &str) {
    let Some(path) = trace(file) else {
        println!("skipped: {file} is not in the shared data");
        return;
    };
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut agent = scene.agent()?;
        let mut velocity = scene.app("velocity")?;
        let path = path.display().to_string();
        let mut devices = scene.devices(&["replay", &path, "--speed-up", speed_up])?;
        devices.end()?;

        let bootstrap = scene.bootstrap();
        let stored = ledger::check_exactly_once(&bootstrap, &devices.acknowledged()?)?;
        let rows = rows(&path)?;
        let records = stored.accepted.len() + stored.rejected.len();
        ensure!(records == rows, "{rows} rows, but {records} records");
        ensure!(stored.accepted.iter().all(|record| record.topic == input), "a fix is not in {input}");
        let velocities = derived::check_velocities(&bootstrap, input, output)?;
        ensure!(velocities > 0, "no velocities");
        for process in [&mut velocity, &mut agent, &mut broker] {
            process.stop()?;
        }
        Ok(())
    });
}

fn trace(file: &str) -> Option<PathBuf> {
    let path = workspace().parent()?.join("shared/data/gps").join(file);
    path.exists().then_some(path)
}

fn rows(path: &str) -> Result<usize> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    Ok(text.lines().skip(1).filter(|line| !line.trim().is_empty()).count())
}
