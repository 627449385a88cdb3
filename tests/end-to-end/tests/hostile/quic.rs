//! The port for edge agents.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use end_to_end::{Scene, mqtt::Device, mqtt::V5, scene, topic};
use quinn::{ClientConfig, Connection, Endpoint, crypto::rustls::QuicClientConfig};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
    version::TLS13,
};
use tokio::time::timeout;
use uplink_wire::{ALPN, Frame, Hello, OpenLane, RefusalCode, VERSION};

use super::{Memory, noise};

const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn agents_that_send_rubbish_harm_nobody_else() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut agent = scene.agent()?;
        let mut device = Device::connect(scene.mqtt, V5, "truck-1")?;
        publish(scene, &mut device, 1)?;
        let memory = Memory::of(&broker)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            datagrams_of_noise(scene)?;
            timeout(PATIENCE, no_certificate(scene)).await.context("without a certificate")??;
            for (what, bytes, code) in rubbish() {
                let refused = timeout(PATIENCE, refusal(scene, &bytes)).await;
                let refused = refused.with_context(|| format!("{what}: neither refused nor closed"))?;
                let found = refused.with_context(|| what.to_owned())?;
                ensure!(found.is_none_or(|found| found == code), "{what}: {found:?}");
            }
            Ok(())
        })?;
        publish(scene, &mut device, 2)?;
        memory.check(&mut broker)?;
        ensure!(agent.is_alive(), "the agent is dead: {}", agent.last_words());
        let connections = agent.log().matches("connected broker").count();
        ensure!(connections == 1, "the good agent had to connect {connections} times");
        agent.stop()?;
        broker.stop()
    });
}

/// A fix that takes the whole way.
fn publish(scene: &Scene, device: &mut Device, all: usize) -> Result<()> {
    let fix = br#"{"v":1,"vehicle_id":"truck-1","ts":"2026-03-02T06:00:00Z","lat":50,"lon":8}"#;
    device.publish_and_wait("fleet/trucks/truck-1/gps", fix)?;
    topic::read_until(&scene.bootstrap(), &["trucks_gps"], PATIENCE, |records| records.len() == all)?;
    Ok(())
}

/// What is sent on a stream, and how it is refused where it is answered at all.
fn rubbish() -> Vec<(&'static str, Vec<u8>, RefusalCode)> {
    let hello = Frame::Hello(Hello {
        min_version: VERSION,
        max_version: VERSION,
        agent_id: "bad".into(),
        boot: 1,
        topics: Vec::new(),
    });
    let newer = Frame::Hello(Hello {
        min_version: 200,
        max_version: 201,
        agent_id: "newer".into(),
        boot: 1,
        topics: Vec::new(),
    });
    let mut flipped = encoded(&hello);
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    let mut endless = encoded(&hello);
    endless[..4].copy_from_slice(&(i32::MAX as u32).to_be_bytes());
    let lane = Frame::OpenLane(OpenLane {
        topic: "trucks_gps".into(),
        partition: 0,
        class: uplink_wire::Class::Live,
        producer: None,
    });
    vec![
        ("random bytes", noise(5, 4096), RefusalCode::Protocol),
        ("the length 2^31-1", endless, RefusalCode::Protocol),
        ("the length -1", vec![0xff; 64], RefusalCode::Protocol),
        ("the length 0", vec![0; 64], RefusalCode::Protocol),
        ("a flipped bit", flipped, RefusalCode::Protocol),
        ("another version", encoded(&newer), RefusalCode::UnsupportedVersion),
        ("a lane before the hello", encoded(&lane), RefusalCode::Protocol),
        ("an ack from an agent", encoded(&Frame::Ack { through_sequence: 1 }), RefusalCode::Protocol),
        ("noise after the hello", [encoded(&hello), noise(6, 4096)].concat(), RefusalCode::Protocol),
        ("two hellos", [encoded(&hello), encoded(&hello)].concat(), RefusalCode::Protocol),
    ]
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    uplink_wire::encode(frame, &mut bytes);
    bytes.to_vec()
}

/// Sends the bytes on a stream of a legal connection; the code of the refusal, or `None` when the stream or
/// the connection was closed without one.
async fn refusal(scene: &Scene, bytes: &[u8]) -> Result<Option<RefusalCode>> {
    let certs = certs::development(&scene.path("certs"))?;
    let config = certs::client_config(&certs.agent, ALPN)?;
    let (_endpoint, connection) = connect(scene, config).await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    // It may close the stream before it has everything.
    let _ = send.write_all(bytes).await;
    let mut buffer = BytesMut::new();
    loop {
        while let Some(frame) = uplink_wire::decode(&mut buffer)? {
            match frame {
                Frame::Refused(refusal) => return Ok(Some(refusal.code)),
                Frame::Welcome(_) => {}
                other => bail!("an answer to rubbish: {other:?}"),
            }
        }
        match receive.read_chunk(4096, true).await {
            Ok(Some(chunk)) => buffer.extend_from_slice(&chunk.bytes),
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}

async fn connect(scene: &Scene, tls: rustls::ClientConfig) -> Result<(Endpoint, Connection)> {
    let mut endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?)));
    let connection = endpoint.connect(scene.quic, certs::DEVELOPMENT_BROKER)?.await?;
    Ok((endpoint, connection))
}

/// TLS 1.3 lets a client believe for a moment that it is connected: it hears of it with its first stream.
async fn no_certificate(scene: &Scene) -> Result<()> {
    let made = certs::development(&scene.path("certs"))?;
    let mut roots = rustls::RootCertStore::empty();
    for ca in CertificateDer::pem_file_iter(&made.agent.ca)? {
        roots.add(ca?)?;
    }
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let Ok((_endpoint, connection)) = connect(scene, config).await else { return Ok(()) };
    let reason = connection.closed().await.to_string();
    ensure!(reason.to_lowercase().contains("certificate"), "closed for another reason: {reason}");
    Ok(())
}

fn datagrams_of_noise(scene: &Scene) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for seed in 0..2_000 {
        socket.send_to(&noise(seed, 1 + seed as usize % 1_400), scene.quic)?;
    }
    Ok(())
}
