//! Requests that say the same thing again and again, each time for a few bytes: what they may cost while they
//! are worked on.

use std::{io::Write, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use end_to_end::{
    Process,
    kafka::{
        CLIENT_ID, Client, FETCH, PRODUCE, batch, batch_of, create_topic, fetch, fetched, produce, produced,
    },
    scene,
};
use kafka_wire::{
    ErrorCode, Request, encode_request,
    messages::{
        describe_groups::DescribeGroupsRequest,
        describe_producers::{DescribeProducersRequest, TopicRequest},
        fetch::FetchRequest,
        find_coordinator::FindCoordinatorRequest,
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::{MetadataRequest, MetadataRequestTopic},
        offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup},
    },
    record_batch::Producer,
};

use super::neighbour::Neighbour;
use crate::hostile::Memory;

pub const TOPIC: &str = "again";
pub const GROUP: &str = "again";

/// Its answers would be gigabytes.
const TIMES: usize = 3_000;

/// What one attack may cost while it lasts.
const MOST: u64 = 256 << 20;

#[test]
fn what_a_request_names_again_and_again_is_told_once() {
    beside_a_neighbour(|client| {
        let producers: Vec<Bytes> = (0..500).map(by_producer).collect();
        for batch in producers {
            client.call(produce(TOPIC, &[0], batch), PRODUCE)?;
        }
        commit_metadata(client)?;

        let topic = TopicRequest { name: TOPIC.into(), partition_indexes: vec![0; TIMES] };
        let answer = client.call(DescribeProducersRequest { topics: vec![topic] }, 0)?;
        let told: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
        ensure!(told.len() == 1 && told[0].active_producers.len() == 500, "{} producers", told.len());

        let group = OffsetFetchRequestGroup { group_id: GROUP.into(), ..Default::default() };
        let groups = vec![group; TIMES];
        let answer = client.call(OffsetFetchRequest { groups, ..Default::default() }, 8)?;
        // Each time, as by Apache Kafka, and within the limit of an answer.
        ensure!(answer.groups.len() == TIMES, "{} groups", answer.groups.len());

        let groups = vec![GROUP.into(); TIMES];
        let answer = client.call(DescribeGroupsRequest { groups, ..Default::default() }, 5)?;
        ensure!(answer.groups.len() == 1, "{} groups", answer.groups.len());

        let newest = ListOffsetsPartition { partition_index: 0, timestamp: -1, ..Default::default() };
        let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![newest; TIMES] };
        let asked = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = client.call(asked, 7)?;
        let codes: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
        ensure!(codes.len() == 1 && codes[0].error_code == ErrorCode::InvalidRequest, "{codes:?}");
        Ok(())
    });
}

#[test]
fn a_partition_that_a_fetch_names_two_hundred_thousand_times_is_read_as_it_was_named_last() {
    beside_a_neighbour(|client| {
        client.call(produce(TOPIC, &[0], batch(b"first")), PRODUCE)?;
        let mut named = vec![(0, 1_000); 200_000];
        named.push((0, 0));
        let answer = client.call(fetch(TOPIC, &named, Duration::ZERO), FETCH)?;
        let partitions = answer.responses.iter().map(|topic| topic.partitions.len()).sum::<usize>();
        let read = fetched(&answer)?;
        ensure!(partitions == 1 && read.error_code == ErrorCode::None, "{partitions}: {read:?}");
        ensure!(!read.records.is_empty(), "nothing was read");
        Ok(())
    });
}

#[test]
fn a_partition_that_a_produce_names_twice_takes_nothing() {
    beside_a_neighbour(|client| {
        let answer = client.call(produce(TOPIC, &[0, 1, 0], batch(b"which")), PRODUCE)?;
        let told: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
        let codes: Vec<_> = told.iter().map(|it| (it.index, it.error_code)).collect();
        ensure!(codes == [(0, ErrorCode::InvalidRequest), (1, ErrorCode::None)], "{codes:?}");
        // Nothing was written to it: its first offset is free.
        let answer = client.call(produce(TOPIC, &[0], batch(b"this")), PRODUCE)?;
        ensure!(produced(&answer)?.base_offset == 0, "{answer:?}");
        Ok(())
    });
}

