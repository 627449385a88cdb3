//! Records that are none of ours: counted, passed over, and told of at most every ten seconds.

use std::time::{Duration, Instant};

use tracing::warn;

use crate::kafka::TopicPartition;

const REPORT_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Rejected {
    total: u64,
    reported: u64,
    last_report: Option<Instant>,
    /// Where and why, of the newest.
    last: Option<(TopicPartition, i64, String)>,
}

impl Rejected {
    pub fn note(&mut self, at: &TopicPartition, offset: i64, reason: String) {
        self.total += 1;
        self.last = Some((at.clone(), offset, reason));
        self.report();
    }

    pub fn report(&mut self) {
        if self.last_report.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            return;
        }
        let Some((at, offset, reason)) = self.last.take() else { return };
        let records = self.total - self.reported;
        warn!(records, total = self.total, last = %at, offset, reason, "passed over records that are no fixes");
        self.reported = self.total;
        self.last_report = Some(Instant::now());
    }
}
