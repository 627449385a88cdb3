//! Many connections, slow ones, ones that never read, and requests that ask for too much at once.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use end_to_end::{
    kafka::{Client, FETCH, PRODUCE, batch, create_topic, fetch, produce, produced},
    scene,
};
use kafka_wire::{
    ErrorCode,
    messages::{
        api_versions::ApiVersionsRequest,
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::{MetadataRequest, MetadataRequestTopic},
        produce::ProduceRequest,
    },
};

use super::neighbour::Neighbour;
use crate::hostile::{Memory, noise};

const IDLE: usize = 10_000;

/// Open files of this process and of the broker beside the idle connections.
const OTHER_FILES: u64 = 1_000;

/// What an idle connection may cost the broker.
const IDLE_BYTES: u64 = 12 << 10;

#[test]
fn ten_thousand_idle_connections_cost_little_and_a_neighbour_is_served() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(0);
    if files < IDLE as u64 + OTHER_FILES {
        println!("skipped: {files} open files are allowed here, {IDLE} connections need more");
        return;
    }
    scene(|scene| {
        let mut broker = scene.broker_configured("[broker]\nmax_connections = 20000\n")?;
        let neighbour = Neighbour::beside(scene.kafka)?;
        let before = broker.resident_bytes()?;
        let mut idle = Vec::new();
        for _ in 0..IDLE {
            let mut client = Client::connect(scene.kafka)?;
            client.ask(ApiVersionsRequest::default(), 2)?;
            idle.push(client);
        }
        // Each has been served once, as real ones have.
        for client in &mut idle {
            client.answer::<ApiVersionsRequest>(2)?;
        }
        let each = broker.resident_bytes()?.saturating_sub(before) / IDLE as u64;
        println!("{IDLE} idle connections cost {each} bytes each");
        ensure!(each < IDLE_BYTES, "{each} bytes each");
        neighbour.was_served()?;
        drop(idle);
        broker.stop()
    });
}

#[test]
fn who_promises_large_requests_and_sends_them_slowly_is_given_up_when_others_need_the_memory() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut good = Client::connect(scene.kafka)?;
        create_topic(&mut good, "large", 1)?;
        let neighbour = Neighbour::beside(scene.kafka)?;
        let memory = Memory::of(&broker)?;
        // More than all requests may hold, by 40 who send a byte now and then.
        let promise = [&(99u32 << 20).to_be_bytes()[..], &noise(9, 100)].concat();
        let mut slow = Vec::new();
        for _ in 0..40 {
            let mut client = Client::connect(scene.kafka)?;
            client.send(&promise)?;
            slow.push(client);
        }
        let begin = Instant::now();
        good.ask(produce("large", &[0], batch(&[7; 500 << 10])), PRODUCE)?;
        while begin.elapsed() < Duration::from_secs(3) {
            for client in &mut slow {
                // The broker may have hung up.
                let _ = client.socket.write(&[0]);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let answer = good.answer::<ProduceRequest>(PRODUCE)?;
        let partition = produced(&answer)?;
        ensure!(partition.error_code == ErrorCode::None, "{partition:?}");
        let served = begin.elapsed();
        println!("a request of 500 KiB was served after {served:?}");
        ensure!(served < Duration::from_secs(5), "a request of 500 KiB waited for {served:?}");
        neighbour.was_served()?;
        memory.check(&mut broker)?;
        broker.stop()
    });
}

#[test]
fn who_fetches_and_never_reads_holds_no_memory() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, "plenty", 1)?;
        for _ in 0..40 {
            client.call(produce("plenty", &[0], batch(&[7; 1_000_000])), PRODUCE)?;
        }
        let neighbour = Neighbour::beside(scene.kafka)?;
        let memory = Memory::of(&broker)?;
        let mut deaf = Vec::new();
        for _ in 0..50 {
            let mut client = Client::connect(scene.kafka)?;
            for _ in 0..20 {
                client.ask(fetch("plenty", &[(0, 0)], Duration::ZERO), FETCH)?;
            }
            deaf.push(client);
        }
        // Each has been answered as far as its socket takes it.
        for client in &deaf {
            let mut first = [0; 4];
            client.socket.peek(&mut first)?;
        }
        neighbour.was_served()?;
        memory.check(&mut broker)?;
        broker.stop()
    });
}

#[test]
fn requests_for_much_that_does_not_exist_are_answered_with_as_many_errors() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let neighbour = Neighbour::beside(scene.kafka)?;
        let memory = Memory::of(&broker)?;
        let mut client = Client::connect(scene.kafka)?;
        let partitions: Vec<i32> = (0..1_000).collect();
        let offsets: Vec<(i32, i64)> = partitions.iter().map(|partition| (*partition, 0)).collect();

        let answer = client.call(produce("nowhere", &partitions, batch(b"x")), PRODUCE)?;
        let codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|it| it.error_code);
        check_all("produce", codes, ErrorCode::UnknownTopicOrPartition)?;

        let answer = client.call(fetch("nowhere", &offsets, Duration::ZERO), FETCH)?;
        let codes = answer.responses.iter().flat_map(|topic| &topic.partitions).map(|it| it.error_code);
        check_all("fetch", codes, ErrorCode::UnknownTopicOrPartition)?;

        let of_partition = |index: &i32| ListOffsetsPartition {
            partition_index: *index,
            timestamp: -1,
            ..Default::default()
        };
        let topic = ListOffsetsTopic {
            name: "nowhere".into(),
            partitions: partitions.iter().map(of_partition).collect(),
        };
        let asked = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = client.call(asked, 7)?;
        let codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|it| it.error_code);
        check_all("list offsets", codes, ErrorCode::UnknownTopicOrPartition)?;

        for (name_bytes, version) in [(250, 1), (i16::MAX as usize, 1), (i16::MAX as usize, 12)] {
            let answer = client.call(metadata(vec!["x".repeat(name_bytes)], true), version)?;
            let codes: Vec<_> = answer.topics.iter().map(|topic| topic.error_code).collect();
            ensure!(codes == [ErrorCode::InvalidTopicException], "{name_bytes}: {codes:?}");
        }
        let begin = Instant::now();
        let names = (0..100_000).map(|number| format!("nowhere-{number}")).collect();
        let answer = client.call(metadata(names, false), 12)?;
        ensure!(answer.topics.len() == 100_000);
        ensure!(answer.topics.iter().all(|topic| topic.error_code == ErrorCode::UnknownTopicOrPartition));
        println!("100,000 topics were not found in {:?}", begin.elapsed());
        // The answer of one request is gone, and the memory that it took is free for the next.
        neighbour.was_served()?;
        memory.check(&mut broker)?;
        broker.stop()
    });
}

fn check_all(what: &str, codes: impl Iterator<Item = ErrorCode>, expected: ErrorCode) -> Result<()> {
    let codes: Vec<ErrorCode> = codes.collect();
    ensure!(codes.len() == 1_000 && codes.iter().all(|code| *code == expected), "{what}: {codes:?}");
    Ok(())
}

fn metadata(names: Vec<String>, may_create: bool) -> MetadataRequest {
    let named = |name| MetadataRequestTopic { name: Some(name), ..Default::default() };
    MetadataRequest {
        topics: Some(names.into_iter().map(named).collect()),
        allow_auto_topic_creation: may_create,
        ..Default::default()
    }
}
