//! librdkafka, which produces and consumes for the console tools: groups, retries, compression. No other file
//! of the tools knows the `rdkafka` crate.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kafka_wire::ErrorCode;
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, Timestamp, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, DeliveryResult, Header, Headers as _, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};

use super::{client_properties::Translated, failure::Exception, output};

const CLASS: &str = "org.apache.kafka.clients.NetworkClient";

/// How long one question takes at most, so that an interrupt is seen between two.
const SLICE: Duration = Duration::from_millis(200);

/// A record on its way in.
pub struct Outgoing<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<Named<'a>>,
}

/// A header: its name and its value.
pub type Named<'a> = (&'a str, Option<&'a [u8]>);

pub struct Producer {
    inner: ThreadedProducer<Reports>,
    topic: String,
    max_request_bytes: String,
}

impl Producer {
    pub fn new(properties: &Translated, topic: &str) -> Result<Self, Exception> {
        let config = config(properties);
        let max_request_bytes = config.get("message.max.bytes").unwrap_or("1000000").to_owned();
        let reports = Reports::default();
        let inner = config.create_with_context(reports).map_err(unusable)?;
        Ok(Self { inner, topic: topic.to_owned(), max_request_bytes })
    }

    /// Waits a moment for a broker to answer; whether one did.
    pub fn is_connected(&self) -> bool {
        self.inner.client().fetch_metadata(Some(&self.topic), SLICE).is_ok()
    }

    /// Hands a record over, and waits while there is no room for it.
    pub fn send(&self, record: &Outgoing) -> Result<(), Exception> {
        let mut waiting = self.native(record);
        loop {
            match self.inner.send(waiting) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    waiting = record;
                    self.inner.poll(SLICE);
                }
                Err((error, _)) => return Err(self.refused(&error, record)),
            }
        }
    }

    /// Says that a record of so many bytes will not be sent.
    pub fn give_up(&self, bytes: usize, why: &Exception) {
        self.inner.context().lose(&self.topic, None, Some(bytes), why);
    }

    /// Waits until everything was delivered or given up.
    pub fn flush(&self) {
        while self.inner.in_flight_count() > 0 {
            // A slice that was too short is followed by another.
            let _ = self.inner.flush(SLICE);
        }
    }

    /// Records that were handed over and will never arrive.
    pub fn lost(&self) -> u64 {
        self.inner.context().lost.load(Ordering::Acquire)
    }

    fn native<'a>(&'a self, record: &Outgoing<'a>) -> BaseRecord<'a, [u8], [u8]> {
        let mut native = BaseRecord::to(&self.topic);
        native.key = record.key;
        native.payload = record.value;
        if !record.headers.is_empty() {
            let none = OwnedHeaders::new_with_capacity(record.headers.len());
            let add = |headers: OwnedHeaders, &(key, value): &Named| headers.insert(Header { key, value });
            native.headers = Some(record.headers.iter().fold(none, add));
        }
        native
    }

    fn refused(&self, error: &KafkaError, record: &Outgoing) -> Exception {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::MessageSizeTooLarge) {
            return exception(error);
        }
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        too_large(bytes, &self.max_request_bytes)
    }
}

/// What a record is refused with that is larger than the client may send.
pub fn too_large(bytes: usize, max_request_bytes: &str) -> Exception {
    Exception::new(
        "org.apache.kafka.common.errors.RecordTooLargeException",
        format!(
            "The message is {bytes} bytes when serialized which is larger than {max_request_bytes}, which is \
             the value of the max.request.size configuration."
        ),
    )
}

/// Where a consumer begins in a partition that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
    At(i64),
}

/// A record on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub time: Time,
    pub headers: Headers<'a>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// `None` when a name among them is not UTF-8.
pub type Headers<'a> = Option<Vec<Named<'a>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    None,
    Create(i64),
    LogAppend(i64),
}

pub struct Consumer {
    inner: BaseConsumer<Watch>,
    reads_headers: bool,
    commits: bool,
    taken: Taken,
}

/// The offsets behind the last records that were taken, by topic and partition.
type Taken = BTreeMap<String, BTreeMap<i32, i64>>;

