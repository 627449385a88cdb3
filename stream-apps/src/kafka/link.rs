//! Whether the brokers can be reached: one log line per change, however often clients complain.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};
use tracing::{debug, info, warn};

/// Shared by all clients of the process.
#[derive(Debug, Clone, Default)]
pub struct Link {
    is_down: Arc<AtomicBool>,
}

impl Link {
    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    pub fn up(&self) {
        if self.is_down() && self.is_down.swap(false, Ordering::Relaxed) {
            info!("the brokers answer again");
        }
    }

    pub fn down(&self, reason: &str) {
        if !self.is_down.swap(true, Ordering::Relaxed) {
            warn!(reason, "no broker answers; waiting");
        }
    }

    /// Takes note of an error that a client reports.
    pub(super) fn heard(&self, error: &KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.down(reason),
            _ => debug!(%error, reason, "kafka client"),
        }
    }
}

impl ClientContext for Link {
    // librdkafka reports each attempt to connect; the changes of state above are enough.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.heard(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Link {}
