//! DescribeProducers: who has written to a partition lately, as far as it is remembered.

use std::{collections::BTreeSet, sync::Arc};

use broker_logic::replica::ProducerState as Remembered;
use kafka_wire::{
    ErrorCode,
    messages::describe_producers::{
        DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
    },
};

use crate::broker::Shared;

/// There are no transactions, and so no coordinators of them.
const NONE: i32 = -1;

pub async fn handle(shared: Arc<Shared>, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let mut response = DescribeProducersResponse::default();
    let mut seen = BTreeSet::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        let name: Arc<str> = topic.name.as_str().into();
        for partition_index in topic.partition_indexes {
            // Told once, however often it is asked for: thousands of producers may have written to it.
            if !seen.insert((name.clone(), partition_index)) {
                continue;
            }
            partitions.push(describe(&shared, &topic.name, partition_index).await);
        }
        response.topics.push(TopicResponse { name: topic.name, partitions });
    }
    response
}

async fn describe(shared: &Shared, topic: &str, partition_index: i32) -> PartitionResponse {
    let remembered = match shared.partition(topic, partition_index) {
        Some(partition) => {
            partition.ask(|hosted, _, _| hosted.replica().producers().states().collect::<Vec<_>>()).await
        }
        None => None,
    };
    match remembered {
        Some(producers) => PartitionResponse {
            partition_index,
            active_producers: producers.into_iter().map(told).collect(),
            ..Default::default()
        },
        None => PartitionResponse {
            partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition,
            error_message: Some("This server does not host this topic-partition.".into()),
            ..Default::default()
        },
    }
}

fn told(producer: Remembered) -> ProducerState {
    ProducerState {
        producer_id: producer.id,
        producer_epoch: producer.epoch.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: NONE,
        ..Default::default()
    }
}
