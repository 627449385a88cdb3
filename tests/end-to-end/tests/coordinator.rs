//! The coordinator of groups in a real broker: what it tells members when it goes, what it finds when it
//! comes back, and what it makes of a partition of `__consumer_offsets` that is damaged.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use end_to_end::{Scene, kafka::Client, scene};
use kafka_wire::{
    ErrorCode, configs,
    messages::{
        create_topics::{CreatableTopic, CreateTopicsRequest},
        delete_topics::DeleteTopicsRequest,
        heartbeat::HeartbeatRequest,
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest},
        join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
        list_groups::ListGroupsRequest,
        offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::OffsetFetchRequest,
        sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
    },
};

/// A new group waits for nobody; and all groups share a partition.
const CONFIG: &str = "[groups]\ninitial_rebalance_delay = \"0s\"\noffsets_partitions = 1\n";
const TWO_PARTITIONS: &str = "[groups]\noffsets_partitions = 2\n";

/// Groups of the partitions 0 and 1: the hashes of their names are even and odd.
const EVEN: &str = "b";
const ODD: &str = "a";

const JOIN: i16 = 3;

#[test]
fn who_waits_for_a_coordinator_that_stops_is_told_and_members_are_known_after_it() {
    scene(|scene| {
        let mut broker = scene.broker_configured(CONFIG)?;
        let mut first = Client::connect(scene.kafka)?;
        let joined = join(&mut first, "")?;
        ensure!(sync(&mut first, &joined)? == ErrorCode::None, "the first member has no assignment");

        // It waits for the first, which does not join again.
        let mut second = Client::connect(scene.kafka)?;
        second.ask(join_request(""), JOIN)?;
        until_rebalancing(&mut first, &joined)?;
        broker.signal("TERM")?;
        let answer = second.answer::<JoinGroupRequest>(JOIN)?;
        ensure!(answer.error_code == ErrorCode::NotCoordinator, "{answer:?}");
        ensure!(broker.ended_within(Duration::from_secs(20))?.success(), "{}", broker.last_words());

        broker.start_again()?;
        let mut first = Client::connect(scene.kafka)?;
        let synced = until_loaded(|| sync(&mut first, &joined))?;
        ensure!(synced == ErrorCode::None, "its assignment is not known any more: {synced}");
        ensure!(heartbeat(&mut first, &joined)? == ErrorCode::None, "the member is not known any more");
        broker.stop()
    });
}

#[test]
fn a_topic_that_is_deleted_takes_its_offsets_along() {
    scene(|scene| {
        let mut broker = scene.broker_configured(CONFIG)?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "gone")?;
        create(&mut client, "kept")?;
        commit(&mut client, "g", &["gone", "kept"])?;
        delete(&mut client, "gone")?;
        until_committed(&mut client, "g", &["kept"])?;
        // A topic of the same name is another topic.
        create(&mut client, "gone")?;
        broker.kill_and_start_again()?;
        until_committed(&mut Client::connect(scene.kafka)?, "g", &["kept"])?;
        broker.stop()
    });
}

#[test]
fn a_topic_that_is_made_again_keeps_what_is_committed_for_it() {
    scene(|scene| {
        let mut broker = scene.broker_configured(CONFIG)?;
        let (mut client, mut other) = (Client::connect(scene.kafka)?, Client::connect(scene.kafka)?);
        create(&mut client, "t")?;
        for _ in 0..20 {
            let delete = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
            client.ask(delete, 5)?;
            // Before the one who deletes it has the answer.
            let until = Instant::now() + Duration::from_secs(20);
            while create(&mut other, "t").is_err() {
                ensure!(Instant::now() < until, "the topic does not go");
            }
            commit(&mut other, "g", &["t"])?;
            let deleted = client.answer::<DeleteTopicsRequest>(5)?;
            ensure!(deleted.responses.iter().all(|topic| topic.error_code.is_ok()), "{deleted:?}");
            let fetched = client.call(fetch("g"), 7)?;
            ensure!(fetched.topics.len() == 1, "{fetched:?}");
        }
        broker.stop()
    });
}

#[test]
fn a_damaged_batch_of_offsets_does_not_take_the_others_with_it() {
    scene(|scene| {
        let mut broker = scene.broker_configured(CONFIG)?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t")?;
        for group in ["first", "second", "third"] {
            commit(&mut client, group, &["t"])?;
        }
        drop(client);
        broker.stop()?;
        damage(&offsets_log(scene, 0), b"second")?;
        broker.start_again()?;
        let mut client = Client::connect(scene.kafka)?;
        until_committed(&mut client, "first", &["t"])?;
        until_committed(&mut client, "third", &["t"])?;
        ensure!(listed(&mut client)? == ["first", "third"], "{:?}", listed(&mut client)?);
        ensure!(broker.log().contains("skipped a damaged batch"), "nobody is told of the damage");
        commit(&mut client, "second", &["t"])?;
        until_committed(&mut client, "second", &["t"])?;
        broker.stop()
    });
}

