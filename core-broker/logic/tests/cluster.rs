//! The cluster image: what commands become, what is refused, and that records rebuild the image.

use broker_logic::cluster::{
    ClusterImage, Command, ConfigResource, Endpoint, Layout, Limits, Operation, PlanError, Record,
};
use broker_logic::ids::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicId};
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

fn register(id: i32, incarnation: u128) -> Command {
    Command::RegisterBroker {
        id: BrokerId(id),
        incarnation: Uuid::from_u128(incarnation),
        endpoints: vec![Endpoint { listener: "PLAINTEXT".into(), host: "core".into(), port: 9092 }],
        rack: None,
        missing: 0,
    }
}

fn create(name: &str, id: u128, partitions: i32, factor: i16) -> Command {
    Command::CreateTopic {
        name: name.into(),
        topic_id: TopicId(Uuid::from_u128(id)),
        layout: Layout::Automatic { partitions: Some(partitions), replication_factor: Some(factor) },
        configs: vec![],
    }
}

fn delete(id: u128) -> Command {
    Command::DeleteTopic { topic_id: TopicId(Uuid::from_u128(id)) }
}

fn set_config(name: &str, key: &str, value: Option<&str>) -> Command {
    let operation = value.map_or(Operation::Unset, |value| Operation::Set(value.into()));
    let operations = vec![(key.into(), operation)];
    Command::AlterConfigs { resource: ConfigResource::Topic(name.into()), operations, replace: false }
}

/// Plans, sends the records through their bytes, applies them.
fn run(image: &mut ClusterImage, command: &Command) -> Result<Vec<Record>, PlanError> {
    let records = image.plan(command, &Limits::default())?;
    for record in &records {
        let stored = Record::decode(record.encode()).expect("a record reads back");
        assert_eq!(&stored, record);
        image.apply(&stored).expect("a planned record applies");
    }
    Ok(records)
}

fn image(commands: &[Command]) -> ClusterImage {
    let mut image = ClusterImage::new();
    for command in commands {
        run(&mut image, command).expect("accepted");
    }
    image
}

fn refusal(image: &ClusterImage, command: Command) -> String {
    image.plan(&command, &Limits::default()).expect_err("refused").to_string()
}

#[test]
fn a_created_topic_is_found_by_name_and_by_id() {
    let image = image(&[register(1, 1), create("trucks_gps", 7, 10, 1)]);
    let topic = image.topic("trucks_gps").expect("there");
    assert_eq!(image.topic_by_id(topic.topic_id), Some(topic));
    assert_eq!((topic.partition_count(), image.partition_count()), (10, 10));
    let state = topic.partition(PartitionIndex(9)).expect("there");
    assert_eq!((state.leader, &state.isr), (Some(BrokerId(1)), &vec![BrokerId(1)]));
    assert_eq!(topic.partition(PartitionIndex(10)), None);
    assert_eq!(topic.partition(PartitionIndex(-1)), None);
    assert_eq!(image.controller(), Some(BrokerId(1)));
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let image = image(&[register(1, 1), create("a.b", 7, 2, 1)]);
    for (command, reason) in [
        (create("a.b", 8, 1, 1), "Topic 'a.b' already exists."),
        (create("a_b", 8, 1, 1), "Topic 'a_b' collides with existing topic: a.b"),
        (create("c", 7, 1, 1), "the topic id 00000000-0000-0000-0000-000000000007 is in use or zero"),
        (create("c", 8, 0, 1), "Number of partitions was set to an invalid non-positive value."),
        (create("c", 8, 1_001, 1), "1001 partitions in one topic, 1000 are allowed"),
        (
            create("c", 8, 1, 2),
            "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered.",
        ),
        (create("c", 8, 1, 0), "Replication factor must be larger than 0, or -1 to use the default value."),
        (delete(8), "This server does not host this topic ID."),
        (
            Command::CreatePartitions { name: "a.b".into(), total: 2, assignments: None },
            "Topic already has 2 partition(s).",
        ),
        (
            Command::CreatePartitions { name: "a.b".into(), total: 1, assignments: None },
            "The topic a.b currently has 2 partition(s); 1 would not be an increase.",
        ),
        (set_config("a.b", "retention", Some("1")), "Unknown topic config name: retention"),
        (Command::AllocateProducerIds { broker: BrokerId(2) }, "broker 2 is not registered"),
    ] {
        assert_eq!(refusal(&image, command), reason);
    }
}

#[test]
fn the_cluster_has_room_for_so_many_partitions() {
    let mut image = image(&[register(1, 1)]);
    for topic in 0..4 {
        run(&mut image, &create(&format!("t{topic}"), topic + 1, 1_000, 1)).expect("room");
    }
    let reason = refusal(&image, create("one-more", 9, 1, 1));
    assert_eq!(reason, "the cluster would hold 4001 partitions, 4000 are allowed");
}