/// Decoded, they would be there all at once while a fetch before them waits, each twenty times its size.
#[test]
fn requests_that_wait_for_their_turn_hold_no_more_than_their_bytes() {
    const WAITING: usize = 30;
    beside_a_neighbour(|client| {
        let unnamed = MetadataRequestTopic { name: Some(String::new()), ..Default::default() };
        let metadata = MetadataRequest { topics: Some(vec![unnamed; 500_000]), ..Default::default() };
        client.ask(a_long_wait(), FETCH)?;
        let asked = encode_request(&Request::from(metadata), 1, 1, Some(CLIENT_ID))?.concat();
        let mut socket = client.socket.try_clone()?;
        // They are not read before the wait is over, and the socket takes no more.
        let sending = std::thread::spawn(move || (0..WAITING).try_for_each(|_| socket.write_all(&asked)));
        // What ends the wait has to be done by another, and then all of them have their turn.
        let mut other = Client::connect(client.socket.peer_addr()?)?;
        other.call(produce(TOPIC, &[0], batch(b"enough")), PRODUCE)?;
        for _ in 0..=WAITING {
            client.receive()?.context("closed")?;
        }
        Ok(sending.join().expect("the sender does not panic")?)
    });
}

#[test]
fn a_produce_of_very_many_partitions_waits_until_those_before_it_are_answered() {
    const WAITING: usize = 20;
    beside_a_neighbour(|client| {
        let nowhere: Vec<i32> = (0..80_000).collect();
        client.ask(a_long_wait(), FETCH)?;
        let mut other = Client::connect(client.socket.peer_addr()?)?;
        let asked = Request::from(produce("nowhere", &nowhere, Bytes::new()));
        let asked = encode_request(&asked, PRODUCE, 1, Some(CLIENT_ID))?.concat();
        let mut socket = client.socket.try_clone()?;
        // Most of them are not read before the wait is over, and the socket takes no more.
        let sending = std::thread::spawn(move || (0..WAITING).try_for_each(|_| socket.write_all(&asked)));
        other.call(produce(TOPIC, &[0], batch(b"enough")), PRODUCE)?;
        for _ in 0..=WAITING {
            client.receive()?.context("closed")?;
        }
        Ok(sending.join().expect("the sender does not panic")?)
    });
}

fn a_long_wait() -> FetchRequest {
    fetch(TOPIC, &[(0, 0)], Duration::from_secs(60))
}

/// What the broker held at most is looked at, not what is left when all is over.
fn beside_a_neighbour(attack: impl FnOnce(&mut Client) -> Result<()>) {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, TOPIC, 2)?;
        let neighbour = Neighbour::beside(scene.kafka)?;
        let memory = Memory::of(&broker)?;
        let before = broker.resident_bytes()?;
        attack(&mut client)?;
        neighbour.was_served()?;
        check_peak(&broker, before)?;
        drop(client);
        memory.check(&mut broker)?;
        broker.stop()
    });
}

fn check_peak(broker: &Process, before: u64) -> Result<()> {
    let grown = broker.peak_resident_bytes()?.saturating_sub(before);
    println!("the broker held {} MiB more at most", grown >> 20);
    ensure!(grown < MOST, "the broker held {} MiB more", grown >> 20);
    Ok(())
}

fn by_producer(id: i64) -> Bytes {
    batch_of(&[b"x"], Producer { id, epoch: 0, base_sequence: 0 })
}

/// As much as a consumer may leave with its offset.
pub fn commit_metadata(client: &mut Client) -> Result<()> {
    let of_partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_metadata: Some("m".repeat(4_000)),
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.into(),
        partitions: (0..2).map(of_partition).collect(),
        ..Default::default()
    };
    let asked = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let find = FindCoordinatorRequest { key: GROUP.into(), key_type: 0, ..Default::default() };
    client.call(find, 1)?;
    // The coordinator may still be on its way.
    for _ in 0..100 {
        let answer = client.call(asked.clone(), 7)?;
        let mut codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|it| it.error_code);
        if codes.all(|code| code == ErrorCode::None) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    anyhow::bail!("the offsets were not committed")
}