#[test]
fn groups_whose_partition_cannot_be_read_are_refused_and_the_others_are_served() {
    scene(|scene| {
        let mut broker = scene.broker_configured(TWO_PARTITIONS)?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t")?;
        for group in [EVEN, ODD] {
            commit(&mut client, group, &["t"])?;
        }
        fill_a_segment(&mut client, EVEN)?;
        drop(client);
        broker.stop()?;
        // In a segment that is closed, and so not looked through at the start: the length of a batch.
        let log = offsets_log(scene, 0);
        let mut bytes = fs::read(&log)?;
        bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
        fs::write(&log, bytes)?;
        broker.start_again()?;
        let mut client = Client::connect(scene.kafka)?;
        until_committed(&mut client, ODD, &["t"])?;
        let refused = until_loaded(|| Ok(client.call(fetch(EVEN), 7)?.error_code))?;
        ensure!(refused == ErrorCode::CoordinatorNotAvailable, "{refused}");
        ensure!(listed(&mut client)? == [ODD], "{:?}", listed(&mut client)?);
        broker.stop()
    });
}

#[test]
fn groups_whose_partition_is_not_open_wait_for_it_and_the_others_are_served() {
    scene(|scene| {
        let mut broker = scene.broker_configured(TWO_PARTITIONS)?;
        let mut client = Client::connect(scene.kafka)?;
        for topic in ["kept", "made-again"] {
            create(&mut client, topic)?;
        }
        for group in [EVEN, ODD] {
            commit(&mut client, group, &["kept", "made-again"])?;
        }
        drop(client);
        broker.stop()?;
        let metadata = offsets_log(scene, 0).with_file_name("partition.metadata");
        let whole = fs::read(&metadata)?;
        fs::remove_file(&metadata)?;
        broker.start_again()?;
        let mut client = Client::connect(scene.kafka)?;
        until_committed(&mut client, ODD, &["kept", "made-again"])?;
        for _ in 0..10 {
            let refused = client.call(fetch(EVEN), 7)?.error_code;
            ensure!(refused == ErrorCode::CoordinatorNotAvailable, "{refused}");
        }
        ensure!(listed(&mut client)? == [ODD], "{:?}", listed(&mut client)?);
        let log = broker.log();
        let told = log.matches("the groups of this partition are not served until it is open").count();
        ensure!(told == 1 && !log.contains("no coordinator"), "told {told} times: {log}");

        // It hears of it though it has not read what was committed.
        delete(&mut client, "made-again")?;
        create(&mut client, "made-again")?;
        fs::write(&metadata, whole)?;
        let until = Instant::now() + Duration::from_secs(40);
        while client.call(fetch(EVEN), 7)?.error_code != ErrorCode::None {
            ensure!(Instant::now() < until, "the partition can be opened, and its groups do not come");
            std::thread::sleep(Duration::from_millis(50));
        }
        for group in [EVEN, ODD] {
            until_committed(&mut client, group, &["kept"])?;
        }
        broker.stop()
    });
}

/// Larger than a segment of the offsets' topic may then be.
fn fill_a_segment(client: &mut Client, group: &str) -> Result<()> {
    const SEGMENT: &str = "1048576";
    let config =
        AlterableConfig { name: "segment.bytes".into(), value: Some(SEGMENT.into()), ..Default::default() };
    let resource = AlterConfigsResource {
        resource_type: configs::resource_type::TOPIC,
        resource_name: "__consumer_offsets".into(),
        configs: vec![config],
    };
    let altered =
        client.call(IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() }, 1)?;
    ensure!(altered.responses.iter().all(|one| one.error_code.is_ok()), "{altered:?}");
    let partition = OffsetCommitRequestPartition {
        committed_offset: 7,
        committed_metadata: Some("x".repeat(4_096)),
        ..Default::default()
    };
    for _ in 0..6 {
        // The same one again and again: every commit is a record.
        let topic = OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition.clone(); 60],
            ..Default::default()
        };
        let request =
            OffsetCommitRequest { group_id: group.into(), topics: vec![topic], ..Default::default() };
        let committed = client.call(request, 7)?;
        let mut rows = committed.topics.iter().flat_map(|topic| &topic.partitions);
        ensure!(rows.all(|row| row.error_code.is_ok()), "{committed:?}");
    }
    Ok(())
}