#[test]
fn manual_assignments_are_checked() {
    let image = image(&[register(1, 1), register(2, 2)]);
    let manual = |rows: &[&[i32]]| Command::CreateTopic {
        name: "t".into(),
        topic_id: TopicId(Uuid::from_u128(1)),
        layout: Layout::Manual(rows.iter().map(|row| row.iter().copied().map(BrokerId).collect()).collect()),
        configs: vec![],
    };
    assert!(image.plan(&manual(&[&[1, 2], &[2, 1]]), &Limits::default()).is_ok());
    for (rows, reason) in [
        (&[&[1, 1][..]][..], "the broker 1 more than once."),
        (
            &[&[1][..], &[1, 2]],
            "a partition with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s).",
        ),
        (&[&[3][..]], "broker 3, but no such broker is registered."),
        (&[&[][..]], "an empty replica list."),
    ] {
        assert_eq!(
            refusal(&image, manual(rows)),
            format!("The manual partition assignment includes {reason}")
        );
    }
    assert!(refusal(&image, manual(&[])).starts_with("Number of partitions"));
}

#[test]
fn leaders_spread_over_the_brokers() {
    let image = image(&[register(1, 1), register(2, 2), register(3, 3), create("t", 1, 6, 2)]);
    let topic = image.topic("t").expect("there");
    let replicas: Vec<Vec<i32>> =
        topic.partitions().map(|(_, state)| state.replicas.iter().map(|id| id.0).collect()).collect();
    assert_eq!(replicas, [[1, 2], [2, 3], [3, 1], [1, 2], [2, 3], [3, 1]]);
}

#[test]
fn a_restarted_broker_leads_under_a_fresh_epoch() {
    let mut image = image(&[register(1, 1), create("t", 1, 1, 1)]);
    let epoch = |image: &ClusterImage| image.partition("t", PartitionIndex(0)).expect("there").leader_epoch;
    assert_eq!(run(&mut image, &register(1, 1)), Ok(vec![]), "the same process registers once");
    assert_eq!(epoch(&image), LeaderEpoch(0));
    run(&mut image, &register(1, 2)).expect("accepted");
    assert_eq!(epoch(&image), LeaderEpoch(1));
}

#[test]
fn a_topic_that_is_created_again_is_another_one() {
    let mut image = image(&[register(1, 1), create("t", 1, 3, 1), delete(1)]);
    assert_eq!((image.topic("t"), image.partition_count()), (None, 0));
    run(&mut image, &create("t", 2, 1, 1)).expect("accepted");
    assert_eq!(image.topic_by_id(TopicId(Uuid::from_u128(1))), None);
}

#[test]
fn producer_ids_are_given_once_and_never_again() {
    let mut image = image(&[register(1, 1)]);
    let allocate = Command::AllocateProducerIds { broker: BrokerId(1) };
    for first in [0, 1_000, 2_000] {
        let records = run(&mut image, &allocate).expect("accepted");
        let block = Record::ProducerIdBlock { broker: BrokerId(1), first: ProducerId(first), count: 1_000 };
        assert_eq!(records, std::slice::from_ref(&block));
        assert!(image.apply(&block).is_err(), "a block cannot be given twice");
    }
    let last = ProducerId(i64::MAX - 500);
    image.apply(&Record::ProducerIdBlock { broker: BrokerId(1), first: last, count: 0 }).expect("a jump");
    assert_eq!(image.plan(&allocate, &Limits::default()), Err(PlanError::ProducerIdsExhausted));
}

#[test]
fn a_hole_in_the_log_is_an_error_not_a_crash() {
    let whole = image(&[register(1, 1), create("t", 1, 3, 1)]).snapshot();
    for missing in 1..whole.len() - 1 {
        let mut image = ClusterImage::new();
        let holed = whole.iter().enumerate().filter(|(index, _)| *index != missing);
        let outcome: Result<Vec<()>, _> = holed.map(|(_, record)| image.apply(record)).collect();
        assert!(outcome.is_err(), "without record {missing}");
    }
}

/// Bytes on disk: a change here breaks every metadata log there is.
#[test]
fn records_have_the_bytes_they_always_had() {
    let topic_id = TopicId(Uuid::from_u128(0x0102030405060708090a0b0c0d0e0f10));
    let id = "0102030405060708090a0b0c0d0e0f10";
    let mut image = image(&[register(1, 0xff)]);
    image.apply(&Record::Topic { name: "t".into(), topic_id }).expect("applies");
    let partition = Command::CreatePartitions { name: "t".into(), total: 1, assignments: None };
    let partition = image.plan(&partition, &Limits::default()).expect("accepted").remove(0);
    let broker = ClusterImage::new().plan(&register(1, 0xff), &Limits::default()).expect("ok").remove(0);
    let set = Record::TopicConfig { topic_id, key: "k".into(), value: Some("v".into()) };
    let unset = Record::TopicConfig { topic_id, key: "k".into(), value: None };
    let block = Record::ProducerIdBlock { broker: BrokerId(1), first: ProducerId(2000), count: 1000 };
    let all_brokers = Record::BrokerConfig { broker: None, key: "k".into(), value: Some("v".into()) };
    let one_broker = Record::BrokerConfig { broker: Some(BrokerId(1)), key: "k".into(), value: None };
    for (record, golden) in [
        (Record::Cluster { cluster_id: "lh".into() }, "0101 0002 6c68".to_owned()),
        (
            broker,
            "0201 00000001 0000000000000001 000000000000000000000000000000ff 00000001 \
             0009 504c41494e54455854 0004 636f7265 2384 ffff"
                .to_owned(),
        ),
        (Record::Topic { name: "t".into(), topic_id }, format!("0301 0001 74 {id}")),
        (Record::RemoveTopic { topic_id }, format!("0401 {id}")),
        (
            partition,
            format!(
                "0501 {id} 00000000 00000001 00000001 00000001 00000001 00000000 \
                 00000001 00000000 00000000 00"
            ),
        ),
        (set, format!("0601 {id} 0001 6b 0001 76")),
        (unset, format!("0601 {id} 0001 6b ffff")),
        (all_brokers, "0801 ffffffff 0001 6b 0001 76".to_owned()),
        (one_broker, "0801 00000001 0001 6b ffff".to_owned()),
        (block, "0701 00000001 00000000000007d0 000003e8".to_owned()),
    ] {
        let hex: String = record.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden.replace(' ', ""), "{record:?}");
        assert_eq!(Record::decode(record.encode()), Ok(record));
    }
}