impl Consumer {
    pub fn new(properties: &Translated, reads_headers: bool) -> Result<Self, Exception> {
        let mut config = config(properties);
        // As Java's: an expression does not choose what a broker keeps for itself.
        config.set("topic.blacklist", "^__consumer_offsets$,^__transaction_state$,^__share_group_state$");
        // The crate goes on polling while it closes a consumer: what nobody has seen is not to be committed.
        config.set("enable.auto.offset.store", "false");
        let commits = config.get("enable.auto.commit") != Some("false");
        let inner = config.create_with_context(Watch::default()).map_err(unusable)?;
        Ok(Self { inner, reads_headers, commits, taken: Taken::new() })
    }

    /// Waits a moment for a broker to answer about `topic`, or about all; whether one did.
    pub fn is_connected(&self, topic: Option<&str>) -> bool {
        self.inner.client().fetch_metadata(topic, SLICE).is_ok()
    }

    /// Joins the group to read a topic.
    pub fn subscribe(&self, topic: &str) -> Result<(), Exception> {
        self.inner.subscribe(&[topic]).map_err(|error| exception(&error))
    }

    /// Joins the group to read the topics whose whole name the expression matches, now and later.
    pub fn subscribe_matching(&self, expression: &str) -> Result<(), Exception> {
        // POSIX knows neither of the two.
        let posix = expression.replace("(?:", "(").replace("\\d", "[0-9]");
        self.subscribe(&format!("^({posix})$")).map_err(|_| {
            let said = format!("{expression} is not an extended regular expression of POSIX");
            Exception::new("java.util.regex.PatternSyntaxException", said)
        })
    }

    /// Takes one partition, and no part in the group.
    pub fn assign(&self, topic: &str, partition: i32, start: Start) -> Result<(), Exception> {
        let offset = match start {
            Start::Earliest => Offset::Beginning,
            Start::Latest => Offset::End,
            Start::At(offset) => Offset::Offset(offset),
        };
        let mut partitions = TopicPartitionList::new();
        let assigned = partitions
            .add_partition_offset(topic, partition, offset)
            .and_then(|()| self.inner.assign(&partitions));
        assigned.map_err(|error| exception(&error))
    }

    /// What has come or comes within `wait`, given to `take`; what `take` said of it. An error is one that
    /// does not go away by itself.
    pub fn poll<T>(
        &mut self,
        wait: Duration,
        take: impl FnOnce(&Received) -> T,
    ) -> Result<Option<T>, Exception> {
        match self.inner.poll(wait) {
            None => Ok(None),
            Some(Ok(message)) => {
                let said = take(&self.received(&message));
                if self.commits {
                    note(&mut self.taken, &message);
                }
                Ok(Some(said))
            }
            // It was said when it was noticed.
            Some(Err(error)) if goes_away(&error) => Ok(None),
            Some(Err(error)) => Err(exception(&error)),
        }
    }

    /// What was taken so far is to be committed as read.
    pub fn read(&mut self) -> Result<(), Exception> {
        let mut offsets = TopicPartitionList::new();
        for (topic, partitions) in std::mem::take(&mut self.taken) {
            for (partition, offset) in partitions {
                let added = offsets.add_partition_offset(&topic, partition, Offset::Offset(offset));
                added.map_err(|error| exception(&error))?;
            }
        }
        if offsets.count() == 0 {
            return Ok(());
        }
        match self.inner.store_offsets(&offsets) {
            // A partition that was taken away meanwhile is another member's to commit.
            Err(KafkaError::StoreOffset(RDKafkaErrorCode::State | RDKafkaErrorCode::UnknownPartition)) => {
                Ok(())
            }
            stored => stored.map_err(|error| exception(&error)),
        }
    }

    fn received<'a>(&self, message: &'a BorrowedMessage) -> Received<'a> {
        Received {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            time: match message.timestamp() {
                Timestamp::NotAvailable => Time::None,
                Timestamp::CreateTime(ms) => Time::Create(ms),
                Timestamp::LogAppendTime(ms) => Time::LogAppend(ms),
            },
            headers: if self.reads_headers { headers(message) } else { Some(Vec::new()) },
            key: message.key(),
            value: message.payload(),
        }
    }
}

fn note(taken: &mut Taken, message: &BorrowedMessage) {
    let (topic, next) = (message.topic(), message.offset() + 1);
    match taken.get_mut(topic) {
        Some(partitions) => partitions.insert(message.partition(), next),
        None => taken.entry(topic.to_owned()).or_default().insert(message.partition(), next),
    };
}

