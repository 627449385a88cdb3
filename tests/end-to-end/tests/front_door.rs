//! What an operator meets first: help, and the sentence that says what is wrong and what to do.

use std::process::Command;

use anyhow::{Result, ensure};
use end_to_end::{Scene, command, program, scene, workspace};

#[test]
fn every_help_fits_a_screen_and_names_its_defaults() {
    const LINES: usize = 40;
    const COLUMNS: usize = 100;
    // The command, and a default it has to name.
    let table: [(&str, &[&str], &str); 20] = [
        ("core-broker", &[], ""),
        ("core-broker", &["run"], "[default: localhost:9092]"),
        ("core-broker", &["check-config"], "[default: 127.0.0.1:9644]"),
        ("edge-agent", &["check-config"], "[default: 127.0.0.1:4433]"),
        ("core-broker", &["topics"], "127.0.0.1:9092]"),
        ("core-broker", &["consume"], "127.0.0.1:9092]"),
        ("core-broker", &["produce"], "127.0.0.1:9092]"),
        ("core-broker", &["groups"], "127.0.0.1:9092]"),
        ("core-broker", &["get-offsets"], "127.0.0.1:9092]"),
        ("core-broker", &["configs"], "127.0.0.1:9092]"),
        ("core-broker", &["delete-records"], "127.0.0.1:9092]"),
        ("core-broker", &["log-dirs"], "127.0.0.1:9092]"),
        ("edge-agent", &[], ""),
        ("edge-agent", &["run"], "[default: 127.0.0.1:1883]"),
        ("stream-apps", &[], ""),
        ("stream-apps", &["velocity"], "127.0.0.1:9092]"),
        ("stream-apps", &["driver-break"], "127.0.0.1:9092]"),
        ("stream-apps", &["dashboard"], "[default: 127.0.0.1:8080]"),
        ("devices-sim", &["fleet"], "[default: 25]"),
        ("devices-sim", &["replay"], "[default: 60]"),
    ];
    for (name, words, default) in table {
        let mut asked = Command::new(program(name));
        asked.args(words).arg("--help").env_clear();
        let help = command::output(&mut asked, b"").unwrap_or_else(|error| panic!("{error:#}"));
        assert!(help.lines().count() <= LINES, "{name} {words:?}: {} lines", help.lines().count());
        let widest = help.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
        assert!(widest.chars().count() <= COLUMNS, "{name} {words:?}: {widest}");
        // A default may stand on the next line.
        let unwrapped = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(default), "{name} {words:?} does not name {default}: {help}");
    }
}

