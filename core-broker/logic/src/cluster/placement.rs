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
    let factor = usize::try_from(replication_factor).unwrap_or_default();
    if factor == 0 {
        return Err(PlanError::InvalidReplicationFactor);
    }
    if factor > brokers.len() {
        return Err(PlanError::TooFewBrokers { asked: factor, brokers: brokers.len() });
    }
    // Topics begin at different places on the ring, or every first partition would meet on one broker.
    let start = image.partition_count();
    Ok((from..to)
        .map(|partition| brokers.iter().copied().cycle().skip((start + partition) % brokers.len()))
        .map(|ring| ring.take(factor).collect())
        .collect())
}

/// Replicas named by an admin: each a registered broker, none twice, the same number everywhere (`factor`, if
/// the topic has one).
pub fn check_assignments(
    image: &ClusterImage,
    assignments: &[Vec<BrokerId>],
    factor: Option<usize>,
) -> Result<(), PlanError> {
    let factor = factor.or(assignments.first().map(Vec::len)).unwrap_or_default();
    for replicas in assignments {
        check_assignment(image, replicas)?;
        if replicas.len() != factor {
            let reason = format!(
                "The manual partition assignment includes a partition with {} replica(s), but this is not \
                 consistent with previous partitions, which have {factor} replica(s).",
                replicas.len()
            );
            return Err(PlanError::InvalidAssignment { reason });
        }
    }
    Ok(())
}

/// The replicas of one partition.
pub fn check_assignment(image: &ClusterImage, replicas: &[BrokerId]) -> Result<(), PlanError> {
    let refuse = |what: String| {
        let reason = format!("The manual partition assignment includes {what}");
        Err(PlanError::InvalidAssignment { reason })
    };
    if replicas.is_empty() {
        return refuse("an empty replica list.".to_owned());
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = replicas.iter().find(|replica| !seen.insert(**replica)) {
        return refuse(format!("the broker {twice} more than once."));
    }
    match replicas.iter().find(|replica| image.broker(**replica).is_none()) {
        Some(unknown) => refuse(format!("broker {unknown}, but no such broker is registered.")),
        None => Ok(()),
    }
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