/// The crate panics on a name that is not UTF-8, and a name is whatever some producer sent.
fn headers<'a>(message: &'a BorrowedMessage) -> Headers<'a> {
    let all =
        || message.headers().map(|headers| headers.iter().map(|header| (header.key, header.value)).collect());
    catch_unwind(AssertUnwindSafe(all)).ok().map(Option::unwrap_or_default)
}

/// What waiting does not mend.
const LASTING: [RDKafkaErrorCode; 14] = [
    RDKafkaErrorCode::Authentication,
    RDKafkaErrorCode::AutoOffsetReset,
    RDKafkaErrorCode::BadCompression,
    RDKafkaErrorCode::BadMessage,
    RDKafkaErrorCode::ClusterAuthorizationFailed,
    RDKafkaErrorCode::FencedInstanceId,
    RDKafkaErrorCode::GroupAuthorizationFailed,
    RDKafkaErrorCode::InconsistentGroupProtocol,
    RDKafkaErrorCode::InvalidGroupId,
    RDKafkaErrorCode::InvalidSessionTimeout,
    RDKafkaErrorCode::InvalidTopic,
    RDKafkaErrorCode::SaslAuthenticationFailed,
    RDKafkaErrorCode::TopicAuthorizationFailed,
    RDKafkaErrorCode::UnsupportedFeature,
];

/// What a consumer of Kafka's waits out: a broker that is away, a topic that is not there yet.
fn goes_away(error: &KafkaError) -> bool {
    let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    !is_fatal && error.rdkafka_error_code().is_some_and(|code| !LASTING.contains(&code))
}

fn config(properties: &Translated) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in &properties.settings {
        config.set(name, value);
    }
    // A connection that a broker closed because nobody used it is no news.
    config.set("log.connection.close", "false");
    config.set_log_level(RDKafkaLogLevel::Error);
    config
}

fn unusable(error: KafkaError) -> Exception {
    let said = match error {
        KafkaError::ClientConfig(_, why, _, _) => why,
        error => error.to_string(),
    };
    Exception::new("org.apache.kafka.common.config.ConfigException", said)
}

/// In the words of a broker where one spoke.
fn exception(error: &KafkaError) -> Exception {
    let Some(code) = error.rdkafka_error_code() else {
        return Exception::new("org.apache.kafka.common.KafkaException", error.to_string());
    };
    let wire = i16::try_from(code as i32).unwrap_or(-1);
    match code {
        RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::OperationTimedOut => Exception::of(
            ErrorCode::RequestTimedOut,
            Some("The record was not delivered in time.".to_owned()),
        ),
        RDKafkaErrorCode::UnknownTopic => Exception::of(ErrorCode::UnknownTopicOrPartition, None),
        _ if wire > 0 => Exception::of(ErrorCode::from_code(wire), None),
        code => Exception::new("org.apache.kafka.common.KafkaException", code.to_string()),
    }
}

/// Says what stays the same only once.
#[derive(Default)]
struct Notes {
    last: Mutex<String>,
}

impl Notes {
    fn warn(&self, error: &KafkaError, what: &str) {
        // The sum of what was said of each.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // librdkafka counts what it does not repeat.
        let same = what.split(" (").next().unwrap_or(what);
        if *last != same {
            output::log("WARN", what, CLASS);
            same.clone_into(&mut last);
        }
    }
}

#[derive(Default)]
struct Reports {
    notes: Notes,
    lost: AtomicU64,
}

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.notes.warn(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult, (): ()) {
        if let Err((error, message)) = delivered {
            let size = |bytes: Option<&[u8]>| bytes.map(<[u8]>::len);
            self.lose(message.topic(), size(message.key()), size(message.payload()), &exception(error));
        }
    }
}

impl Reports {
    /// Says what Kafka's producer tool says of a record that was not delivered.
    fn lose(&self, topic: &str, key: Option<usize>, value: Option<usize>, why: &Exception) {
        let size = |bytes: Option<usize>| bytes.map_or("null".to_owned(), |bytes| format!("{bytes} bytes"));
        let (key, value) = (size(key), size(value));
        self.lost.fetch_add(1, Ordering::AcqRel);
        output::log(
            "ERROR",
            format_args!(
                "Error when sending message to topic {topic} with key: {key}, value: {value} with error:"
            ),
            "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback",
        );
        output::remark(why);
    }
}

#[derive(Default)]
struct Watch {
    notes: Notes,
}

impl ClientContext for Watch {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.notes.warn(&error, reason);
    }
}

impl ConsumerContext for Watch {}
