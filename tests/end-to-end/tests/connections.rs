//! What a connection is granted: a place, silence for a while, bytes per second, and an answer at the end.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use end_to_end::{
    Scene, free_address,
    kafka::{Client, FETCH, PRODUCE, batch, create_topic, fetch, fetched, produce, produced},
    mqtt::is_closed_by_peer,
    scene,
};
use kafka_wire::messages::{api_versions::ApiVersionsRequest, fetch::FetchRequest, produce::ProduceRequest};

const TOPIC: &str = "connections";
/// The partition that is produced to, and the other.
const FILLED: i32 = 0;
const EMPTY: i32 = 1;

#[test]
fn limits_of_connections_close_whoever_is_one_too_many_and_the_log_says_so_once() {
    scene(|scene| {
        let other = free_address();
        let config = format!(
            "[broker]\nmax_connections_per_ip = 6\n\
             [[listener]]\nname = \"A\"\naddress = \"127.0.0.1:1\"\nmax_connections = 4\n\
             [[listener]]\nname = \"B\"\naddress = \"{other}\"\n"
        );
        let mut broker = scene.broker_configured(&config)?;
        let mut open: Vec<Client> = (0..4).map(|_| greeted(scene.kafka)).collect::<Result<_>>()?;
        for _ in 0..5 {
            ensure!(is_refused(scene.kafka)?, "the listener is full");
        }
        open.extend([greeted(other)?, greeted(other)?]);
        ensure!(is_refused(other)?, "the address has all that it may have");
        // A place that is left is free for another.
        drop(open.pop());
        until(Duration::from_secs(10), || greeted(other).ok()).context("the place is not free")?;
        let log = broker.log();
        let told = |text: &str| log.lines().filter(|line| line.contains(text)).count();
        ensure!(told("too many connections to this listener") == 1, "{log}");
        ensure!(told("too many connections from this address") == 1, "{log}");
        broker.stop()
    });
}

#[test]
fn a_silent_connection_is_closed_but_not_one_that_waits_for_records() {
    scene(|scene| {
        let mut broker = scene.broker_configured("[broker]\nconnections_max_idle = \"5s\"\n")?;
        let mut waiting = with_topic(scene)?;
        waiting.ask(read(EMPTY, Duration::from_secs(8)), FETCH)?;
        let begin = Instant::now();
        let mut silent = greeted(scene.kafka)?;
        ensure!(is_closed_by_peer(&mut silent.socket), "a silent connection stays open");
        ensure!(begin.elapsed() > Duration::from_secs(4), "closed after {:?}", begin.elapsed());
        let answer = waiting.answer::<FetchRequest>(FETCH)?;
        ensure!(begin.elapsed() > Duration::from_secs(7), "answered after {:?}", begin.elapsed());
        ensure!(fetched(&answer)?.records.is_empty(), "{answer:?}");
        broker.stop()
    });
}

#[test]
fn trap_23_a_client_over_its_quota_is_answered_first_and_then_left_alone() {
    scene(|scene| {
        // Ten seconds are saved up.
        let config = "[quotas]\nproducer_byte_rate = \"20KiB\"\nconsumer_byte_rate = \"20KiB\"\n\
                      [quotas.clients.test]\nconsumer_byte_rate = \"30KiB\"\n";
        let mut broker = scene.broker_configured(config)?;
        let mut client = with_topic(scene)?;
        ensure!(client.call(record(100 << 10), PRODUCE)?.throttle_time_ms == 0, "within what was saved");

        let begin = Instant::now();
        let throttled = client.call(record(140 << 10), PRODUCE)?;
        let told = Duration::from_millis(throttled.throttle_time_ms as u64);
        ensure!(produced(&throttled)?.base_offset == 1, "{throttled:?}");
        ensure!(told > Duration::from_millis(1_000) && told < Duration::from_millis(2_500), "{told:?}");
        ensure!(begin.elapsed() < told, "the answer waited for {:?}", begin.elapsed());
        client.call(ApiVersionsRequest::default(), 0)?;
        ensure!(begin.elapsed() >= told, "listened to after {:?}, told {told:?}", begin.elapsed());

        // Fetching has an allowance of its own, and this client id one that is its own.
        ensure!(client.call(read(FILLED, Duration::ZERO), FETCH)?.throttle_time_ms == 0, "240 of 300 KiB");
        let again = client.call(read(FILLED, Duration::ZERO), FETCH)?;
        ensure!(
            again.throttle_time_ms > 4_000 && !fetched(&again)?.records.is_empty(),
            "{}",
            again.throttle_time_ms
        );
        // Whoever is throttled is so alone.
        let mut other = greeted(scene.kafka)?;
        let asked = Instant::now();
        other.call(ApiVersionsRequest::default(), 0)?;
        ensure!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        broker.stop()
    });
}

#[test]
fn what_was_accepted_before_the_stop_is_answered() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut waiting = with_topic(scene)?;
        waiting.ask(read(EMPTY, Duration::from_secs(60)), FETCH)?;
        let mut producers: Vec<Client> = (0..8).map(|_| greeted(scene.kafka)).collect::<Result<_>>()?;
        for client in &mut producers {
            for _ in 0..5 {
                client.ask(record(10_000), PRODUCE)?;
            }
        }
        // One that was answered shows that the rest has arrived as well, or is on its way.
        let first = producers[0].receive()?.context("closed before the stop")?;
        ensure!(!first.is_empty());
        broker.signal("TERM")?;
        let begin = Instant::now();
        let long_poll = waiting.receive()?;
        ensure!(long_poll.is_some(), "a long poll was not answered");
        ensure!(begin.elapsed() < Duration::from_secs(5), "a long poll held on for {:?}", begin.elapsed());
        // What came before the stop was answered, so as many as are in the log and not fewer.
        let mut answered = 1;
        for client in &mut producers {
            while client.receive()?.is_some() {
                answered += 1;
            }
        }
        ensure!(broker.ended_within(Duration::from_secs(20))?.success(), "{}", broker.last_words());
        broker.start_again()?;
        let kept = end_to_end::topic::count(&scene.bootstrap(), &[TOPIC])?;
        ensure!(kept == answered, "{kept} records are in the log, and {answered} were answered");
        broker.stop()
    });
}

fn greeted(address: std::net::SocketAddr) -> Result<Client> {
    let mut client = Client::connect(address)?;
    client.call(ApiVersionsRequest::default(), 0)?;
    Ok(client)
}

fn is_refused(address: std::net::SocketAddr) -> Result<bool> {
    Ok(is_closed_by_peer(&mut TcpStream::connect(address)?))
}

fn with_topic(scene: &Scene) -> Result<Client> {
    let mut client = greeted(scene.kafka)?;
    create_topic(&mut client, TOPIC, 2)?;
    Ok(client)
}

/// One record of so many bytes.
fn record(bytes: usize) -> ProduceRequest {
    produce(TOPIC, &[FILLED], batch(&vec![7; bytes]))
}

/// From the beginning of a partition.
fn read(partition: i32, wait: Duration) -> FetchRequest {
    fetch(TOPIC, &[(partition, 0)], wait)
}

fn until<T>(within: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        match attempt() {
            None if begin.elapsed() < within => std::thread::sleep(Duration::from_millis(50)),
            result => return result,
        }
    }
}
