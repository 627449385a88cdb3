//! The client: librdkafka as users tune it, six partitions, linger 5 ms.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};

pub const PARTITIONS: i32 = 6;

/// What a run of a producer did.
pub struct Produced {
    pub messages: u64,
    pub bytes: u64,
    pub took: Duration,
    /// From the call to the acknowledgement, sorted.
    pub latencies: Vec<Duration>,
}

pub fn create_topic(bootstrap: &str, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create()?;
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in configs {
        topic = topic.set(key, value);
    }
    let created = admin.create_topics([&topic], &AdminOptions::new());
    let results = block_on(created)?;
    for result in results {
        result.map_err(|(name, code)| anyhow::anyhow!("{name}: {code}"))?;
    }
    Ok(())
}

/// rdkafka answers admin calls from a thread of its own; nothing here needs a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[derive(Default)]
struct Acknowledged {
    latencies: Mutex<Vec<Duration>>,
    failed: Mutex<Option<KafkaError>>,
}

struct Acks(Arc<Acknowledged>);

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Instant>) {
        match result {
            Ok(_) => self.0.latencies.lock().expect("not poisoned").push(sent.elapsed()),
            Err((error, _)) => *self.0.failed.lock().expect("not poisoned") = Some(error.clone()),
        }
    }
}

/// As fast as it goes, or `rate` messages a second.
pub fn produce(
    bootstrap: &str,
    topic: &str,
    acks: &str,
    size: usize,
    rate: Option<u64>,
    seconds: u64,
) -> Result<Produced> {
    let acknowledged = Arc::new(Acknowledged::default());
    let producer: ThreadedProducer<Acks> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("acks", acks)
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", "500000")
        .set("queue.buffering.max.kbytes", "1048576")
        .set("batch.size", "1000000")
        .create_with_context(Acks(acknowledged.clone()))?;
    let payload = vec![b'x'; size];
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let mut sent = 0u64;
    while Instant::now() < until {
        if let Some(rate) = rate {
            let due = began + Duration::from_secs_f64(sent as f64 / rate as f64);
            if let Some(wait) = due.checked_duration_since(Instant::now()) {
                std::thread::sleep(wait.min(Duration::from_millis(1)));
                continue;
            }
        }
        let record = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(Instant::now()))
            .payload(&payload[..])
            .partition((sent % PARTITIONS as u64) as i32);
        match producer.send(record) {
            Ok(()) => sent += 1,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
    producer.flush(Duration::from_secs(60)).context("flush")?;
    let took = began.elapsed();
    if let Some(error) = acknowledged.failed.lock().expect("not poisoned").take() {
        return Err(error.into());
    }
    let mut latencies = std::mem::take(&mut *acknowledged.latencies.lock().expect("not poisoned"));
    latencies.sort_unstable();
    Ok(Produced { messages: sent, bytes: sent * size as u64, took, latencies })
}

/// Reads everything there is; messages, bytes, time.
pub fn consume(bootstrap: &str, topic: &str) -> Result<Produced> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", "262144")
        .set("fetch.message.max.bytes", "4194304")
        .create()?;
    let mut left = 0;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let (low, high) = consumer.fetch_watermarks(topic, partition, Duration::from_secs(10))?;
        left += (high - low) as u64;
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    let began = Instant::now();
    consumer.assign(&assignment)?;
    let (mut messages, mut bytes) = (0, 0);
    while messages < left {
        let message = consumer.poll(Duration::from_secs(20)).context("nothing more came")??;
        messages += 1;
        bytes += message.payload_len() as u64;
    }
    Ok(Produced { messages, bytes, took: began.elapsed(), latencies: Vec::new() })
}
