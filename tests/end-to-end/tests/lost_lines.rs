//! Log lines that cannot be written are lost, and nothing else is.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use end_to_end::{Scene, command, program, scene};

/// Standard error on a full disk, and one whose reader is gone.
const NOWHERE: [&str; 2] =
    [r#"exec "$0" "$@" 2>/dev/full"#, r#"exec 3> >(exit); wait $!; exec "$0" "$@" 2>&3"#];

#[test]
fn a_broker_whose_log_cannot_be_written_makes_topics_and_stops_in_order() {
    for redirected in NOWHERE {
        scene(|scene| check(scene, redirected));
    }
}

fn check(scene: &Scene, redirected: &str) -> Result<()> {
    let path = program("core-broker").display().to_string();
    let words = scene.broker_words(&scene.path("core-broker"));
    let shell = ["-c", redirected, &path].map(str::to_owned);
    let args: Vec<String> = shell.into_iter().chain(words).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut broker = scene.start_path("core-broker", PathBuf::from("bash"), &args)?;
    broker.ready()?;
    // Each is a line of the controller's, and a partition of a writer's.
    for name in ["first", "second", "third"] {
        create(scene, name)?;
    }
    ensure!(broker.log().is_empty(), "the log was written: {}", broker.last_words());
    broker.stop()
}

fn create(scene: &Scene, name: &str) -> Result<()> {
    let mut tool = std::process::Command::new(program("core-broker"));
    tool.args(["topics", "--create", "--topic", name, "--bootstrap-server", &scene.bootstrap()]);
    let said = command::output(&mut tool, b"")?;
    ensure!(said.contains(&format!("Created topic {name}.")), "{said}");
    Ok(())
}
