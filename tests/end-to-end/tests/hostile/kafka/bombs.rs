//! Few bytes that become many: a batch whose one record has a value of a gigabyte of zeros.

use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use end_to_end::{
    kafka::{Client, PRODUCE, create_topic, produce, produced},
    scene,
};
use kafka_wire::{
    ErrorCode,
    messages::produce::ProduceRequest,
    record_batch::{Compression, Producer, RecordSet, assemble},
};

use super::neighbour::Neighbour;
use crate::hostile::Memory;

const TOPIC: &str = "bombs";

/// A part of a bomb: parts may follow each other.
const PART_BYTES: usize = 16 << 20;
const BOMB_BYTES: usize = 1 << 30;

/// Beside what the broker takes as one batch.
const MOST_BYTES: usize = 1_000_000;

/// What the broker looks into at a time, for each processor, with as much again while it grows.
const WHILE_LOOKING: u64 = 256 << 20;

#[test]
fn trap_20_a_batch_that_would_become_a_gigabyte_is_refused_before_it_does() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, TOPIC, 1)?;
        let bombs = [
            (Compression::Gzip, gzip()?, ErrorCode::MessageTooLarge),
            (Compression::Zstd, zstd()?, ErrorCode::MessageTooLarge),
            (Compression::Lz4, lz4()?, ErrorCode::MessageTooLarge),
            // Snappy says at the front how much it becomes, and a byte becomes 22 at most.
            (Compression::Snappy, b"\x80\x80\x80\x80\x04\x00".to_vec(), ErrorCode::MessageTooLarge),
            (Compression::Snappy, b"\x80\x80\x80\x20\x00".to_vec(), ErrorCode::CorruptMessage),
        ];
        let neighbour = Neighbour::beside(scene.kafka)?;
        let memory = Memory::of(&broker)?;
        for (codec, bomb, expected) in &bombs {
            ensure!(bomb.len() <= MOST_BYTES, "{codec:?}: {} bytes", bomb.len());
            let begin = Instant::now();
            let answer = client.call(request(*codec, bomb), PRODUCE)?;
            let told = produced(&answer)?.error_code;
            println!("{codec:?}: {told:?} to {} bytes after {:?}", bomb.len(), begin.elapsed());
            ensure!(told == *expected, "{codec:?}: {told:?}");
        }
        // All at once, and more of them than there are processors.
        let mut clients = Vec::new();
        for (codec, bomb, _) in bombs.iter().chain(&bombs) {
            let mut client = Client::connect(scene.kafka)?;
            client.ask(request(*codec, bomb), PRODUCE)?;
            clients.push(client);
        }
        for client in &mut clients {
            client.answer::<ProduceRequest>(PRODUCE)?;
        }
        neighbour.was_served()?;
        let processors = std::thread::available_parallelism()?.get() as u64;
        let (peak, most) = (broker.peak_resident_bytes()?, (processors + 1) * WHILE_LOOKING);
        println!("the broker held {} MiB at most", peak >> 20);
        ensure!(peak < most, "the broker held {} MiB", peak >> 20);
        memory.check(&mut broker)?;
        broker.stop()
    });
}

#[test]
fn many_bombs_in_a_request_take_their_turns_and_a_neighbour_does_not_wait_for_them() {
    const CLIENTS: usize = 4;
    const BOMBS: i32 = 10;
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, TOPIC, BOMBS)?;
        let bombs: Vec<i32> = (0..BOMBS).collect();
        let neighbour = Neighbour::beside(scene.kafka)?;
        let asked = produce(TOPIC, &bombs, bomb(Compression::Gzip, &gzip()?));
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = Client::connect(scene.kafka)?;
            client.ask(asked.clone(), PRODUCE)?;
            clients.push(client);
        }
        for client in &mut clients {
            let answer = client.answer::<ProduceRequest>(PRODUCE)?;
            let codes: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
            ensure!(codes.iter().all(|it| it.error_code == ErrorCode::MessageTooLarge), "{codes:?}");
        }
        neighbour.was_served()?;
        broker.stop()
    });
}

fn request(codec: Compression, bytes: &[u8]) -> ProduceRequest {
    produce(TOPIC, &[0], bomb(codec, bytes))
}

fn bomb(codec: Compression, bytes: &[u8]) -> Bytes {
    let records = RecordSet {
        bytes: Bytes::copy_from_slice(bytes),
        compression: codec,
        count: 1,
        base_timestamp: 0,
        max_timestamp: 0,
    };
    assemble(&records, Producer::NONE).freeze()
}

/// The beginning of a record that would take as long as it lasts, so that nothing is wrong with it at once.
fn part() -> Vec<u8> {
    // In zigzag: its length, 0 for attributes and deltas, no key, the length of its value.
    let (longest, nothing, no_key, gigabyte) = (b"\xfe\xff\xff\xff\x0f", 0, 1, b"\x80\x80\x80\x80\x08");
    let mut part = [&longest[..], &[nothing; 3], &[no_key], gigabyte].concat();
    part.resize(PART_BYTES, 0);
    part
}

/// The same part over and over, as far as a batch may be long.
fn repeated(part: &[u8]) -> Vec<u8> {
    part.repeat((BOMB_BYTES / PART_BYTES).min(MOST_BYTES / part.len()))
}

fn gzip() -> Result<Vec<u8>> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&part())?;
    Ok(repeated(&encoder.finish()?))
}

fn zstd() -> Result<Vec<u8>> {
    Ok(repeated(&zstd::bulk::compress(&part(), 19)?))
}

/// One frame with its blocks repeated: what follows a frame is not read.
fn lz4() -> Result<Vec<u8>> {
    use std::io::Write;
    const HEADER_BYTES: usize = 7;
    const END_BYTES: usize = 4;
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max4MB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&part())?;
    let frame = encoder.finish()?;
    let (header, rest) = frame.split_at(HEADER_BYTES);
    let (blocks, end) = rest.split_at(rest.len() - END_BYTES);
    Ok([header, &repeated(blocks), end].concat())
}
