use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use broker_logic::{
    cluster::{Configs, Record, StaticConfigs, TopicSettings},
    groups::{CommitRequest, OffsetToCommit},
    ids::{BrokerId, LeaderEpoch, Offset},
};
use commit_log::RealDisk;

use super::*;
use crate::{
    clock,
    hosted::{Hosted, OpenPartition},
    metrics::Metrics,
    partition::Partition,
    writer::Writers,
};

const ME: BrokerId = BrokerId(1);
const GROUP: &str = "g";

#[tokio::test]
async fn who_looks_while_the_partition_is_read_is_told_what_is_in_it() {
    let logs = tempfile::tempdir().unwrap();
    let writers = writers();
    let partition = partition_of_a_group(&writers, logs.path()).await;
    let listed = list_at_the_start(partition).await.expect("answered");
    let names: Vec<_> = listed.expect("it is read").into_iter().map(|group| group.group_id).collect();
    assert_eq!(names, [GROUP]);
    writers.stop().await;
}

#[tokio::test]
async fn who_looks_while_a_damaged_partition_is_read_is_told_that_it_cannot_be() {
    let logs = tempfile::tempdir().unwrap();
    let writers = writers();
    let partition = partition_of_a_group(&writers, logs.path()).await;
    damage(&folder(logs.path(), &partition.id).join("00000000000000000000.log"));
    let listed = list_at_the_start(partition).await.expect("answered");
    assert_eq!(listed.unwrap_err(), GroupError::CoordinatorNotAvailable);
    writers.stop().await;
}

#[tokio::test]
async fn a_coordinator_that_has_stopped_does_not_hide_the_others() {
    let logs = tempfile::tempdir().unwrap();
    let writers = writers();
    let partition = partition_of_a_group(&writers, logs.path()).await;
    let (stopped, _) = mpsc::channel(QUEUE);
    let coordinators = [stopped, begin(partition)];
    let listed = look_at_all(&coordinators, Coordinator::list).await;
    assert_eq!(listed.into_iter().flatten().flatten().count(), 1);
    writers.stop().await;
}

/// Asked before the coordinator has begun.
async fn list_at_the_start(
    partition: Partition,
) -> Result<Result<Vec<GroupListing>, GroupError>, GroupsError> {
    look(&begin(partition), Coordinator::list).await
}

fn begin(partition: Partition) -> mpsc::Sender<Question> {
    let (questions, queue) = mpsc::channel(QUEUE);
    let at_start = image();
    let (_, image) = watch::channel(at_start.clone());
    let place = Place { id: partition.id.clone(), partitions: Partitions::default(), image, at_start };
    place.partitions.insert(partition);
    tokio::spawn(coordinator::run(GroupConfig::default(), place, queue));
    questions
}

/// What the group has committed is in it.
async fn partition_of_a_group(writers: &Writers, logs: &Path) -> Partition {
    let partition = host(writers, logs).await;
    let coordinator = begin(partition.clone());
    assert!(look(&coordinator, Coordinator::list).await.is_ok(), "it has read the partition");
    let (answer, answered) = oneshot::channel();
    let asked = coordinator.send(Question::Request(commit(), answer)).await;
    assert!(asked.is_ok());
    assert_eq!(answered.await.unwrap(), Answer::CommitOffsets(vec![(committed(), Ok(()))]));
    partition
}

fn commit() -> Request {
    let offset = OffsetToCommit {
        partition: committed(),
        offset: Offset(7),
        leader_epoch: LeaderEpoch(0),
        metadata: String::new(),
    };
    Request::CommitOffsets(CommitRequest {
        group_id: GROUP.into(),
        generation: -1,
        member_id: String::new(),
        group_instance_id: None,
        retention_ms: None,
        offsets: vec![offset],
    })
}

fn committed() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn writers() -> Writers {
    Writers::start(Duration::from_secs(3600), &Arc::default(), &Arc::new(Metrics::default()))
}

async fn host(writers: &Writers, logs: &Path) -> Partition {
    let id = TopicPartition::new(OFFSETS_TOPIC, 0);
    let open = OpenPartition {
        topic_id: TopicId::default(),
        folder: folder(logs, &id),
        leader_epoch: LeaderEpoch(0),
        in_sync: vec![ME],
        settings: settings(),
        id: id.clone(),
    };
    let (hosted, _) = Hosted::open(RealDisk, ME, open, clock::now_ms(), |_| ()).unwrap();
    writers.host(hosted).await.unwrap()
}

fn settings() -> TopicSettings {
    let image = image();
    let topic = image.topic(OFFSETS_TOPIC).unwrap();
    Configs::new(&image, ME, &StaticConfigs::default()).topic_settings(topic)
}

fn image() -> Arc<ClusterImage> {
    let mut image = ClusterImage::new();
    for (number, name) in [OFFSETS_TOPIC, "t"].into_iter().enumerate() {
        let topic_id = TopicId(Uuid::from_u128(number as u128));
        image.apply(&Record::Topic { name: name.into(), topic_id }).unwrap();
    }
    Arc::new(image)
}

fn folder(logs: &Path, id: &TopicPartition) -> PathBuf {
    logs.join(id.to_string())
}

/// The length of the first batch.
fn damage(log: &Path) {
    let mut bytes = fs::read(log).unwrap();
    bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    fs::write(log, bytes).unwrap();
}
