//! What groups look like from outside: their states, and how far each is behind.

use broker_logic::{
    groups::{Coordinator, GroupListing},
    ids::{Offset, TopicPartition},
};

use super::{Groups, GroupsError, look_at_all};

#[derive(Debug, Default)]
pub struct GroupsReport {
    /// In order of group id.
    pub groups: Vec<GroupListing>,
    /// In order of group, topic and partition, at most as many as were asked for.
    pub lags: Vec<PartitionLag>,
    /// Those that there was no room for.
    pub left_out: usize,
}

#[derive(Debug)]
pub struct PartitionLag {
    pub group_id: String,
    pub partition: TopicPartition,
    pub committed: Offset,
    /// What a consumer could read: the high watermark.
    pub log_end: Offset,
    /// In records, and never negative: a consumer may have committed what was cut off since.
    pub lag: i64,
}

impl Groups {
    /// For metrics: at most `max_lags` partitions, so that groups cannot make labels without end.
    /// Of a partition that cannot be read there are none.
    pub async fn report(&self, max_lags: usize) -> Result<GroupsReport, GroupsError> {
        let positions = move |coordinator: &Coordinator| {
            let owned = |(group, partition, offset): (&str, &TopicPartition, Offset)| {
                (group.to_owned(), partition.clone(), offset)
            };
            let first: Vec<_> = coordinator.positions().take(max_lags).map(owned).collect();
            (first, coordinator.position_count())
        };
        let (mut committed, mut count) = (Vec::new(), 0);
        for (first, all) in look_at_all(self.all().await?, positions).await {
            committed.extend(first);
            count += all;
        }
        committed.sort();
        committed.truncate(max_lags);
        let left_out = count - committed.len();
        let lags = committed.into_iter().filter_map(|(group_id, partition, committed)| {
            let log_end = self.partitions.get(&partition)?.view().high_watermark;
            let lag = (log_end.0 - committed.0).max(0);
            Some(PartitionLag { group_id, partition, committed, log_end, lag })
        });
        Ok(GroupsReport { lags: lags.collect(), groups: self.list().await?, left_out })
    }
}
