//! Which brokers hold which partitions of a topic: neighbours on a ring, one step on per partition,
//! so that leaders and replicas spread evenly.

use std::collections::BTreeSet;

use super::command::PlanError;
use super::image::ClusterImage;
use super::record::PartitionState;
use crate::ids::{BrokerId, LeaderEpoch, PartitionEpoch};

/// Replicas for the partitions `from..to`, `replication_factor` each.
pub fn place(
    image: &ClusterImage,
    from: usize,
    to: usize,
    replication_factor: i16,
) -> Result<Vec<Vec<BrokerId>>, PlanError> {
    let brokers: Vec<BrokerId> = image.brokers().map(|broker| broker.id).collect();
    let invalid =
        PlanError::InvalidReplicationFactor { asked: replication_factor.into(), brokers: brokers.len() };
    let factor = usize::try_from(replication_factor).map_err(|_| invalid.clone())?;
    if factor == 0 || factor > brokers.len() {
        return Err(invalid);
    }
    // Topics begin at different places on the ring, or every first partition would meet on one broker.
    let start = image.partition_count();
    Ok((from..to)
        .map(|partition| brokers.iter().copied().cycle().skip((start + partition) % brokers.len()))
        .map(|ring| ring.take(factor).collect())
        .collect())
}

/// Replicas named by an admin: each a registered broker, none twice, the same number everywhere.
pub fn check_assignments(image: &ClusterImage, assignments: &[Vec<BrokerId>]) -> Result<(), PlanError> {
    let refuse = |reason: String| Err(PlanError::InvalidAssignment { reason });
    let factor = assignments.first().map_or(0, Vec::len);
    for (partition, replicas) in assignments.iter().enumerate() {
        if replicas.is_empty() {
            return refuse(format!("partition {partition} has no replica"));
        }
        if replicas.len() != factor {
            return refuse(format!("partition {partition} has {} replicas, not {factor}", replicas.len()));
        }
        if replicas.iter().collect::<BTreeSet<_>>().len() != replicas.len() {
            return refuse(format!("partition {partition} names a broker twice"));
        }
        if let Some(unknown) = replicas.iter().find(|replica| image.broker(**replica).is_none()) {
            return refuse(format!("partition {partition} names broker {unknown}, which is not registered"));
        }
    }
    Ok(())
}

/// A new partition: every replica is as empty as its leader, hence in sync.
pub fn new_partition(replicas: Vec<BrokerId>) -> PartitionState {
    PartitionState {
        isr: replicas.clone(),
        elr: Vec::new(),
        leader: replicas.first().copied(),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
        recovering: false,
        replicas,
    }
}
