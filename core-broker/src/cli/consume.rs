//! `core-broker consume`: prints the records of a topic, as `kafka-console-consumer` does.

use std::{
    io::{BufWriter, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use kafka_wire::{
    ErrorCode,
    messages::{
        fetch::{FetchPartition, FetchRequest, FetchTopic},
        list_offsets::{
            EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
        },
    },
    record_batch::{Record, batches, decode_records},
};

use super::client::Client;

/// A batch of a topic with `max.message.bytes` at its default stays far below it, however well it packs.
const MAX_BATCH_BYTES: usize = 256 << 20;

const WAIT_MS: i32 = 500;

#[derive(Debug, clap::Args)]
pub struct Consume {
    /// The broker to ask
    #[arg(
        long,
        visible_alias = "bootstrap",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        env = "LONGHAUL_BOOTSTRAP"
    )]
    bootstrap_server: String,
    #[arg(long, value_name = "NAME")]
    topic: String,
    /// Only this partition [default: all]
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Start with the oldest record instead of the next one to come
    #[arg(long)]
    from_beginning: bool,
    /// Exit after so many records
    #[arg(long, value_name = "N")]
    max_messages: Option<u64>,
    /// Exit when nothing has come for so long
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    /// Print the key and a tab before each value
    #[arg(long)]
    print_key: bool,
}

pub fn consume(args: Consume) -> Result<()> {
    let mut client = Client::connect(&args.bootstrap_server)?;
    let mut positions = start(&mut client, &args)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut printed, mut last) = (0, Instant::now());
    while args.max_messages.is_none_or(|most| printed < most) {
        if args.timeout_ms.is_some_and(|idle| last.elapsed() > Duration::from_millis(idle)) {
            break;
        }
        for (partition, records) in fetch(&mut client, &args.topic, &positions)? {
            let Some(position) = positions.iter_mut().find(|(index, _)| *index == partition) else {
                continue;
            };
            for record in read(&records)? {
                // The first batch may begin before the offset that was asked for.
                if record.offset < position.1 || args.max_messages.is_some_and(|most| printed >= most) {
                    continue;
                }
                print(&mut out, &record, args.print_key)?;
                position.1 = record.offset + 1;
                printed += 1;
                last = Instant::now();
            }
        }
        if out.flush().is_err() {
            break; // nobody reads any more
        }
    }
    out.flush()?;
    eprintln!("Processed a total of {printed} messages");
    Ok(())
}

/// The first offset to read, for each partition.
fn start(client: &mut Client, args: &Consume) -> Result<Vec<(i32, i64)>> {
    let metadata = client.metadata(Some(vec![args.topic.clone()]))?;
    let topic = metadata.topics.first().context("no answer about the topic")?;
    if topic.error_code != ErrorCode::None {
        bail!("topic '{}': {:?}", args.topic, topic.error_code);
    }
    let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
    let wanted: Vec<i32> = indexes.filter(|index| args.partition.is_none_or(|only| only == *index)).collect();
    if wanted.is_empty() {
        bail!("topic '{}' has {} partitions, numbered from 0", args.topic, topic.partitions.len());
    }
    let timestamp = if args.from_beginning { EARLIEST_TIMESTAMP } else { LATEST_TIMESTAMP };
    let partitions = wanted.into_iter().map(|partition_index| ListOffsetsPartition {
        partition_index,
        timestamp,
        ..Default::default()
    });
    let topics = vec![ListOffsetsTopic { name: args.topic.clone(), partitions: partitions.collect() }];
    let response = client.call(ListOffsetsRequest { topics, ..Default::default() }, 7)?;
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    Ok(partitions.map(|partition| (partition.partition_index, partition.offset)).collect())
}

fn fetch(client: &mut Client, topic: &str, positions: &[(i32, i64)]) -> Result<Vec<(i32, Bytes)>> {
    let partitions = positions.iter().map(|(partition, fetch_offset)| FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    });
    let request = FetchRequest {
        max_wait_ms: WAIT_MS,
        min_bytes: 1,
        max_bytes: 16 << 20,
        topics: vec![FetchTopic {
            topic: topic.to_owned(),
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = client.call(request, 12)?;
    let mut fetched = Vec::new();
    for partition in response.responses.into_iter().flat_map(|topic| topic.partitions) {
        if partition.error_code != ErrorCode::None {
            bail!("partition {}: {:?}", partition.partition_index, partition.error_code);
        }
        fetched.push((partition.partition_index, partition.records.into_bytes()));
    }
    Ok(fetched)
}

fn read(records: &Bytes) -> Result<Vec<Record>> {
    let mut read = Vec::new();
    for batch in batches(records) {
        let (header, range) = batch?;
        if !header.is_control() {
            read.extend(decode_records(records.slice(range), MAX_BATCH_BYTES)?);
        }
    }
    Ok(read)
}

fn print(out: &mut impl Write, record: &Record, print_key: bool) -> std::io::Result<()> {
    if print_key {
        out.write_all(record.key.as_deref().unwrap_or(b"null"))?;
        out.write_all(b"\t")?;
    }
    out.write_all(record.value.as_deref().unwrap_or(b"null"))?;
    out.write_all(b"\n")
}
