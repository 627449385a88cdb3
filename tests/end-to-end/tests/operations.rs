//! What an operator has: pages of the broker, its log, its config, systemd.

use std::{
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use end_to_end::{command, http, mqtt, program, scene, topic};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_pages_of_the_broker_tell_what_it_does() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        ensure!(http::get(scene.admin, "/readyz")?.body == "ok\n");
        ensure!(http::get(scene.admin, "/healthz")?.body == "ok\n");
        ensure!(http::get(scene.admin, "/")?.status == 404);

        let mut agent = scene.agent()?;
        let mut velocity = scene.app("velocity")?;
        let mut device = mqtt::Device::connect(scene.mqtt, mqtt::V3_1_1, "truck-1")?;
        let fixes: Vec<Vec<u8>> = (0..20).map(fix).collect();
        ensure!(device.publish_all("fleet/trucks/truck-1/gps", &fixes, PATIENCE)?.len() == 20);
        topic::read_until(&scene.bootstrap(), &["trucks_velocity"], PATIENCE, |read| !read.is_empty())?;

        let page = http::wait_for(scene.admin, "/metrics", PATIENCE, |page| {
            let lag = "longhaul_broker_group_lag_records{group=\"velocity\",topic=\"trucks_gps\",";
            page.body.contains(lag)
                && http::metric(page, "longhaul_broker_topic_received_records_total{topic=\"trucks_gps\"}")
                    == Some(20.0)
        })?;
        ensure!(
            page.head.contains("content-type: application/openmetrics-text; version=1.0.0"),
            "{}",
            page.head
        );
        for (row, least) in [
            ("longhaul_broker_edge_agents", 1.0),
            ("longhaul_broker_edge_blocks_total", 1.0),
            ("longhaul_broker_connections", 1.0),
            ("longhaul_broker_requests_total{api=\"Fetch\"}", 1.0),
            ("longhaul_broker_request_duration_seconds_count{api=\"JoinGroup\"}", 1.0),
            ("longhaul_broker_topic_sent_bytes_total{topic=\"trucks_gps\"}", 1.0),
            ("longhaul_broker_topic_partitions{topic=\"trucks_gps\"}", 10.0),
            ("longhaul_broker_sync_duration_seconds_count", 1.0),
            ("longhaul_broker_groups{state=\"Stable\"}", 1.0),
            ("process_resident_memory_bytes", 1e6),
            ("process_open_fds", 10.0),
        ] {
            let shown = http::metric(&page, row).with_context(|| format!("no {row}: {}", page.body))?;
            ensure!(shown >= least, "{row} {shown}");
        }
        velocity.stop()?;
        agent.stop()?;
        http::wait_for(scene.admin, "/metrics", PATIENCE, |page| {
            http::metric(page, "longhaul_broker_edge_agents") == Some(0.0)
        })?;
        broker.stop()
    });
}

#[test]
fn a_log_for_machines_is_an_object_a_line() {
    scene(|scene| {
        let words = scene.broker_words(&scene.path("core-broker"));
        let json = ["--log-format", "json", "--log", "debug"];
        let words: Vec<&str> = words.iter().map(String::as_str).chain(json).collect();
        let mut broker = scene.start("core-broker", "core-broker", &words)?;
        broker.ready()?;
        broker.stop()?;
        let log = broker.log();
        let stopping = log.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            ensure!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
            Ok(line["fields"]["message"] == "stopping")
        });
        let stopping = stopping.collect::<Result<Vec<bool>>>()?;
        ensure!(stopping.contains(&true), "{log}");
        Ok(())
    });
}

