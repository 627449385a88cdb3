//! Whether the brokers can be reached: one log line per change, however often clients complain.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
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
    state: Arc<AtomicU8>,
}

/// Nothing was heard yet.
const NEW: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

impl Link {
    pub fn is_up(&self) -> bool {
        self.state.load(Ordering::Relaxed) == UP
    }

    pub fn is_down(&self) -> bool {
        self.state.load(Ordering::Relaxed) == DOWN
    }

    pub fn up(&self) {
        match self.state.swap(UP, Ordering::Relaxed) {
            DOWN => info!("the brokers answer again"),
            NEW => info!("the brokers answer"),
            _ => {}
        }
    }

    pub fn down(&self, reason: &str) {
        if self.state.swap(DOWN, Ordering::Relaxed) != DOWN {
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