fn join_request(member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::new() }],
        ..Default::default()
    }
}

fn join(client: &mut Client, member_id: &str) -> Result<JoinGroupResponse> {
    let joined = client.call(join_request(member_id), JOIN)?;
    ensure!(joined.error_code.is_ok(), "{joined:?}");
    Ok(joined)
}

fn sync(client: &mut Client, joined: &JoinGroupResponse) -> Result<ErrorCode> {
    let member_id = joined.member_id.clone();
    let assignment = Bytes::from_static(b"all");
    let request = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: member_id.clone(),
        assignments: vec![SyncGroupRequestAssignment { member_id, assignment: assignment.clone() }],
        ..Default::default()
    };
    let synced = client.call(request, 3)?;
    ensure!(!synced.error_code.is_ok() || synced.assignment == assignment, "{synced:?}");
    Ok(synced.error_code)
}

fn heartbeat(client: &mut Client, joined: &JoinGroupResponse) -> Result<ErrorCode> {
    let request = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        group_instance_id: None,
    };
    Ok(client.call(request, 3)?.error_code)
}

fn until_rebalancing(client: &mut Client, joined: &JoinGroupResponse) -> Result<()> {
    while heartbeat(client, joined)? == ErrorCode::None {}
    Ok(())
}

fn until_loaded(mut ask: impl FnMut() -> Result<ErrorCode>) -> Result<ErrorCode> {
    loop {
        match ask()? {
            ErrorCode::CoordinatorLoadInProgress => {}
            error => return Ok(error),
        }
    }
}

fn create(client: &mut Client, name: &str) -> Result<()> {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    let created = client.call(CreateTopicsRequest { topics: vec![topic], ..Default::default() }, 5)?;
    ensure!(created.topics.iter().all(|topic| topic.error_code.is_ok()), "{created:?}");
    Ok(())
}

fn delete(client: &mut Client, name: &str) -> Result<()> {
    let delete = DeleteTopicsRequest { topic_names: vec![name.into()], ..Default::default() };
    let deleted = client.call(delete, 5)?;
    ensure!(deleted.responses.iter().all(|topic| topic.error_code.is_ok()), "{deleted:?}");
    Ok(())
}

fn commit(client: &mut Client, group: &str, topics: &[&str]) -> Result<()> {
    let topics = topics.iter().map(|name| OffsetCommitRequestTopic {
        name: name.to_string(),
        partitions: vec![OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() }],
        ..Default::default()
    });
    let request =
        OffsetCommitRequest { group_id: group.into(), topics: topics.collect(), ..Default::default() };
    let committed = client.call(request, 7)?;
    let mut rows = committed.topics.iter().flat_map(|topic| &topic.partitions);
    ensure!(rows.all(|row| row.error_code.is_ok()), "{committed:?}");
    Ok(())
}

fn fetch(group: &str) -> OffsetFetchRequest {
    OffsetFetchRequest { group_id: group.into(), topics: None, ..Default::default() }
}

/// These topics, and no others. What is under way arrives.
fn until_committed(client: &mut Client, group: &str, topics: &[&str]) -> Result<()> {
    let mut last = None;
    for _ in 0..1_000 {
        let fetched = client.call(fetch(group), 7)?;
        let names: Vec<&str> = fetched.topics.iter().map(|topic| topic.name.as_str()).collect();
        if fetched.error_code.is_ok() && names == topics {
            return Ok(());
        }
        last = Some(fetched);
    }
    anyhow::bail!("'{group}' should have committed {topics:?}, but has {last:?}")
}

fn listed(client: &mut Client) -> Result<Vec<String>> {
    let answer = client.call(ListGroupsRequest::default(), 4)?;
    ensure!(answer.error_code.is_ok(), "{answer:?}");
    Ok(answer.groups.into_iter().map(|group| group.group_id).collect())
}

fn offsets_log(scene: &Scene, partition: i32) -> PathBuf {
    let folder = scene.path("core-broker/logs").join(format!("__consumer_offsets-{partition}"));
    folder.join("00000000000000000000.log")
}

/// Flips a byte inside the first record that holds `text`.
fn damage(log: &PathBuf, text: &[u8]) -> Result<()> {
    let mut bytes = fs::read(log).with_context(|| log.display().to_string())?;
    let at = bytes.windows(text.len()).position(|window| window == text).context("no such record")?;
    bytes[at] ^= 0xff;
    fs::write(log, bytes)?;
    Ok(())
}
