//! A coordinator's records on their way to the log.

use anyhow::{Result, ensure};
use broker_logic::{
    groups::{Input, OffsetsRecord, PersistError, PersistId},
    replica::{Acks, AppendError},
};
use bytes::Bytes;
use kafka_wire::record_batch::{self, BatchHeader, Compression, HEADER_BYTES, Producer, RecordsEncoder};
use tokio::sync::mpsc;
use tracing::error;

use super::OFFSETS_TOPIC;
use crate::{
    clock,
    partition::{Partition, answered},
};

/// Kafka's `offsets.commit.timeout.ms`.
const TIMEOUT_MS: i64 = 5_000;

/// The most that stands around the key and the value of a record.
const RECORD_ROOM: usize = 40;

type Batch = (BatchHeader, Bytes);

/// Submitted before it returns, so that records are appended in the order of their ids. What becomes of
/// them is told to `outcomes`.
pub async fn persist(
    partition: &Partition,
    persist: PersistId,
    records: &[OffsetsRecord],
    outcomes: &mpsc::Sender<Input>,
) {
    let batches = encode(records, partition.settings().max_message_bytes).unwrap_or_else(|error| {
        error!(partition = %partition.id, "cannot write the offsets of a group: {error:#}");
        Vec::new()
    });
    let mut submitted = Vec::new();
    for (header, batch) in batches {
        let deadline_ms = clock::now_ms() + TIMEOUT_MS;
        submitted.push(partition.submit(header, batch, Acks::All, deadline_ms).await);
    }
    let outcomes = outcomes.clone();
    // Not sent from here: the coordinator, which calls this, is the one that empties the queue.
    tokio::spawn(async move {
        let mut outcome = if submitted.is_empty() { Err(PersistError::TooLarge) } else { Ok(()) };
        for answer in submitted {
            outcome = outcome.and(answered(answer).await.map(|_| ()).map_err(|error| reason(&error)));
        }
        let input = match outcome {
            Ok(()) => Input::Persisted { persist },
            Err(error) => Input::PersistFailed { persist, error },
        };
        let _ = outcomes.send(input).await;
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

/// As few batches of at most `most` bytes as it takes. A crash between them leaves what nobody was told of.
fn encode(records: &[OffsetsRecord], most: usize) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    let mut encoder = RecordsEncoder::new();
    let mut bytes = HEADER_BYTES;
    for record in records {
        let (key, value) = record.encode();
        let size = key.len() + value.as_ref().map_or(0, Bytes::len) + RECORD_ROOM;
        ensure!(
            HEADER_BYTES + size <= most,
            "a record of {size} bytes does not fit into a batch of {most}: raise max.message.bytes of \
             {OFFSETS_TOPIC}"
        );
        if bytes + size > most {
            batches.push(batch(std::mem::replace(&mut encoder, RecordsEncoder::new()))?);
            bytes = HEADER_BYTES;
        }
        encoder.push(clock::now_ms(), Some(&key), value.as_deref(), &[]);
        bytes += size;
    }
    batches.push(batch(encoder)?);
    Ok(batches)
}

fn batch(encoder: RecordsEncoder) -> Result<Batch> {
    let batch = record_batch::assemble(&encoder.finish(Compression::None)?, Producer::NONE).freeze();
    Ok((BatchHeader::validate(&batch)?, batch))
}

#[cfg(test)]
mod tests {
    use broker_logic::ids::TopicPartition;

    use super::*;

    #[test]
    fn records_fill_batches_up_to_the_limit_and_a_larger_record_is_refused() {
        let record = |topic: usize| OffsetsRecord::Offset {
            group_id: "g".into(),
            partition: TopicPartition::new("t".repeat(topic), 0),
            value: None,
        };
        for (topics, most, expected) in [
            (vec![10], 200, Some(1)),
            (vec![10; 4], 200, Some(2)),
            (vec![10; 4], 10_000, Some(1)),
            (vec![10, 80, 10], 200, Some(3)),
            (vec![10, 120, 10], 200, None),
        ] {
            let records: Vec<_> = topics.iter().map(|topic| record(*topic)).collect();
            let batches = encode(&records, most).ok();
            assert_eq!(batches.as_ref().map(Vec::len), expected, "{topics:?} into {most}");
            let batches = batches.unwrap_or_default();
            assert!(batches.iter().all(|(_, batch)| batch.len() <= most), "{topics:?} into {most}");
        }
    }
}
