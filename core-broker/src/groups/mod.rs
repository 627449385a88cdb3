//! Consumer groups: a coordinator per partition of `__consumer_offsets`, and the handle through which the
//! rest of the broker asks them. The rules are in `broker_logic::groups`.

mod coordinator;
mod persist;
mod replay;
pub mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use broker_logic::{
    cluster::{ClusterImage, Command, Layout, PlanError},
    groups::{
        Answer, Coordinator, GroupConfig, GroupDescription, GroupError, GroupListing, Request,
        group_partition,
    },
    ids::{TopicId, TopicPartition},
};
use tokio::sync::{OnceCell, mpsc, oneshot, watch};
use tracing::warn;
use uuid::Uuid;

use crate::{
    config,
    controller::{Controller, ControllerError},
    partition::Partitions,
};
use coordinator::{Place, Question};

pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Requests waiting for one coordinator; connections wait while it is full.
const QUEUE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum GroupsError {
    #[error("the topic {OFFSETS_TOPIC} could not be created: {0}")]
    NoOffsetsTopic(#[from] ControllerError),
    #[error("the topic {OFFSETS_TOPIC} has no partitions")]
    NoPartition,
    #[error("the coordinator has stopped")]
    Stopped,
}

/// The coordinators of this broker. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    config: GroupConfig,
    /// Of the topic, when it is made.
    offsets_partitions: i32,
    partitions: Partitions,
    image: watch::Receiver<Arc<ClusterImage>>,
    controller: Controller,
    coordinators: Coordinators,
}

/// One for each partition of the topic, whether it is open or not. Begun with the first group that is asked
/// for, or at the start where the topic exists: sessions end and offsets expire though nobody asks. Cheap to
/// clone.
#[derive(Clone, Default)]
pub struct Coordinators(Arc<OnceCell<Vec<mpsc::Sender<Question>>>>);

impl Coordinators {
    /// The topic is deleted, and with it what all groups committed for it. What is committed after it returns
    /// is for another topic of that name.
    pub async fn forget_topic(&self, name: &str) {
        // Before they begin nobody has committed anything.
        for coordinator in self.0.get().into_iter().flatten() {
            // One that has stopped answers nobody with these offsets any more.
            let _ = coordinator.send(Question::TopicDeleted(name.into())).await;
        }
    }
}

pub fn start(
    config: &config::Groups,
    coordinators: Coordinators,
    partitions: Partitions,
    image: watch::Receiver<Arc<ClusterImage>>,
    controller: Controller,
) -> Groups {
    let groups = Groups {
        config: config.coordinators(),
        offsets_partitions: config.offsets_partitions,
        partitions,
        image,
        controller,
        coordinators,
    };
    if groups.topic_exists() {
        // Before the first topic can be deleted, and another one of its name made.
        let begun = groups.begin_all();
        assert!(groups.coordinators.0.set(begun).is_ok(), "coordinators begin once");
    }
    groups
}

impl Groups {
    /// Asks the coordinator of the request's group.
    pub async fn ask(&self, request: Request) -> Result<Answer, GroupsError> {
        let coordinator = self.coordinator_of(request.group_id()).await?;
        let (answer, receiver) = oneshot::channel();
        let question = Question::Request(request, answer);
        coordinator.send(question).await.map_err(|_| GroupsError::Stopped)?;
        receiver.await.map_err(|_| GroupsError::Stopped)
    }

    pub async fn describe(
        &self,
        group_id: String,
    ) -> Result<Result<GroupDescription, GroupError>, GroupsError> {
        let coordinator = self.coordinator_of(&group_id).await?;
        look(coordinator, move |coordinator| coordinator.describe(&group_id)).await
    }

    /// The groups of every partition that can be read, in order of group id.
    pub async fn list(&self) -> Result<Vec<GroupListing>, GroupsError> {
        // Kafka, too, lists what is online: one damaged partition does not hide the others.
        let listed = look_at_all(self.all().await?, Coordinator::list).await;
        let mut groups: Vec<_> = listed.into_iter().flatten().flatten().collect();
        groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        Ok(groups)
    }

