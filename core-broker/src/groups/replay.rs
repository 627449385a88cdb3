//! Reading a partition of `__consumer_offsets`, a piece at a time.

use std::time::Instant;

use anyhow::Result;
use broker_logic::{groups::Coordinator, ids::Offset};
use bytes::Bytes;
use kafka_wire::record_batch::{self, Record};
use tracing::{error, warn};

use crate::partition::Partition;

const READ_BYTES: usize = 1 << 20;

/// A batch decompresses to at most this: anyone may write to the topic.
const MAX_BATCH_BYTES: usize = 64 << 20;

pub struct Replay {
    partition: Partition,
    next: Offset,
    end: Offset,
}

/// In the order of the log.
pub struct Records(Vec<Record>);

impl Replay {
    pub fn of(partition: Partition) -> Self {
        let view = partition.view();
        Self { partition, next: view.log_start, end: view.high_watermark }
    }

    /// `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<Records>> {
        if self.next >= self.end {
            return Ok(None);
        }
        let bytes = self.partition.read(self.next, READ_BYTES, true).await?;
        let records = self.decode(&bytes)?;
        // Compaction may have taken what was between here and the end.
        Ok((!bytes.is_empty()).then_some(Records(records)))
    }

    fn decode(&mut self, bytes: &Bytes) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for batch in record_batch::batches(bytes) {
            let (header, range) = batch?;
            match record_batch::decode_records(bytes.slice(range), MAX_BATCH_BYTES) {
                Ok(decoded) => records.extend(decoded),
                Err(error) => {
                    let partition = &self.partition.id;
                    error!(%partition, offset = header.base_offset, %error, "skipped a damaged batch");
                }
            }
            self.next = Offset(header.next_offset());
        }
        Ok(records)
    }
}

impl Records {
    pub fn replay_into(self, coordinator: &mut Coordinator) {
        let now = Instant::now();
        for record in self.0 {
            // Any client may write to the topic; what is no offset concerns nobody.
            let key = record.key.unwrap_or_default();
            if let Err(error) = coordinator.replay(key, record.value, now) {
                warn!(offset = record.offset, %error, "skipped a record of the groups' offsets");
            }
        }
    }
}
