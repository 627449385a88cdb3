//! The idempotent producer of the derived topics: in order, each once, or not at all.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig},
};

use super::{Link, SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC, TopicPartition};

/// An output and the input record it came from.
pub struct Outgoing<'a> {
    pub topic: &'a str,
    pub source: &'a TopicPartition,
    pub offset: i64,
    pub key: &'a str,
    pub payload: &'a [u8],
    pub headers: &'a [(&'static str, String)],
}

/// The answer to one output of the record at `source`, `offset`.
pub struct Delivery {
    pub source: TopicPartition,
    pub offset: i64,
    pub result: Result<(), String>,
}

pub struct Writer {
    producer: BaseProducer<Deliveries>,
}

struct Deliveries {
    link: Link,
    arrived: Mutex<Vec<Delivery>>,
}

impl Writer {
    pub fn new(bootstrap: &str, link: Link) -> anyhow::Result<Writer> {
        let producer = super::client(bootstrap)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("max.in.flight.requests.per.connection", "5")
            // Never give up on a record while a later one may still go out: that would be a gap, and
            // the checkpoint reads the partition as a prefix.
            .set("message.timeout.ms", "0")
            .set("enable.gapless.guarantee", "true")
            .set("linger.ms", "10")
            .set("compression.type", "zstd")
            .create_with_context(Deliveries { link, arrived: Mutex::default() })
            .context("cannot make a producer")?;
        Ok(Writer { producer })
    }

    /// To the partition with the index of the input's.
    pub fn send(&self, output: &Outgoing) -> Result<(), KafkaError> {
        let source = output.source;
        let mut headers = OwnedHeaders::new()
            .insert(Header { key: SOURCE_TOPIC, value: Some(source.topic.as_str()) })
            .insert(Header { key: SOURCE_PARTITION, value: Some(source.partition.to_string().as_str()) })
            .insert(Header { key: SOURCE_OFFSET, value: Some(output.offset.to_string().as_str()) });
        for (key, value) in output.headers {
            headers = headers.insert(Header { key, value: Some(value.as_str()) });
        }
        let mut record = BaseRecord::with_opaque_to(output.topic, Box::new((source.clone(), output.offset)))
            .partition(source.partition)
            .key(output.key)
            .payload(output.payload)
            .headers(headers);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(50));
                    record = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// The answers that arrived within `wait`.
    pub fn deliveries(&self, wait: Duration) -> Vec<Delivery> {
        self.producer.poll(wait);
        // A poll that may not wait brings the answers to one batch, and every partition has its own.
        let mut arrived = 0;
        while arrived < self.producer.context().arrived().len() {
            arrived = self.producer.context().arrived().len();
            self.producer.poll(Duration::ZERO);
        }
        std::mem::take(&mut *self.producer.context().arrived())
    }

    /// Throws away what is not sent and forgets what is on its way.
    pub fn abandon(self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

impl Deliveries {
    fn arrived(&self) -> std::sync::MutexGuard<'_, Vec<Delivery>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.link.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.link.heard(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<(TopicPartition, i64)>;

    fn delivery(&self, result: &DeliveryResult, origin: Self::DeliveryOpaque) {
        let (source, offset) = *origin;
        let result = match result {
            Ok(_) => {
                self.link.up();
                Ok(())
            }
            Err((error, _)) => Err(error.to_string()),
        };
        self.arrived().push(Delivery { source, offset, result });
    }
}
