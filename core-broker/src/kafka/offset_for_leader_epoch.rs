//! OffsetForLeaderEpoch: where an epoch ended, so that a client sees that the log went another way (KIP-320).

use std::cmp::Ordering;

use broker_logic::ids::LeaderEpoch;
use kafka_wire::{
    ErrorCode,
    messages::offset_for_leader_epoch::{
        EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
        OffsetForLeaderTopicResult,
    },
};

use super::fetch::check_epoch;
use crate::{broker::Shared, partition::Partition};

pub fn handle(shared: &Shared, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions =
            topic.partitions.iter().map(|asked| match shared.partition(&topic.topic, asked.partition) {
                Some(partition) => answer(&partition, asked),
                None => failed(asked.partition, ErrorCode::UnknownTopicOrPartition),
            });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult { topic: topic.topic, partitions }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
}

fn answer(partition: &Partition, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let current = partition.view().leader_epoch;
    if let Some(error) = check_epoch(LeaderEpoch(asked.current_leader_epoch), current) {
        return failed(asked.partition, error);
    }
    let (leader_epoch, end_offset) = end_of(partition, asked.leader_epoch, current);
    EpochEndOffset { error_code: ErrorCode::None, partition: asked.partition, leader_epoch, end_offset }
}

/// The largest epoch up to the one asked for, and where it ends; -1 for both if it has not begun.
fn end_of(partition: &Partition, epoch: i32, current: LeaderEpoch) -> (i32, i64) {
    let reader = partition.reader();
    let log_end = reader.log_end();
    match epoch.cmp(&current.0) {
        Ordering::Greater => (-1, -1),
        // The present epoch has begun, even if no batch of it has come.
        Ordering::Equal => (epoch, log_end),
        Ordering::Less => match reader.epoch_end(epoch) {
            Some(end) => (end.epoch, end.end_offset),
            None => (reader.epoch_at(log_end).unwrap_or(epoch), log_end),
        },
    }
}

fn failed(partition: i32, error_code: ErrorCode) -> EpochEndOffset {
    EpochEndOffset { error_code, partition, ..Default::default() }
}
