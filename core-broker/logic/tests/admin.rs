//! What admins ask of the cluster's image: pages of topics, elections, moves.

use std::collections::BTreeSet;

use broker_logic::cluster::{
    ClusterImage, Command, Election, ElectionError, Endpoint, Layout, Limits, PagedTopic, Position,
    ReassignmentError,
};
use broker_logic::ids::{BrokerId, PartitionIndex, TopicId};
use uuid::Uuid;

/// Broker 1, and topics with so many partitions each.
fn cluster(topics: &[(&str, i32)]) -> ClusterImage {
    let endpoint = Endpoint { listener: "PLAINTEXT".into(), host: "core".into(), port: 9092 };
    let register = Command::RegisterBroker {
        id: BrokerId(1),
        incarnation: Uuid::from_u128(1),
        endpoints: vec![endpoint],
        rack: None,
        missing: 0,
    };
    let create = |(number, (name, partitions)): (u128, &(&str, i32))| Command::CreateTopic {
        name: (*name).into(),
        topic_id: TopicId(Uuid::from_u128(number)),
        layout: Layout::Automatic { partitions: Some(*partitions), replication_factor: None },
        configs: vec![],
    };
    let mut image = ClusterImage::new();
    for command in [register].into_iter().chain((1..).zip(topics).map(create)) {
        for record in image.plan(&command, &Limits::default()).expect("accepted") {
            image.apply(&record).expect("applies");
        }
    }
    image
}

/// A page as one line: topics with their partitions, then where the next begins.
fn page(image: &ClusterImage, named: Option<&[&'static str]>, from: (&str, usize), limit: usize) -> String {
    let named: Option<BTreeSet<&str>> = named.map(|named| named.iter().copied().collect());
    let from = Position { topic: from.0, partition: from.1 };
    let page = image.page(named.as_ref(), from, limit);
    let topics = page.topics.iter().map(|topic| match topic {
        PagedTopic::Found { topic, partitions } => format!("{}:{partitions:?}", topic.name),
        PagedTopic::Unknown { name } => format!("{name}:unknown"),
    });
    let next = page.next.map(|next| format!("-> {}:{}", next.topic, next.partition));
    topics.chain(next).collect::<Vec<_>>().join(" ")
}

#[test]
fn topics_come_page_by_page() {
    let image = cluster(&[("b", 3), ("a", 2), ("c", 1)]);
    for (named, from, limit, expected) in [
        (None, ("", 0), 2_000, "a:0..2 b:0..3 c:0..1"),
        (None, ("", 0), 2, "a:0..2 -> b:0"),
        (None, ("b", 0), 2, "b:0..2 -> b:2"),
        (None, ("b", 2), 2, "b:2..3 c:0..1"),
        (None, ("b", 9), 2, "b:3..3 c:0..1"),
        (None, ("bb", 0), 2, "c:0..1"),
        (None, ("d", 0), 2, ""),
        (Some(&["c", "no", "a"][..]), ("", 0), 3, "a:0..2 c:0..1 -> no:0"),
        (Some(&["c", "no", "a"]), ("", 0), 4, "a:0..2 c:0..1 no:unknown"),
        (Some(&["c", "no", "a"]), ("c", 0), 4, "c:0..1 no:unknown"),
    ] {
        assert_eq!(page(&image, named, from, limit), expected, "{named:?} {from:?} {limit}");
    }
}

#[test]
fn the_pages_together_are_everything_once() {
    let image = cluster(&[("a", 5), ("b", 1), ("c", 7)]);
    for limit in 1..15 {
        let (mut from, mut seen) = (Position { topic: "", partition: 0 }, Vec::new());
        loop {
            let page = image.page(None, from, limit);
            for topic in &page.topics {
                let PagedTopic::Found { topic, partitions } = topic else { panic!("all are known") };
                seen.extend(partitions.clone().map(|partition| (topic.name.to_string(), partition)));
            }
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!((seen.len(), seen.is_sorted()), (13, true), "limit {limit}");
    }
}

#[test]
fn a_single_node_elects_nobody_else() {
    let image = cluster(&[("t", 1)]);
    let asked =
        |topic, partition, election| image.why_not_elected(topic, PartitionIndex(partition), election);
    for election in [Election::Preferred, Election::Unclean] {
        assert_eq!(asked("t", 0, election), ElectionError::NotNeeded);
        assert_eq!(asked("t", 1, election).to_string(), "No such partition as t-1");
        assert_eq!(asked("no", 0, election).to_string(), "No such topic as no");
    }
}

#[test]
fn a_single_node_moves_nothing() {
    let image = cluster(&[("t", 1)]);
    let asked = |topic, partition, replicas: Option<&[i32]>| {
        let replicas: Option<Vec<BrokerId>> = replicas.map(|ids| ids.iter().copied().map(BrokerId).collect());
        image.check_reassignment(topic, PartitionIndex(partition), replicas.as_deref())
    };
    assert_eq!(asked("t", 0, Some(&[1])), Ok(()), "it is there already");
    assert_eq!(asked("t", 0, None), Err(ReassignmentError::NoneInProgress));
    for (topic, partition, replicas, told) in [
        (
            "t",
            0,
            &[2][..],
            "The manual partition assignment includes broker 2, but no such broker is registered.",
        ),
        ("t", 0, &[1, 1], "The manual partition assignment includes the broker 1 more than once."),
        ("t", 0, &[], "The manual partition assignment includes an empty replica list."),
        ("t", 9, &[1], "Unable to find partition t:9."),
        ("no", 0, &[1], "Unable to find a topic named no."),
    ] {
        let refused = asked(topic, partition, Some(replicas)).map_err(|error| error.to_string());
        assert_eq!(refused, Err(told.to_owned()));
    }
}
