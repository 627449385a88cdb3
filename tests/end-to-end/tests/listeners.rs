//! Where clients come in, and which address they are told.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use end_to_end::{Scene, free_address, kafka::Client, scene};
use kafka_wire::messages::{
    find_coordinator::{FindCoordinatorRequest, GROUP},
    metadata::MetadataRequest,
};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};

#[test]
fn trap_28_localhost_is_served_on_ipv6_and_ipv4_and_named_to_clients() {
    scene(|scene| {
        let port = scene.kafka.port();
        let mut broker = start(scene, &format!("localhost:{port}"))?;
        broker.ready()?;
        let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
        // A machine without IPv6 has nobody who could ask for it.
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            addresses.push((Ipv6Addr::LOCALHOST, port).into());
        }
        for address in addresses {
            ensure!(told(address)? == ("localhost".to_owned(), i32::from(port)), "through {address}");
            produce(&address.to_string()).with_context(|| format!("through {address}"))?;
        }
        produce(&format!("localhost:{port}"))?;
        broker.stop()
    });
}

#[test]
fn a_client_is_told_the_address_of_the_listener_that_it_came_through() {
    scene(|scene| {
        let outside = free_address();
        let config = format!(
            "[[listener]]\nname = \"INSIDE\"\naddress = \"127.0.0.1:1\"\n\
             [[listener]]\nname = \"OUTSIDE\"\naddress = \"{outside}\"\n\
             advertised = \"broker.example.com:19092\"\n"
        );
        let mut broker = scene.broker_configured(&config)?;
        ensure!(told(scene.kafka)? == ("127.0.0.1".to_owned(), i32::from(scene.kafka.port())));
        ensure!(told(outside)? == ("broker.example.com".to_owned(), 19092));
        broker.stop()
    });
}

#[test]
fn a_port_that_is_taken_is_told_and_nothing_is_written() {
    scene(|scene| {
        let port = scene.kafka.port();
        for (taken, asked) in [
            (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), format!("127.0.0.1:{port}")),
            (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), format!("localhost:{port}")),
            (SocketAddr::from((Ipv6Addr::LOCALHOST, port)), format!("localhost:{port}")),
        ] {
            let Ok(_other) = TcpListener::bind(taken) else { continue };
            let mut broker = start(scene, &asked)?;
            let status = broker.ended_within(Duration::from_secs(20))?;
            ensure!(status.code() == Some(1), "{status}");
            let told = broker.last_words();
            let expected = format!("cannot listen on {taken} for Kafka clients");
            ensure!(told.contains(&expected) && told.contains("give another address"), "{told}");
            ensure!(!scene.path("core-broker").join("metadata").exists(), "it has begun a log");
        }
        Ok(())
    });
}

fn start(scene: &Scene, kafka: &str) -> Result<end_to_end::Process> {
    let (data, certs) = (scene.path("core-broker"), scene.path("certs"));
    let (data, certs) = (data.to_string_lossy(), certs.to_string_lossy());
    let quic = scene.quic.to_string();
    let args = ["run", "--data", &data, "--kafka", kafka, "--quic", &quic, "--certs", &certs];
    scene.start("core-broker", "core-broker", &args)
}

/// Host and port of the one broker, which Metadata and FindCoordinator say alike.
fn told(address: SocketAddr) -> Result<(String, i32)> {
    let mut client = Client::connect(address)?;
    let metadata = client.call(MetadataRequest { topics: Some(Vec::new()), ..Default::default() }, 12)?;
    let broker = metadata.brokers.first().context("no broker")?;
    let asked =
        FindCoordinatorRequest { key_type: GROUP, coordinator_keys: vec!["g".into()], ..Default::default() };
    let found = client.call(asked, 4)?.coordinators.pop().context("no coordinator")?;
    let told = (broker.host.clone(), broker.port);
    ensure!((found.host, found.port) == told, "the coordinator is elsewhere than {told:?}");
    Ok(told)
}

fn produce(bootstrap: &str) -> Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("message.timeout.ms", "15000")
        .create()?;
    producer.send(BaseRecord::<(), str>::to("listeners").payload("x")).map_err(|(error, _)| error)?;
    producer.flush(Duration::from_secs(15))?;
    ensure!(producer.in_flight_count() == 0, "not taken");
    Ok(())
}