    /// Whoever waits is told to look for another coordinator, and so is whoever comes: clients find it, or
    /// this one, when it is back.
    pub async fn stop(&self) {
        for coordinator in self.coordinators.0.get().into_iter().flatten() {
            let _ = coordinator.send(Question::Resign).await;
        }
    }

    /// Of a broker on which no group was ever asked for: none.
    async fn all(&self) -> Result<&[mpsc::Sender<Question>], GroupsError> {
        if self.topic_exists() { self.begun().await } else { Ok(&[]) }
    }

    async fn coordinator_of(&self, group_id: &str) -> Result<&mpsc::Sender<Question>, GroupsError> {
        let coordinators = self.begun().await?;
        let index = group_partition(group_id, coordinators.len() as i32);
        coordinators.get(index as usize).ok_or(GroupsError::NoPartition)
    }

    async fn begun(&self) -> Result<&[mpsc::Sender<Question>], GroupsError> {
        Ok(self.coordinators.0.get_or_try_init(|| self.begin()).await?)
    }

    async fn begin(&self) -> Result<Vec<mpsc::Sender<Question>>, GroupsError> {
        if !self.topic_exists() {
            self.create_topic().await?;
        }
        let begun = self.begin_all();
        if begun.is_empty() { Err(GroupsError::NoPartition) } else { Ok(begun) }
    }

    fn begin_all(&self) -> Vec<mpsc::Sender<Question>> {
        let at_start = self.image.borrow().clone();
        let count = at_start.topic(OFFSETS_TOPIC).map_or(0, |topic| topic.partition_count());
        let begin = |index| {
            let (questions, queue) = mpsc::channel(QUEUE);
            let place = Place {
                id: TopicPartition::new(OFFSETS_TOPIC, index as i32),
                partitions: self.partitions.clone(),
                image: self.image.clone(),
                at_start: at_start.clone(),
            };
            tokio::spawn(coordinator::run(self.config.clone(), place, queue));
            questions
        };
        (0..count).map(begin).collect()
    }

    fn topic_exists(&self) -> bool {
        self.image.borrow().topic(OFFSETS_TOPIC).is_some()
    }

    async fn create_topic(&self) -> Result<(), ControllerError> {
        let command = Command::CreateTopic {
            name: OFFSETS_TOPIC.into(),
            topic_id: TopicId(Uuid::new_v4()),
            layout: Layout::Automatic { partitions: Some(self.offsets_partitions), replication_factor: None },
            // Kafka's `offsets.topic.segment.bytes`: what is not sealed is not compacted, and read at every start.
            configs: vec![
                ("cleanup.policy".into(), Some("compact".into())),
                ("segment.bytes".into(), Some("104857600".into())),
            ],
        };
        match self.controller.run(command).await {
            Ok(_) | Err(ControllerError::Plan(PlanError::TopicExists { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What every coordinator tells that is there. One that has stopped is told in the log and left out.
async fn look_at_all<T: Send + 'static>(
    coordinators: &[mpsc::Sender<Question>],
    what: impl Fn(&Coordinator) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let mut seen = Vec::with_capacity(coordinators.len());
    for (partition, coordinator) in coordinators.iter().enumerate() {
        match look(coordinator, what.clone()).await {
            Ok(told) => seen.push(told),
            Err(error) => {
                warn!(partition, %error, "the groups of a partition of {OFFSETS_TOPIC} are left out")
            }
        }
    }
    seen
}

/// Asks a coordinator, once it has read its partition or could not, for something that it knows.
async fn look<T: Send + 'static>(
    coordinator: &mpsc::Sender<Question>,
    look: impl FnOnce(&Coordinator) -> T + Send + 'static,
) -> Result<T, GroupsError> {
    let (answer, receiver) = oneshot::channel();
    let question = Question::Look(Box::new(move |coordinator| {
        // Who asked may have gone.
        let _ = answer.send(look(coordinator));
    }));
    coordinator.send(question).await.map_err(|_| GroupsError::Stopped)?;
    receiver.await.map_err(|_| GroupsError::Stopped)
}
