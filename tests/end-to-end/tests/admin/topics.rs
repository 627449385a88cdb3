//! Topics: created by naming them, grown, told page by page; sizes, epochs, what a client may do.

use anyhow::{Context, Result, ensure};
use end_to_end::{kafka::Client, scene};
use kafka_wire::{
    ErrorCode,
    messages::{
        create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic},
        delete_topics::{DeleteTopicState, DeleteTopicsRequest},
        describe_cluster::DescribeClusterRequest,
        describe_log_dirs::DescribeLogDirsRequest,
        describe_topic_partitions::{DescribeTopicPartitionsRequest, TopicRequest},
        metadata::{MetadataRequest, MetadataRequestTopic},
        offset_for_leader_epoch::{
            OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
        },
    },
};
use uuid::Uuid;

use super::{create, produce};

#[test]
fn trap_19_naming_a_topic_creates_it_only_where_that_is_allowed() {
    scene(|scene| {
        let mut broker = scene.broker_configured("[topics]\nnum_partitions = 3\n")?;
        let mut client = Client::connect(scene.kafka)?;
        let mut ask = |name: &str, may_create: bool, version: i16| -> Result<_> {
            let topic = MetadataRequestTopic {
                name: Some(name.into()),
                // Versions 10 and 11 carry an id that means nothing.
                topic_id: if version < 12 { Uuid::from_u128(7) } else { Uuid::nil() },
            };
            let request = MetadataRequest {
                topics: Some(vec![topic]),
                allow_auto_topic_creation: may_create,
                ..Default::default()
            };
            let topic = client.call(request, version)?.topics.pop().context("no topic")?;
            Ok((topic.error_code, topic.partitions.len()))
        };
        for (name, may_create, version, expected) in [
            ("a", false, 12, (ErrorCode::UnknownTopicOrPartition, 0)),
            ("a", true, 12, (ErrorCode::None, 3)),
            ("a", false, 10, (ErrorCode::None, 3)),
            ("a", false, 11, (ErrorCode::None, 3)),
            // Before version 4 nobody could say no.
            ("b", false, 3, (ErrorCode::None, 3)),
            ("a b", true, 12, (ErrorCode::InvalidTopicException, 0)),
            ("__consumer_offsets", true, 12, (ErrorCode::UnknownTopicOrPartition, 0)),
        ] {
            let found = ask(name, may_create, version)?;
            ensure!(found == expected, "{name} {may_create} {version}: {found:?}");
        }
        for (topics, version, expected) in
            [(Some(vec![]), 0, 2), (Some(vec![]), 1, 0), (None, 1, 2), (Some(vec![]), 12, 0), (None, 12, 2)]
        {
            let found = client.call(MetadataRequest { topics, ..Default::default() }, version)?.topics.len();
            ensure!(found == expected, "version {version}: {found} topics");
        }
        broker.stop()
    });
}

#[test]
fn trap_07_a_topic_that_was_made_again_has_another_id_and_the_old_one_is_unknown() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        let first = create(&mut client, "t", 1, &[])?;
        delete(&mut client, "t")?;
        let second = create(&mut client, "t", 1, &[])?;
        for (asked, expected) in [
            (second, (ErrorCode::None, Some("t".to_owned()))),
            (first, (ErrorCode::UnknownTopicId, None)),
            (Uuid::from_u128(7), (ErrorCode::UnknownTopicId, None)),
        ] {
            let topics = Some(vec![MetadataRequestTopic { topic_id: asked, name: None }]);
            let metadata = client.call(MetadataRequest { topics, ..Default::default() }, 12)?;
            let topic = metadata.topics.into_iter().next().context("no topic")?;
            ensure!((topic.error_code, topic.name) == expected && topic.topic_id == asked);
        }
        broker.stop()
    });
}

#[test]
fn a_topic_of_the_longest_name_is_deleted_and_made_again() {
    scene(|scene| {
        let name = "t".repeat(249);
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, &name, 2, &[])?;
        delete(&mut client, &name)?;
        broker.kill_and_start_again()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, &name, 2, &[])?;
        produce(scene, &name, 1, "x")?;
        delete(&mut client, &name)?;
        create(&mut client, &name, 2, &[])?;
        broker.stop()?;
        broker.start_again()?;
        produce(scene, &name, 1, "y")?;
        broker.stop()
    });
}

#[test]
fn a_folder_that_cannot_be_set_aside_takes_no_answer_and_no_start_with_it() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        let id = create(&mut client, "t", 1, &[])?;
        create(&mut client, "u", 1, &[])?;
        // A file stands where the folder would go.
        let in_the_way = scene.path("core-broker/logs").join(format!("{}-0.deleted", id.simple()));
        std::fs::write(&in_the_way, "")?;
        delete(&mut client, "t")?;
        broker.kill_and_start_again()?;
        produce(scene, "u", 0, "x")?;
        ensure!(broker.log().contains("cannot rename the folder of a deleted topic"), "nobody is told");
        // The name is taken on the disk: the topic is there all the same, and served when there is room.
        create(&mut Client::connect(scene.kafka)?, "t", 1, &[])?;
        std::fs::remove_file(in_the_way)?;
        produce(scene, "t", 0, "x")?;
        broker.stop()
    });
}