#[test]
fn what_is_wrong_at_the_start_is_said_in_one_sentence_that_says_what_to_do() {
    scene(|scene| {
        let folder = |name: &str| scene.path(name).display().to_string();
        let (data, other, certs) = (folder("data"), folder("other"), folder("certs"));
        let (kafka, quic, mqtt) = (scene.kafka.to_string(), scene.quic.to_string(), scene.mqtt.to_string());
        let free = [(); 3].map(|()| end_to_end::free_address().to_string());
        let [free_kafka, free_quic, free_mqtt] = &free;
        let unknown = folder("unknown.toml");
        std::fs::write(&unknown, "colour = \"red\"\n")?;
        let missing = folder("missing.toml");
        let file = folder("file");
        std::fs::write(&file, "")?;
        let under_file = format!("{file}/data");

        let mut broker = scene.broker_in(&scene.path("data"))?;
        let mut agent = scene.agent_in(&scene.path("other"))?;
        let broker_with = |data: &str, kafka: &str, quic: &str, more: &[&str]| {
            let words = ["run", "--data", data, "--kafka", kafka, "--quic", quic, "--certs", &certs];
            refusal("core-broker", &[&words, more].concat())
        };
        let agent_with = |data: &str, mqtt: &str, more: &[&str]| {
            let words = ["run", "--data", data, "--mqtt", mqtt, "--uplink", &quic, "--certs", &certs];
            refusal("edge-agent", &[&words, more].concat())
        };
        let third = folder("third");
        for (refused, names) in [
            (broker_with(&third, &kafka, free_quic, &[])?, [kafka.as_str(), "--kafka"]),
            (broker_with(&third, free_kafka, &quic, &[])?, [quic.as_str(), "--quic"]),
            (broker_with(&under_file, free_kafka, free_quic, &[])?, [under_file.as_str(), "--data"]),
            (broker_with(&data, free_kafka, free_quic, &[])?, [data.as_str(), "--data"]),
            (
                broker_with(&third, free_kafka, free_quic, &["--config", &unknown])?,
                ["unknown.toml", "colour"],
            ),
            (
                broker_with(&third, free_kafka, free_quic, &["--config", &missing])?,
                ["missing.toml", "config"],
            ),
            (agent_with(&third, &mqtt, &[])?, [mqtt.as_str(), "--mqtt"]),
            (agent_with(&under_file, free_mqtt, &[])?, [under_file.as_str(), "--data"]),
            (agent_with(&other, free_mqtt, &[])?, [other.as_str(), "--data"]),
            (agent_with(&third, free_mqtt, &["--config", &unknown])?, ["unknown.toml", "colour"]),
            (agent_with(&third, free_mqtt, &["--config", &missing])?, ["missing.toml", "config"]),
            (refusal("stream-apps", &["velocity", "--config", &unknown])?, ["unknown.toml", "colour"]),
            (refusal("stream-apps", &["driver-break", "--config", &missing])?, ["missing.toml", "config"]),
            (
                refusal("stream-apps", &["dashboard", "--bootstrap", &kafka, "--dashboard", &kafka])?,
                [kafka.as_str(), "--dashboard"],
            ),
            (refusal("devices-sim", &["replay", &missing])?, ["missing.toml", "read"]),
            (
                refusal("devices-sim", &["fleet", "--mqtt", free_mqtt, "--connect-timeout", "1s"])?,
                [free_mqtt.as_str(), "--mqtt"],
            ),
        ] {
            for name in names {
                ensure!(refused.contains(name), "{name} is not named: {refused}");
            }
        }
        agent.stop()?;
        broker.stop()
    });
}

#[test]
fn the_config_files_that_document_the_defaults_are_understood() {
    let folder = workspace().join("deploy/config");
    if !folder.exists() {
        println!("skipped: there is no deploy/config");
        return;
    }
    scene(|scene| {
        for name in ["core-broker.toml", "edge-agent.toml", "stream-apps.toml"] {
            let path = folder.join(name);
            ensure!(path.exists(), "deploy/config has no {name}");
            serves_with(scene, name.trim_end_matches(".toml"), &path.display().to_string())?;
        }
        Ok(())
    });
}

/// Addresses and folders by flag, everything else by file.
fn serves_with(scene: &Scene, service: &str, config: &str) -> Result<()> {
    let folder = |name: &str| scene.path(name).display().to_string();
    let (broker_data, agent_data, certs) = (folder("b"), folder("a"), folder("certs"));
    let (kafka, quic, mqtt) = (scene.kafka.to_string(), scene.quic.to_string(), scene.mqtt.to_string());
    let broker = ["run", "--data", &broker_data, "--kafka", &kafka, "--quic", &quic, "--certs", &certs];
    let agent = ["run", "--data", &agent_data, "--mqtt", &mqtt, "--uplink", &quic, "--certs", &certs];
    let dashboard = ["dashboard", "--bootstrap", &kafka, "--dashboard", &mqtt];
    let words: &[&str] = match service {
        "core-broker" => &broker,
        "edge-agent" => &agent,
        _ => &dashboard,
    };
    let mut process = scene.start(service, service, &[words, &["--config", config]].concat())?;
    process.ready()?;
    process.stop()
}

/// What a program says that does not start.
fn refusal(name: &str, words: &[&str]) -> Result<String> {
    let mut refused = Command::new(program(name));
    refused.args(words).env_clear().env("HOME", "nowhere").env("LONGHAUL_LOG", "off");
    let output = command::run(&mut refused, b"")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(!output.status.success(), "{name} {words:?} ended well: {said}");
    ensure!(output.stdout.is_empty(), "{name} {words:?} said that it serves");
    ensure!(said.starts_with(name), "{name} {words:?}: {said}");
    ensure!(!said.contains("panicked"), "{name} {words:?}: {said}");
    Ok(said)
}