#[test]
fn an_unknown_version_is_refused_with_a_sentence() {
    let error = Record::decode(Bytes::from_static(&[3, 2, 0, 0])).expect_err("refused");
    assert_eq!(error.to_string(), "metadata record of kind 3 in version 2; this version of Longhaul reads 1");
    let error = Record::decode(Bytes::from_static(&[99, 1])).expect_err("refused");
    assert_eq!(error.to_string(), "metadata record of kind 99, which this version of Longhaul does not know");
}

fn any_command() -> impl Strategy<Value = Command> {
    let name = prop_oneof!["[ab][._]?[ab]", "[a-c]"];
    prop_oneof![
        (0..3i32, any::<u128>()).prop_map(|(id, incarnation)| register(id, incarnation)),
        (name.clone(), 0..20u128, -1..5i32, 0..3i16).prop_map(|(n, id, p, f)| create(&n, id, p, f)),
        (0..20u128).prop_map(delete),
        (name.clone(), 0..8i32).prop_map(|(name, total)| Command::CreatePartitions {
            name,
            total,
            assignments: None
        }),
        (name, proptest::option::of("[0-9]{1,3}")).prop_map(|(name, value)| set_config(
            &name,
            "retention.ms",
            value.as_deref()
        )),
        (proptest::option::of(0..3i32), proptest::option::of("[0-9]{1,3}")).prop_map(|(broker, value)| {
            let operation = value.map_or(Operation::Unset, Operation::Set);
            let resource = ConfigResource::Broker(broker.map(BrokerId));
            let operations = vec![("log.retention.ms".to_owned(), operation)];
            Command::AlterConfigs { resource, operations, replace: false }
        }),
        (0..3i32).prop_map(|id| Command::AllocateProducerIds { broker: BrokerId(id) }),
    ]
}

#[test]
fn ids_that_a_log_knows_are_passed_over_unless_they_are_invented() {
    let mut image = image(&[register(1, 1)]);
    let (broker, next) = (BrokerId(1), image.next_producer_id().0);
    for (last, expected) in
        [(-1, next), (next + 4_999, next + 5_000), (7, next + 5_000), (i64::MAX, next + 5_000)]
    {
        run(&mut image, &Command::PassProducerIds { broker, last: ProducerId(last) }).unwrap();
        assert_eq!(image.next_producer_id(), ProducerId(expected), "after {last}");
    }
}

#[test]
fn epochs_go_past_the_registrations_that_may_be_missing() {
    let mut image = image(&[register(1, 1), create("t", 1, 1, 1)]);
    let Command::RegisterBroker { id, endpoints, rack, .. } = register(1, 2) else { unreachable!() };
    let incarnation = uuid::Uuid::from_u128(9);
    let again = Command::RegisterBroker { id, incarnation, endpoints, rack, missing: 10_000 };
    run(&mut image, &again).unwrap();
    let epoch = image.partition("t", PartitionIndex(0)).unwrap().leader_epoch;
    assert_eq!(epoch, LeaderEpoch(10_001));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_snapshot_rebuilds_the_image(commands in proptest::collection::vec(any_command(), 0..40)) {
        let mut image = ClusterImage::new();
        for command in &commands {
            let _ = run(&mut image, command);
            let partitions: usize = image.topics().map(|topic| topic.partition_count()).sum();
            prop_assert_eq!(image.partition_count(), partitions);
        }
        let mut rebuilt = ClusterImage::new();
        for record in image.snapshot() {
            rebuilt.apply(&record).expect("a snapshot applies");
        }
        prop_assert_eq!(&rebuilt, &image);
        prop_assert_eq!(ClusterImage::decode(image.encode()), Ok(image));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let bytes = bytes::Bytes::from(bytes);
        let _ = Record::decode(bytes.clone());
        let _ = ClusterImage::decode(bytes);
    }
}
