//! The port for devices.

use std::{io::Write, net::Shutdown, time::Duration};

use anyhow::{Result, ensure};
use end_to_end::{
    Scene,
    mqtt::{self, Device, V3_1_1, V5, connect, is_closed_by_peer, packet, publish},
    scene, topic,
};

use super::{Memory, check_closed, idle, noise};

#[test]
fn devices_that_send_rubbish_harm_nobody_else() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut agent = scene.agent()?;
        let mut good = Device::connect(scene.mqtt, V5, "good")?;
        let memory = Memory::of(&agent)?;

        let mut idle = idle(scene.mqtt)?;
        for (what, bytes) in rubbish() {
            check_closed(scene.mqtt, what, &bytes)?;
            good.ping()?;
        }
        half_a_packet_and_gone(scene)?;
        let deaf = never_reads(scene)?;
        good.ping()?;
        ensure!(good.publish_and_wait("fleet/trucks/good/gps", &fix("good", 50.0, 8.0))? == 0, "refused");
        Device::connect(scene.mqtt, V3_1_1, "another")?.ping()?;
        // Whoever never says who he is does not keep a place.
        for silent in &mut idle {
            ensure!(is_closed_by_peer(silent), "a connection without CONNECT is kept");
        }
        good.ping()?;
        memory.check(&mut agent)?;
        drop((idle, deaf));
        agent.stop()?;
        broker.stop()
    });
}

#[test]
fn fixes_that_cannot_be_true_are_acknowledged_and_kept_apart_with_the_reason() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut agent = scene.agent()?;
        let gps = "fleet/trucks/truck-1/gps";
        // What is wrong, and the word that the reason must have.
        let table: [(Vec<u8>, &str); 7] = [
            (fix("truck-1", 91.0, 8.0), "lat"),
            (fix("truck-1", 50.0, -180.5), "lon"),
            (fix("truck-2", 50.0, 8.0), "vehicle_id"),
            (br#"{"v":1,"vehicle_id":"truck-1","ts":"2026-03-02T06:00:00Z","lat":NaN,"lon":8}"#.to_vec(), ""),
            (
                br#"{"v":1,"vehicle_id":"truck-1","ts":"2026-03-02T06:00:00Z","lat":1e999,"lon":8}"#.to_vec(),
                "",
            ),
            (b"\xff\xfe no JSON".to_vec(), ""),
            (Vec::new(), ""),
        ];
        for (version, expected) in [(V3_1_1, 0), (V5, 0x99)] {
            let mut device = Device::connect(scene.mqtt, version, "truck-1")?;
            for (payload, _) in &table {
                let reason = device.publish_and_wait(gps, payload)?;
                ensure!(reason == expected, "version {version}: {reason:#x}, not {expected:#x}");
            }
            // The connection is still good.
            ensure!(device.publish_and_wait(gps, &fix("truck-1", 50.0, 8.0))? == 0, "refused");
        }
        let all = 2 * table.len();
        let patience = Duration::from_secs(20);
        let bootstrap = scene.bootstrap();
        let rejected = topic::read_until(&bootstrap, &["gps_rejected"], patience, |it| it.len() >= all)?;
        let expected = table.iter().cycle();
        for (record, (payload, word)) in rejected.iter().zip(expected) {
            let reason = record.headers.get("reason").cloned().unwrap_or_default();
            ensure!(record.value == *payload, "another payload with the reason {reason}");
            ensure!(!reason.is_empty() && reason.contains(word), "{reason:?} does not name {word}");
        }
        ensure!(rejected.len() == all, "{} rejected instead of {all}", rejected.len());
        let accepted = topic::read_until(&bootstrap, &["trucks_gps"], patience, |it| it.len() >= 2)?;
        ensure!(accepted.len() == 2, "{} accepted instead of 2", accepted.len());
        agent.stop()?;
        broker.stop()
    });
}

fn rubbish() -> Vec<(&'static str, Vec<u8>)> {
    let after_connect = |bytes: &[u8]| [connect(V5, "bad"), bytes.to_vec()].concat();
    let bad_text = [0, 4, b'a', 0xff, 0xfe, b'b'];
    vec![
        ("random bytes", noise(1, 4096)),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n".to_vec()),
        ("a TLS hello", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &noise(2, 508)].concat()),
        ("a publish before the connect", publish(V3_1_1, "fleet/a/b/gps", 1, b"{}")),
        ("a version that does not exist", connect(99, "bad")),
        ("a client id that is no UTF-8", {
            let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
            body.extend(bad_text);
            packet(0x10, &body)
        }),
        ("the longest length there is", vec![0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4]),
        ("a length of five bytes", vec![0x10, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("two connects", after_connect(&connect(V5, "bad"))),
        ("a reserved packet after the connect", after_connect(&packet(0x00, b""))),
        ("random bytes after the connect", after_connect(&noise(3, 4096))),
        ("a length beyond the limit after the connect", after_connect(&[0x32, 0xff, 0xff, 0xff, 0x7f])),
        ("a topic that is no UTF-8", after_connect(&packet(0x32, &[&bad_text[..], &[0, 1, 0]].concat()))),
        ("a topic longer than its packet", after_connect(&packet(0x32, &[0xff, 0xff, b'a']))),
        ("a publish with QoS 3", after_connect(&packet(0x36, &[0, 1, b'a', 0, 1, 0]))),
    ]
}

fn half_a_packet_and_gone(scene: &Scene) -> Result<()> {
    for length in [1, 2, 7, 12] {
        let mut socket = mqtt::open(scene.mqtt)?;
        socket.write_all(&connect(V5, "half")[..length])?;
        socket.shutdown(Shutdown::Both)?;
    }
    Ok(())
}

/// Subscribes to itself, publishes a lot and reads nothing of it.
fn never_reads(scene: &Scene) -> Result<Device> {
    let mut device = Device::connect(scene.mqtt, V3_1_1, "deaf")?;
    device.send(&packet(0x82, &[0, 1, 0, 1, b'#', 0]))?;
    device.socket.set_write_timeout(Some(Duration::from_secs(2)))?;
    let payload = noise(4, 16 << 10);
    // QoS 0 on a topic that no route takes: the local broker's alone.
    let message = packet(0x30, &[&[0, 4, b'e', b'c', b'h', b'o'][..], &payload].concat());
    for _ in 0..6_000 {
        if device.send(&message).is_err() {
            break;
        }
    }
    Ok(device)
}

fn fix(vehicle: &str, lat: f64, lon: f64) -> Vec<u8> {
    format!(r#"{{"v":1,"vehicle_id":"{vehicle}","ts":"2026-03-02T06:00:00Z","lat":{lat},"lon":{lon}}}"#)
        .into_bytes()
}
