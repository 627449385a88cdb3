//! A coordinator's records on their way to the log.

use anyhow::Result;
use broker_logic::{
    groups::{Input, OffsetsRecord, PersistError, PersistId},
    replica::{Acks, AppendError},
};
use bytes::Bytes;
use kafka_wire::record_batch::{self, BatchHeader, Compression, Producer, RecordsEncoder};
use tokio::sync::mpsc;
use tracing::error;

use crate::{
    clock,
    partition::{Partition, answered},
};

/// Kafka's `offsets.commit.timeout.ms`.
const TIMEOUT_MS: i64 = 5_000;

/// Submitted before it returns, so that records are appended in the order of their ids. What becomes of
/// them is told to `outcomes`.
pub async fn persist(
    partition: &Partition,
    persist: PersistId,
    records: &[OffsetsRecord],
    outcomes: &mpsc::Sender<Input>,
) {
    let batch = encode(records);
    let submitted = match batch {
        Ok((header, batch)) => {
            Some(partition.submit(header, batch, Acks::All, clock::now_ms() + TIMEOUT_MS).await)
        }
        Err(error) => {
            error!(partition = %partition.id, "cannot encode offsets: {error:#}");
            None
        }
    };
    let outcomes = outcomes.clone();
    // Not sent from here: the coordinator, which calls this, is the one that empties the queue.
    tokio::spawn(async move {
        let error = match submitted {
            None => Some(PersistError::TooLarge),
            Some(answer) => answered(answer).await.err().map(|error| reason(&error)),
        };
        let outcome = match error {
            None => Input::Persisted { persist },
            Some(error) => Input::PersistFailed { persist, error },
        };
        let _ = outcomes.send(outcome).await;
    });
}

fn reason(error: &AppendError) -> PersistError {
    match error {
        AppendError::NotEnoughReplicas | AppendError::TimedOut | AppendError::LogFailed => {
            PersistError::Unavailable
        }
        _ => PersistError::NotLeader,
    }
}

fn encode(records: &[OffsetsRecord]) -> Result<(BatchHeader, Bytes)> {
    let mut encoder = RecordsEncoder::new();
    for record in records {
        let (key, value) = record.encode();
        encoder.push(clock::now_ms(), Some(&key), value.as_deref(), &[]);
    }
    let batch = record_batch::assemble(&encoder.finish(Compression::None)?, Producer::NONE).freeze();
    Ok((BatchHeader::validate(&batch)?, batch))
}