#[test]
fn partitions_are_added_and_told_page_by_page() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "a", 2, &[])?;
        create(&mut client, "b", 1, &[])?;
        let topic = CreatePartitionsTopic { name: "b".into(), count: 4, assignments: None };
        for (validate_only, expected) in [(true, 3), (false, 6)] {
            let topics = vec![topic.clone()];
            let request = CreatePartitionsRequest { topics, validate_only, ..Default::default() };
            let result = client.call(request, 3)?.results.pop().context("no result")?;
            ensure!(result.error_code.is_ok(), "{result:?}");
            let (mut cursor, mut seen) = (None, Vec::new());
            loop {
                let request = DescribeTopicPartitionsRequest {
                    response_partition_limit: 2,
                    cursor,
                    ..Default::default()
                };
                let page = client.call(request, 0)?;
                for topic in page.topics {
                    let name = topic.name.unwrap_or_default();
                    seen.extend(topic.partitions.iter().map(|it| (name.clone(), it.partition_index)));
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            ensure!(seen.len() == expected && seen.is_sorted(), "{seen:?}");
        }
        produce(scene, "b", 3, "x")?;
        let unknown = DescribeTopicPartitionsRequest {
            topics: vec![TopicRequest { name: "no".into() }],
            ..Default::default()
        };
        let topic = client.call(unknown, 0)?.topics.pop().context("no topic")?;
        ensure!(topic.error_code == ErrorCode::UnknownTopicOrPartition, "{topic:?}");
        broker.stop()
    });
}

#[test]
fn an_internal_topic_keeps_its_partitions() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        // By a group's hash modulo their count its offsets are found.
        create(&mut client, "__consumer_offsets", 2, &[])?;
        for validate_only in [true, false] {
            let topic =
                CreatePartitionsTopic { name: "__consumer_offsets".into(), count: 4, assignments: None };
            let request =
                CreatePartitionsRequest { topics: vec![topic], validate_only, ..Default::default() };
            let result = client.call(request, 3)?.results.pop().context("no result")?;
            ensure!(result.error_code == ErrorCode::InvalidTopicException, "{result:?}");
        }
        broker.stop()
    });
}

#[test]
fn sizes_and_epochs_are_those_of_the_log() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t", 1, &[])?;
        produce(scene, "t", 0, &"x".repeat(5_000))?;
        let dir = client.call(DescribeLogDirsRequest::default(), 4)?.results.pop().context("no folder")?;
        let size = dir.topics[0].partitions[0].partition_size;
        ensure!((5_000..6_000).contains(&size), "{size} bytes");
        ensure!(dir.total_bytes > dir.usable_bytes && dir.usable_bytes > 0, "{dir:?}");
        broker.kill()?;
        broker.start_again()?;
        produce(scene, "t", 0, "y")?;
        let mut client = Client::connect(scene.kafka)?;
        for (current, asked, expected) in [
            (-1, 0, (ErrorCode::None, 0, 1)),
            (1, 0, (ErrorCode::None, 0, 1)),
            (1, 1, (ErrorCode::None, 1, 2)),
            (-1, 2, (ErrorCode::None, -1, -1)),
            (0, 0, (ErrorCode::FencedLeaderEpoch, -1, -1)),
            (2, 0, (ErrorCode::UnknownLeaderEpoch, -1, -1)),
        ] {
            let partition =
                OffsetForLeaderPartition { partition: 0, current_leader_epoch: current, leader_epoch: asked };
            let topics = vec![OffsetForLeaderTopic { topic: "t".into(), partitions: vec![partition] }];
            let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
            let end = client.call(request, 4)?.topics[0].partitions[0].clone();
            let found = (end.error_code, end.leader_epoch, end.end_offset);
            ensure!(found == expected, "epoch {asked} with {current}: {found:?}");
        }
        broker.stop()
    });
}

#[test]
fn a_client_that_asks_what_it_may_do_is_told() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t", 1, &[])?;
        for (asked, topic_operations, cluster_operations) in
            [(true, 0b1101_1111_1000, 0b1_1111_1010_0000), (false, i32::MIN, i32::MIN)]
        {
            let metadata = MetadataRequest {
                include_topic_authorized_operations: asked,
                include_cluster_authorized_operations: asked,
                ..Default::default()
            };
            let metadata = client.call(metadata, 10)?;
            ensure!(metadata.topics[0].topic_authorized_operations == topic_operations);
            ensure!(metadata.cluster_authorized_operations == cluster_operations);
            let cluster =
                DescribeClusterRequest { include_cluster_authorized_operations: asked, ..Default::default() };
            let cluster = client.call(cluster, 2)?;
            ensure!(cluster.cluster_authorized_operations == cluster_operations);
            ensure!(cluster.brokers.len() == 1 && cluster.controller_id == 1);
        }
        broker.stop()
    });
}

fn delete(client: &mut Client, name: &str) -> Result<()> {
    let named = DeleteTopicState { name: Some(name.into()), topic_id: Uuid::nil() };
    let answer = client.call(DeleteTopicsRequest { topics: vec![named], ..Default::default() }, 6)?;
    ensure!(answer.responses.iter().all(|deleted| deleted.error_code.is_ok()), "{answer:?}");
    Ok(())
}
