//! DescribeLogDirs: how large the logs in the data folder are, and how much room there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use kafka_wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::{
    broker::Shared,
    partition::{Partition, blocking},
    volume,
};

pub async fn handle(shared: Arc<Shared>, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let asked = request.topics.map(asked_for);
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in shared.partitions.all() {
        let (topic, index) = (partition.id.topic.to_string(), partition.id.partition.0);
        if asked.as_ref().is_none_or(|asked| asked.get(&topic).is_some_and(|it| it.contains(&index))) {
            topics.entry(topic).or_default().push(described(&partition));
        }
    }
    let topics = topics.into_iter().map(|(name, partitions)| DescribeLogDirsTopic { name, partitions });
    let result = log_dir(shared.config.logs(), topics.collect()).await;
    DescribeLogDirsResponse { results: vec![result], ..Default::default() }
}

fn asked_for(topics: Vec<DescribableLogDirTopic>) -> BTreeMap<String, BTreeSet<i32>> {
    let mut asked = BTreeMap::<_, BTreeSet<i32>>::new();
    for topic in topics {
        asked.entry(topic.topic).or_default().extend(topic.partitions);
    }
    asked
}

fn described(partition: &Partition) -> DescribeLogDirsPartition {
    let reader = partition.reader();
    DescribeLogDirsPartition {
        partition_index: partition.id.partition.0,
        partition_size: reader.bytes() as i64,
        offset_lag: (partition.view().high_watermark.0 - reader.log_end()).max(0),
        is_future_key: false,
    }
}

async fn log_dir(logs: impl AsRef<Path>, topics: Vec<DescribeLogDirsTopic>) -> DescribeLogDirsResult {
    let logs = std::path::absolute(logs.as_ref()).unwrap_or_else(|_| logs.as_ref().to_path_buf());
    let log_dir = logs.display().to_string();
    // A disk that does not answer must not hold up anybody else.
    let room = blocking(move || volume::room(&logs)).await;
    let (total_bytes, usable_bytes) = room.unwrap_or((-1, -1));
    DescribeLogDirsResult { log_dir, topics, total_bytes, usable_bytes, ..Default::default() }
}
