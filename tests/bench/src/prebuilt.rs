//! A producer that has no work of its own: the same batches again and again, so that what is measured is the
//! broker and the kernel. librdkafka takes more of a processor than the brokers do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_wire::{
    ApiKey, ErrorCode, Request, Response, decode_response, encode_request,
    frame::take_frame,
    messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    record_batch::{Compression, Producer, RecordsEncoder, assemble},
};

use crate::load::{PARTITIONS, Produced};

const VERSION: i16 = 9;

/// As many as librdkafka and the Java client send before the first is answered.
const IN_FLIGHT: usize = 5;

/// Of a record batch, `batch.size` as `load` has it.
const BATCH_BYTES: usize = 1_000_000;

const MAX_ANSWER_BYTES: usize = 1 << 20;

/// One batch a request, partition after partition, acks=1. A batch is as long before compression as without it.
pub fn produce(
    bootstrap: &str,
    topic: &str,
    size: usize,
    codec: Compression,
    seconds: u64,
) -> Result<Produced> {
    let records = BATCH_BYTES / (size + 12);
    let request = |partition| request(topic, partition, size, records, codec);
    let requests: Vec<Bytes> = (0..PARTITIONS).map(request).collect::<Result<_>>()?;
    let mut socket = TcpStream::connect(bootstrap)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut answers = BytesMut::new();
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let (mut sent, mut answered) = (0, 0);
    while answered < sent || Instant::now() < until {
        if sent - answered < IN_FLIGHT && Instant::now() < until {
            socket.write_all(&requests[sent % requests.len()])?;
            sent += 1;
            continue;
        }
        check(&mut socket, &mut answers)?;
        answered += 1;
    }
    let messages = (answered * records) as u64;
    Ok(Produced { messages, bytes: messages * size as u64, took: began.elapsed(), latencies: Vec::new() })
}

fn request(topic: &str, index: i32, size: usize, records: usize, codec: Compression) -> Result<Bytes> {
    let mut encoder = RecordsEncoder::new();
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as i64;
    for record in 0..records {
        encoder.push(now_ms, None, Some(&telemetry(record, size)), &[]);
    }
    let batch = assemble(&encoder.finish(codec)?, Producer::NONE).freeze();
    let partitions = vec![PartitionProduceData { index, records: Some(batch) }];
    let topics = vec![TopicProduceData { name: topic.to_owned(), partitions, ..Default::default() }];
    let request = ProduceRequest { acks: 1, timeout_ms: 30_000, topics, ..Default::default() };
    Ok(encode_request(&Request::from(request), VERSION, index, Some("bench"))?.concat().into())
}

/// `size` bytes of readings whose names repeat and whose figures do not: a compressor halves them or better.
fn telemetry(record: usize, size: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(size + 64);
    let mut reading = record as u64;
    while value.len() < size {
        reading = reading.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (lat, lon, speed) = (reading >> 44, (reading >> 24) & 0xf_ffff, (reading >> 12) & 0x7f);
        value.extend_from_slice(format!(r#"{{"lat":51.{lat},"lon":-2.{lon},"speed":{speed}}}"#).as_bytes());
    }
    value.truncate(size);
    value
}

/// Waits for the next answer.
fn check(socket: &mut TcpStream, answers: &mut BytesMut) -> Result<()> {
    loop {
        if let Some(frame) = take_frame(answers, MAX_ANSWER_BYTES)? {
            let (_, response) = decode_response(frame, ApiKey::Produce, VERSION)?;
            let Response::Produce(response) = response else { anyhow::bail!("another answer") };
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            let failed = partitions.map(|it| it.error_code).find(|code| *code != ErrorCode::None);
            ensure!(failed.is_none(), "refused: {failed:?}");
            return Ok(());
        }
        let mut chunk = [0; 4096];
        let count = socket.read(&mut chunk).context("no answer")?;
        ensure!(count > 0, "the broker hung up");
        answers.extend_from_slice(&chunk[..count]);
    }
}
