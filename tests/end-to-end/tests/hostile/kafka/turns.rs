//! Requests that take long or have large answers: nobody else waits for them, and what they hold has a bound.

use std::{
    io::Write,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use end_to_end::{
    kafka::{CLIENT_ID, Client, FETCH, PRODUCE, batch_of, create_topic, fetch, produce, produced},
    scene,
};
use kafka_wire::{
    ErrorCode, Request, encode_request,
    messages::{
        metadata::{MetadataRequest, MetadataRequestTopic},
        offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup},
    },
    record_batch::{Compression, Producer, RecordsEncoder, assemble},
};

use super::{
    METADATA,
    neighbour::Neighbour,
    repeats::{GROUP, commit_metadata},
};
use crate::hostile::check_closed;

const TOPIC: &str = "turns";

const MIB: usize = 1 << 20;

#[test]
fn large_requests_of_a_few_clients_keep_nobody_waiting() {
    const CLIENTS: usize = 4;
    const EACH: usize = 6;
    scene(|scene| {
        let mut broker = scene.broker()?;
        let neighbour = Neighbour::beside(scene.kafka)?;
        let unnamed = MetadataRequestTopic { name: Some(String::new()), ..Default::default() };
        let metadata = MetadataRequest { topics: Some(vec![unnamed; 500_000]), ..Default::default() };
        thread::scope(|threads| {
            let ask = || -> Result<()> {
                let mut client = Client::connect(scene.kafka)?;
                (0..EACH).try_for_each(|_| client.call(metadata.clone(), 1).map(drop))
            };
            let asking: Vec<_> = (0..CLIENTS).map(|_| threads.spawn(ask)).collect();
            asking.into_iter().try_for_each(|asked| asked.join().expect("does not panic"))
        })?;
        neighbour.was_served_within(Duration::from_secs(3))?;
        broker.stop()
    });
}

#[test]
fn answers_that_nobody_reads_have_a_bound() {
    const CLIENTS: usize = 50;
    const TIMES: usize = 3_000;
    // Without a bound it is 1.2 GB.
    const MOST: u64 = 640 << 20;
    // Whoever does not read is given up after 5 s, a few at a time.
    const PATIENCE: Duration = Duration::from_secs(90);
    scene(|scene| {
        let mut broker = scene.broker_configured("[broker]\nrequests_max = \"110MiB\"\n")?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, super::repeats::TOPIC, 2)?;
        commit_metadata(&mut client)?;
        // A few bytes that are answered with 24 MB.
        let group = OffsetFetchRequestGroup { group_id: GROUP.into(), ..Default::default() };
        let asked = OffsetFetchRequest { groups: vec![group; TIMES], ..Default::default() };
        let mut deaf = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = Client::connect(scene.kafka)?;
            client.ask(asked.clone(), 8)?;
            deaf.push(client);
        }
        // Whoever reads has an answer, once enough of those who do not have been given up.
        let until = Instant::now() + PATIENCE;
        while client.call(asked.clone(), 8).is_err() {
            ensure!(Instant::now() < until, "no answer within {PATIENCE:?}");
            client = Client::connect(scene.kafka)?;
        }
        let peak = broker.peak_resident_bytes()?;
        println!("the broker held {} MiB at most", peak >> 20);
        ensure!(peak < MOST, "the broker held {} MiB", peak >> 20);
        drop(deaf);
        broker.stop()
    });
}

#[test]
fn long_polls_with_requests_behind_them_give_way_when_memory_is_short() {
    const PIPELINED: usize = 60;
    scene(|scene| {
        let mut broker =
            scene.broker_configured("[broker]\nrequests_max = \"32MiB\"\nrequest_max = \"16MiB\"\n")?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, TOPIC, 1)?;
        let waiting = send_padded_fetches(scene.kafka, PIPELINED)?;
        // As large as what waits: it comes out of the same half of the memory.
        let large = batch_of(&[&vec![b'x'; 900 << 10]], Producer::NONE);
        for _ in 0..5 {
            let answer = client.call(produce(TOPIC, &[0], large.clone()), PRODUCE)?;
            ensure!(produced(&answer)?.error_code == ErrorCode::None, "{answer:?}");
        }
        drop(waiting);
        broker.stop()
    });
}

/// Long polls at the end of a topic, each with a mebibyte behind its message, which is allowed and says nothing.
fn send_padded_fetches(address: SocketAddr, count: usize) -> Result<thread::JoinHandle<()>> {
    let request = Request::from(fetch(TOPIC, &[(0, 0)], Duration::from_secs(60)));
    let mut frame = encode_request(&request, FETCH, 1, Some(CLIENT_ID))?.concat();
    frame.resize(frame.len() + MIB, 0);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    let mut client = Client::connect(address)?;
    let mut socket = client.socket.try_clone()?;
    client.send(&frame)?;
    // The others are not all read before something happens.
    Ok(thread::spawn(move || while (1..count).all(|_| socket.write_all(&frame).is_ok()) {}))
}

#[test]
fn only_a_produce_may_be_as_large_as_a_request() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let header = |length: usize| [&(length as u32).to_be_bytes()[..], &METADATA.to_be_bytes()].concat();
        check_closed(scene.kafka, "9 MiB of names", &header(9 * MIB))?;
        broker.wait_for_log("at most 8388608 are taken of any but a produce", Duration::from_secs(10))?;
        broker.stop()
    });
}

#[test]
fn of_many_records_that_are_refused_the_first_are_told() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, TOPIC, 1)?;
        let mut records = RecordsEncoder::new();
        for _ in 0..20_000 {
            records.push(i64::MAX / 2, None, Some(b"far ahead"), &[]);
        }
        let batch: Bytes = assemble(&records.finish(Compression::None)?, Producer::NONE).freeze();
        let answer = client.call(produce(TOPIC, &[0], batch), PRODUCE)?;
        let told = produced(&answer)?;
        ensure!(told.error_code == ErrorCode::InvalidTimestamp, "{:?}", told.error_code);
        let (first, last) = (told.record_errors.first(), told.record_errors.last());
        let indexes = first.zip(last).map(|(first, last)| (first.batch_index, last.batch_index));
        ensure!(indexes.context("none is told")? == (0, 499), "{indexes:?}");
        broker.stop()
    });
}
