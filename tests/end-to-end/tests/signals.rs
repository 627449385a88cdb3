//! Whoever reads that a service serves may stop it at once.

use anyhow::{Context, Result};
use end_to_end::{Scene, free_address, scene};

#[test]
fn a_signal_right_after_the_serving_line_ends_every_service_in_order() {
    scene(|scene| {
        // Each start is one try at a race.
        for _ in 0..3 {
            check(scene).context("ended without having listened")?;
        }
        Ok(())
    });
}

fn check(scene: &Scene) -> Result<()> {
    let folder = |name: &str| scene.path(name).display().to_string();
    let (broker_data, agent_data, certs) = (folder("core-broker"), folder("edge-agent"), folder("certs"));
    let (kafka, quic, mqtt) = (scene.kafka.to_string(), scene.quic.to_string(), scene.mqtt.to_string());
    let free = free_address().to_string();
    let services: [(&str, &[&str]); 3] = [
        (
            "core-broker",
            &["run", "--data", &broker_data, "--kafka", &kafka, "--quic", &quic, "--certs", &certs],
        ),
        (
            "edge-agent",
            &["run", "--data", &agent_data, "--mqtt", &mqtt, "--uplink", &quic, "--certs", &certs],
        ),
        ("stream-apps", &["dashboard", "--bootstrap", &kafka, "--dashboard", &free]),
    ];
    for (name, words) in services {
        let mut service = scene.start(name, name, words)?;
        service.ready()?;
        service.stop()?;
    }
    Ok(())
}
