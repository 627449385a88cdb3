//! A topic on its way down to an agent: every partition from where the agent says, as it becomes stable.

use std::sync::Arc;

use broker_logic::ids::{Offset, TopicPartition};
use commit_log::ReadError;
use tokio::{sync::mpsc, task::JoinSet};
use tracing::{error, warn};
use uplink_wire::{Frame, Subscribe};

use crate::{broker::Shared, partition::Partition};

/// A frame's worth of alerts.
const MAX_DELIVERY_BYTES: usize = 256 << 10;

/// Runs until the stream closes and this task is dropped.
pub async fn deliver(shared: Arc<Shared>, subscribe: Subscribe, outbox: mpsc::Sender<Frame>) {
    let count = partitions_of(&shared, &subscribe.topic).await;
    let mut deliveries = JoinSet::new();
    for index in 0..count {
        let id = TopicPartition::new(subscribe.topic.as_str(), index);
        let from = subscribe.from.iter().find(|(partition, _)| *partition == index);
        let from = from.map(|(_, offset)| Offset(*offset));
        let (shared, outbox) = (shared.clone(), outbox.clone());
        deliveries.spawn(async move {
            // In the image, so about to be opened if it is not yet.
            let mut image = shared.image.clone();
            let partition = loop {
                match shared.partitions.get(&id) {
                    Some(partition) => break partition,
                    None if image.changed().await.is_err() => return,
                    None => {}
                }
            };
            deliver_partition(&shared, partition, index, from, outbox).await;
        });
    }
    while deliveries.join_next().await.is_some() {}
}

/// Waits until somebody creates the topic.
async fn partitions_of(shared: &Shared, topic: &str) -> i32 {
    let mut image = shared.image.clone();
    loop {
        if let Some(count) = shared.topic_partitions(topic) {
            return count as i32;
        }
        if image.changed().await.is_err() {
            return 0;
        }
    }
}

async fn deliver_partition(
    shared: &Shared,
    partition: Partition,
    index: i32,
    from: Option<Offset>,
    outbox: mpsc::Sender<Frame>,
) {
    let mut view = partition.view.clone();
    let mut offset = from.unwrap_or(partition.view().log_start);
    loop {
        let high_watermark = view.borrow_and_update().high_watermark;
        if offset >= high_watermark {
            if offset > high_watermark {
                warn!(partition = %partition.id, %offset, %high_watermark,
                    "an agent asks for records beyond the end: starting over, it knows what it has seen");
                offset = partition.view().log_start;
                continue;
            }
            if view.changed().await.is_err() {
                return;
            }
            continue;
        }
        let batches = match partition.read(offset, MAX_DELIVERY_BYTES, true).await {
            Ok(batches) => batches,
            Err(ReadError::OffsetOutOfRange { start, .. }) => {
                offset = Offset(start);
                continue;
            }
            Err(error) => {
                error!(partition = %partition.id, %error, "cannot read alerts");
                return;
            }
        };
        // Compaction or damage has taken all up to there.
        if batches.is_empty() {
            offset = high_watermark;
            continue;
        }
        partition.traffic.sent(batches.len());
        let records = records_in(&batches);
        let Some(next) = next_offset(&batches) else { return };
        let frame = Frame::Deliver { partition: index, next_offset: next.0, batches };
        if outbox.send(frame).await.is_err() {
            return;
        }
        shared.metrics.downlink_sent(records);
        offset = next;
    }
}

fn records_in(batches: &[u8]) -> u64 {
    let headers = kafka_wire::record_batch::batches(batches).map_while(Result::ok);
    headers.map(|(header, _)| u64::try_from(header.record_count).unwrap_or(0)).sum()
}

fn next_offset(batches: &[u8]) -> Option<Offset> {
    let last = kafka_wire::record_batch::batches(batches).filter_map(Result::ok).last();
    last.map(|(header, _)| Offset(header.next_offset()))
}
