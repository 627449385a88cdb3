//! The port for Kafka clients.

mod bombs;
mod crowds;
mod frames;
mod neighbour;
mod repeats;
mod turns;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use anyhow::{Result, ensure};
use end_to_end::{Scene, mqtt::open, scene};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};

use super::{Memory, check_closed, idle, noise};

const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;

#[test]
fn clients_that_send_rubbish_harm_nobody_else() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let good = producer(scene)?;
        produce(&good)?;
        let mut raw = greeted(scene)?;
        let memory = Memory::of(&broker)?;

        let idle = idle(scene.kafka)?;
        for (what, bytes) in rubbish() {
            check_closed(scene.kafka, what, &bytes)?;
            ask_versions(&mut raw)?;
        }
        half_a_request_and_gone(scene)?;
        let promising = promises_a_lot(scene)?;
        let deaf = never_reads(scene)?;
        produce(&good)?;
        produce(&producer(scene)?)?;
        ask_versions(&mut raw)?;
        memory.check(&mut broker)?;
        drop((idle, promising, deaf));
        broker.stop()
    });
}

fn rubbish() -> Vec<(&'static str, Vec<u8>)> {
    let after_greeting = |bytes: &[u8]| [request(API_VERSIONS, 0, &[]), bytes.to_vec()].concat();
    let length = |length: i32| [&length.to_be_bytes()[..], &[0; 64]].concat();
    vec![
        // A length that a frame may have would be waited for.
        ("random bytes", [&[0xde, 0xad, 0xbe, 0xef][..], &noise(1, 4096)].concat()),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n".to_vec()),
        ("the length 2^31-1", length(i32::MAX)),
        ("the length -1", length(-1)),
        ("the length 0", length(0)),
        ("a request shorter than its header", frame(&[0, 18])),
        ("an API that does not exist", request(999, 0, &[])),
        ("a version that does not exist", request(METADATA, 99, &[])),
        ("a negative version", request(METADATA, -1, &[])),
        ("a client id that is no UTF-8", frame(&[0, 3, 0, 0, 0, 0, 0, 1, 0, 2, 0xff, 0xfe])),
        ("an array of 2^31-1 topics", after_greeting(&request(METADATA, 1, &i32::MAX.to_be_bytes()))),
        (
            "a string longer than its request",
            after_greeting(&request(METADATA, 1, &[0, 0, 0, 1, 0x7f, 0xff])),
        ),
        (
            "a compact array of 2^32 topics",
            after_greeting(&request(METADATA, 9, &[0, 0xff, 0xff, 0xff, 0xff, 0x0f])),
        ),
        ("a varint without end", after_greeting(&request(METADATA, 9, &[0xff; 32]))),
        ("noise in a produce", after_greeting(&request(PRODUCE, 7, &noise(2, 500)))),
        ("noise in a fetch", after_greeting(&request(FETCH, 11, &noise(3, 500)))),
        ("noise after the greeting", after_greeting(&length(-7))),
    ]
}

fn half_a_request_and_gone(scene: &Scene) -> Result<()> {
    let whole = request(API_VERSIONS, 0, &[]);
    for length in [1, 3, 4, 9, whole.len() - 1] {
        let mut socket = open(scene.kafka)?;
        socket.write_all(&whole[..length])?;
        socket.shutdown(Shutdown::Both)?;
    }
    Ok(())
}

/// A length that is allowed, for which nothing may be reserved before the bytes are there.
fn promises_a_lot(scene: &Scene) -> Result<Vec<TcpStream>> {
    const LENGTH: u32 = 99 << 20;
    let announced = [&LENGTH.to_be_bytes()[..], &noise(9, 1_000)].concat();
    let mut open_connections = Vec::new();
    for _ in 0..20 {
        let mut socket = open(scene.kafka)?;
        socket.write_all(&announced)?;
        open_connections.push(socket);
    }
    Ok(open_connections)
}

/// Asks without end and reads nothing.
fn never_reads(scene: &Scene) -> Result<TcpStream> {
    let mut socket = open(scene.kafka)?;
    socket.set_write_timeout(Some(Duration::from_secs(2)))?;
    // All topics, again and again.
    let asked = request(METADATA, 1, &(-1i32).to_be_bytes()).repeat(1_000);
    for _ in 0..1_000 {
        if socket.write_all(&asked).is_err() {
            break;
        }
    }
    Ok(socket)
}

fn greeted(scene: &Scene) -> Result<TcpStream> {
    let mut socket = open(scene.kafka)?;
    ask_versions(&mut socket)?;
    Ok(socket)
}

fn ask_versions(socket: &mut TcpStream) -> Result<()> {
    socket.write_all(&request(API_VERSIONS, 0, &[]))?;
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut answer)?;
    // Correlation id, then no error.
    ensure!(answer.starts_with(&[0, 0, 0, 7, 0, 0]), "{answer:?}");
    Ok(())
}

fn request(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = [api.to_be_bytes(), version.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 7, 0, 3]);
    bytes.extend(b"bad");
    // Metadata is flexible from version 9 on: the header has tags.
    if api == METADATA && version >= 9 {
        bytes.push(0);
    }
    bytes.extend(body);
    frame(&bytes)
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn producer(scene: &Scene) -> Result<BaseProducer> {
    let producer = ClientConfig::new()
        .set("bootstrap.servers", scene.bootstrap())
        .set("message.timeout.ms", "15000")
        .create()?;
    Ok(producer)
}

/// A record that must be taken at once, over a connection that was there before.
fn produce(producer: &BaseProducer) -> Result<()> {
    producer.send(BaseRecord::<(), str>::to("good").payload("still served")).map_err(|(error, _)| error)?;
    producer.flush(Duration::from_secs(15))?;
    ensure!(producer.in_flight_count() == 0, "not taken");
    Ok(())
}