#[test]
fn systemd_hears_that_the_broker_serves_lives_and_stops() {
    scene(|scene| {
        let socket = UnixDatagram::bind(scene.path("notify"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let hear = || {
            let mut buffer = [0; 4096];
            let length = socket.recv(&mut buffer).context("systemd hears nothing")?;
            Ok::<_, anyhow::Error>(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        let mut child = Command::new(program("core-broker"))
            .args(scene.broker_words(&scene.path("core-broker")))
            .env_clear()
            .env("NOTIFY_SOCKET", scene.path("notify"))
            // Half a second between two signs of life.
            .env("WATCHDOG_USEC", "1000000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut heard = String::new();
        while !(heard.contains("READY=1")
            && heard.contains("STATUS=core-broker: serving")
            && alive_after_ready(&heard))
        {
            heard += &hear()?;
        }
        ensure!(Command::new("kill").arg("-TERM").arg(child.id().to_string()).status()?.success());
        while !heard.contains("STOPPING=1") {
            heard += &hear()?;
        }
        ensure!(child.wait()?.success());
        Ok(())
    });
}

fn alive_after_ready(heard: &str) -> bool {
    heard.split_once("READY=1").is_some_and(|(_, after)| after.contains("WATCHDOG=1"))
}

#[test]
fn check_config_prints_what_is_in_force_or_everything_that_is_wrong() {
    scene(|scene| {
        let file = scene.path("broker.toml").display().to_string();
        std::fs::write(&file, "[topics]\nnum_partitions = 6\n")?;
        let fine = checked("core-broker", &file, &[("LONGHAUL_BROKER__GROUPS__MAX_SIZE", "7")])?;
        ensure!(fine.status.success(), "{fine:?}");
        let shown = String::from_utf8(fine.stdout)?;
        for line in [
            format!("num_partitions = 6{:22}  # {file}:2", ""),
            format!("max_size = 7{:28}  # LONGHAUL_BROKER__GROUPS__MAX_SIZE", ""),
            "node_id = 1".to_owned(),
        ] {
            ensure!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
        }
        // It is a config of its own.
        let again = scene.path("again.toml").display().to_string();
        std::fs::write(&again, &shown)?;
        ensure!(checked("core-broker", &again, &[])?.status.success());

        for (service, text, variable, told) in [
            (
                "core-broker",
                "[broker]\nsgement_bytes = \"1GiB\"\n[topics]\nnum_partitions = 0\n",
                "LONGHAUL_BROKER_KAFAK",
                [
                    "broker.toml:2: unknown key `sgement_bytes` in [broker]: did you mean `segment_bytes`?",
                    "broker.toml:4: topics.num_partitions is 0, but must be 1 to 1000",
                    "unknown variable LONGHAUL_BROKER_KAFAK: did you mean LONGHAUL_BROKER_KAFKA?",
                ],
            ),
            (
                "edge-agent",
                "[outbox]\nmax_sise = \"1GiB\"\n[mqtt]\nmax_connections = \"many\"\n",
                "LONGHAUL_AGENT__OUTBOX__LINGR",
                [
                    "broker.toml:2: unknown key `max_sise` in [outbox]: did you mean `max_size`?",
                    "broker.toml:4: mqtt.max_connections is \"many\", but must be a whole number, 0 or more",
                    "LONGHAUL_AGENT__OUTBOX__LINGR: unknown key `lingr` in [outbox]: did you mean `linger`?",
                ],
            ),
            (
                "stream-apps",
                "bootstap = \"a:1\"\n[velocity]\ngroup = \"\"\n",
                "LONGHAUL_APPS__DASHBORD__LISTEN",
                [
                    "broker.toml:1: unknown key `bootstap`: did you mean `bootstrap`?",
                    "broker.toml:3: velocity.group is \"\", but a group has a name",
                    "LONGHAUL_APPS__DASHBORD__LISTEN: unknown key `dashbord`: did you mean `dashboard`?",
                ],
            ),
        ] {
            std::fs::write(&file, text)?;
            let wrong = checked(service, &file, &[(variable, "1")])?;
            let said = String::from_utf8(wrong.stderr)?;
            ensure!(wrong.status.code() == Some(1) && wrong.stdout.is_empty(), "{service}: {said}");
            ensure!(said.starts_with(&format!("{service}: the config has 3 mistakes\n")), "{said}");
            for sentence in told {
                ensure!(said.contains(sentence), "{service} does not say {sentence}: {said}");
            }
        }
        Ok(())
    });
}

fn checked(service: &str, file: &str, variables: &[(&str, &str)]) -> Result<std::process::Output> {
    let mut check = Command::new(program(service));
    check.args(["check-config", "--config", file]).env_clear().env("HOME", "nowhere");
    command::run(check.envs(variables.iter().copied()), b"")
}

fn fix(number: u32) -> Vec<u8> {
    format!(
        "{{\"v\":1,\"vehicle_id\":\"truck-1\",\"ts\":\"2026-03-02T10:00:{number:02}Z\",\"lat\":50.0{number:03},\
         \"lon\":8.6,\"boot_id\":\"boot\",\"seq\":{number}}}"
    )
    .into_bytes()
}
