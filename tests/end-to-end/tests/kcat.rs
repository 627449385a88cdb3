//! kcat, a client that was not written for this broker.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::{Scene, command, ledger, mqtt, scene};

#[test]
fn kcat_lists_produces_in_every_compression_and_reads_by_offset_and_time() {
    if !command::is_installed("kcat") {
        return;
    }
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut all = String::new();
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let lines: String = (0..100).map(|number| format!("{codec}-{number:04}\n")).collect();
            let producing = ["-P", "-t", "letters", "-z", codec, "-X", "acks=all"];
            command::output(kcat(scene, &producing), lines.as_bytes())?;
            all.push_str(&lines);
        }
        let listing = command::output(kcat(scene, &["-L"]), b"")?;
        ensure!(listing.contains("topic \"letters\" with 1 partitions"), "{listing}");
        ensure!(listing.contains(&format!("broker 1 at {}", scene.kafka)), "{listing}");

        let read = ["-C", "-t", "letters", "-p", "0", "-e", "-q", "-X", "check.crcs=true"];
        let from = |offset: &str| {
            let mut args = read.to_vec();
            args.extend(["-o", offset]);
            command::output(kcat(scene, &args), b"")
        };
        ensure!(from("beginning")? == all, "what was read is not what was produced");
        ensure!(from("498")? == "zstd-0098\nzstd-0099\n", "from offset 498: {}", from("498")?);
        ensure!(from("-1")? == "zstd-0099\n", "the last one: {}", from("-1")?);
        let time = timestamp_of(scene, 250)?;
        let later = from(&format!("s@{time}"))?;
        // Records of one millisecond before it may share its time.
        ensure!(later.contains("snappy-0050\n") && later.ends_with("zstd-0099\n"), "from {time}: {later}");
        ensure!(later.lines().count() < 500, "from {time}: everything");
        broker.stop()
    });
}

#[test]
fn a_group_goes_on_after_a_kill_where_it_committed() {
    if !command::is_installed("kcat") {
        return;
    }
    scene(|scene| {
        let mut broker = scene.broker()?;
        let produce = |line: &str| command::output(kcat(scene, &["-P", "-t", "work"]), line.as_bytes());
        let consume = || {
            let group = ["-G", "workers", "-q", "-e", "-X", "auto.offset.reset=earliest", "work"];
            command::output(kcat(scene, &group), b"")
        };
        produce("one\ntwo\n")?;
        let first = consume()?;
        ensure!(first == "one\ntwo\n", "first: {first}");
        broker.kill_and_start_again()?;
        produce("three\n")?;
        let second = consume()?;
        ensure!(second == "three\n", "after the kill: {second}");
        broker.stop()
    });
}

#[test]
fn kcat_reads_what_a_device_published() {
    if !command::is_installed("kcat") {
        return;
    }
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut agent = scene.agent()?;
        let mut devices = scene.devices(&[
            "fleet",
            "--trucks=3",
            "--persons=0",
            "--seconds=2",
            "--speed-up=600",
            "--seed=5",
        ])?;
        devices.end()?;
        let acknowledged = devices.acknowledged()?;
        ledger::check_exactly_once(&scene.bootstrap(), &acknowledged)?;
        let read = ["-C", "-t", "trucks_gps", "-o", "beginning", "-e", "-q", "-f", "%k %s\\n"];
        let text = command::output(kcat(scene, &read), b"")?;
        ensure!(text.lines().count() == acknowledged.len(), "{} lines", text.lines().count());
        for line in text.lines() {
            let (key, value) = line.split_once(' ').context("key and value")?;
            let fix: serde_json::Value = serde_json::from_str(value)?;
            ensure!(fix["vehicle_id"] == key, "{line}");
        }
        // Still there for a device that comes later.
        mqtt::Device::connect(scene.mqtt, mqtt::V3_1_1, "late")?.ping()?;
        agent.stop()?;
        broker.stop()
    });
}

fn kcat(scene: &Scene, args: &[&str]) -> &'static mut Command {
    // A command lives as long as the test, so that it can be built in one expression.
    let command = Box::leak(Box::new(Command::new("kcat")));
    command.args(["-b", &scene.bootstrap(), "-X", "allow.auto.create.topics=true"]).args(args)
}

fn timestamp_of(scene: &Scene, offset: i64) -> Result<i64> {
    let offset = offset.to_string();
    let args = ["-C", "-t", "letters", "-p", "0", "-o", &offset, "-c", "1", "-q", "-f", "%T"];
    Ok(command::output(kcat(scene, &args), b"")?.trim().parse()?)
}
