//! Kafka as the apps see it; the one module that knows rdkafka.

mod feed;
mod group;
mod link;
mod topics;
mod writer;

use std::fmt;

use rdkafka::{ClientConfig, Message, message::Headers};

pub use feed::Feed;
pub use group::{GroupReader, Polled, SESSION};
pub use link::Link;
pub use topics::Topics;
pub use writer::{Outgoing, Writer};

/// Record headers that name the input record an output came from.
pub const SOURCE_TOPIC: &str = "source-topic";
pub const SOURCE_PARTITION: &str = "source-partition";
pub const SOURCE_OFFSET: &str = "source-offset";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Record {
    pub from: TopicPartition,
    pub offset: i64,
    /// The record's own time, the same for everyone who reads it; 0 when it has none.
    pub timestamp_ms: i64,
    pub payload: Vec<u8>,
    /// The input record this one was derived from.
    pub source: Option<(TopicPartition, i64)>,
}

impl Record {
    fn read(message: &impl Message) -> Record {
        Record {
            from: TopicPartition { topic: message.topic().to_owned(), partition: message.partition() },
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            payload: message.payload().unwrap_or_default().to_vec(),
            source: message.headers().and_then(source),
        }
    }
}

fn source(headers: &impl Headers) -> Option<(TopicPartition, i64)> {
    let text = |key| {
        let header = headers.iter().find(|header| header.key == key)?;
        std::str::from_utf8(header.value?).ok()
    };
    let topic = text(SOURCE_TOPIC)?.to_owned();
    Some((
        TopicPartition { topic, partition: text(SOURCE_PARTITION)?.parse().ok()? },
        text(SOURCE_OFFSET)?.parse().ok()?,
    ))
}

/// What every client of ours has in common.
fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", "longhaul-stream-apps")
        // A broker that restarts is back in seconds; the default backs off to ten.
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        // A topic that appears, or grows, is noticed within this time.
        .set("topic.metadata.refresh.interval.ms", "5000");
    config
}

fn consumer(bootstrap: &str, group: &str) -> ClientConfig {
    let mut config = client(bootstrap);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "100")
        // Bounds what is read ahead: the default is 64 MiB for each partition.
        .set("queued.max.messages.kbytes", "8192");
    config
}
