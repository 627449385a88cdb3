//! What an admin may ask of leaders and replicas: elections, and moves to other brokers.

use thiserror::Error;

use super::command::PlanError;
use super::image::ClusterImage;
use super::placement::check_assignment;
use crate::ids::{BrokerId, PartitionIndex};

/// Who is to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The first of the replicas, if it is in sync.
    Preferred,
    /// Any replica, if there is no leader.
    Unclean,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ElectionError {
    #[error("No such topic as {topic}")]
    UnknownTopic { topic: String },
    #[error("No such partition as {topic}-{partition}")]
    UnknownPartition { topic: String, partition: PartitionIndex },
    #[error("Leader election not needed for topic partition.")]
    NotNeeded,
    #[error("The preferred leader was not available.")]
    PreferredNotAvailable,
    #[error("Eligible topic partition leaders are not available.")]
    NoEligibleLeader,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReassignmentError {
    #[error("Unable to find a topic named {topic}.")]
    UnknownTopic { topic: String },
    #[error("Unable to find partition {topic}:{partition}.")]
    UnknownPartition { topic: String, partition: PartitionIndex },
    #[error("No partition reassignment is in progress.")]
    NoneInProgress,
    #[error(transparent)]
    InvalidAssignment(#[from] PlanError),
    #[error("A partition stays on the brokers it was created on: this cluster moves none.")]
    NotMoved,
}

impl ClusterImage {
    /// Why no other leader is elected. The leaders of a cluster change when brokers come and go; an admin can
    /// only be told how things are.
    pub fn why_not_elected(
        &self,
        topic: &str,
        partition: PartitionIndex,
        election: Election,
    ) -> ElectionError {
        let Some(found) = self.topic(topic) else {
            return ElectionError::UnknownTopic { topic: topic.to_owned() };
        };
        let Some(state) = found.partition(partition) else {
            return ElectionError::UnknownPartition { topic: topic.to_owned(), partition };
        };
        match election {
            Election::Preferred if state.leader == state.replicas.first().copied() => {
                ElectionError::NotNeeded
            }
            Election::Preferred => ElectionError::PreferredNotAvailable,
            Election::Unclean if state.leader.is_some() => ElectionError::NotNeeded,
            Election::Unclean => ElectionError::NoEligibleLeader,
        }
    }

    /// May the partition have these replicas, and is it there already? `None` calls a move off, of which there
    /// are none.
    pub fn check_reassignment(
        &self,
        topic: &str,
        partition: PartitionIndex,
        replicas: Option<&[BrokerId]>,
    ) -> Result<(), ReassignmentError> {
        let Some(found) = self.topic(topic) else {
            return Err(ReassignmentError::UnknownTopic { topic: topic.to_owned() });
        };
        let Some(state) = found.partition(partition) else {
            return Err(ReassignmentError::UnknownPartition { topic: topic.to_owned(), partition });
        };
        let replicas = replicas.ok_or(ReassignmentError::NoneInProgress)?;
        check_assignment(self, replicas)?;
        if state.replicas == replicas { Ok(()) } else { Err(ReassignmentError::NotMoved) }
    }
}
