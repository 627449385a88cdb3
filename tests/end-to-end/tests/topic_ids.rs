//! A topic that is made again while a client goes on with the id that it knows.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use end_to_end::{
    Scene,
    kafka::{Client, batch, fetch, produce},
    scene,
};
use kafka_wire::{
    ErrorCode,
    messages::{
        create_topics::{CreatableTopic, CreateTopicsRequest},
        delete_topics::{DeleteTopicState, DeleteTopicsRequest},
    },
};
use uuid::Uuid;

/// The first version of Produce and of Fetch that gives ids.
const BY_ID: i16 = 13;

const PARTITIONS: [i32; 4] = [0, 1, 2, 3];

/// Several produces of the client beside.
const A_WHILE: Duration = Duration::from_millis(20);

#[test]
fn trap_7_what_is_sent_to_an_old_id_never_comes_into_the_topic_that_has_the_name() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        let known = Mutex::new(create(&mut client)?);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| write_until(scene, &known, &done));
            let made_again = (0..30).try_for_each(|_| make_again(&mut client, &known));
            done.store(true, Ordering::Relaxed);
            made_again.and(writer.join().expect("the writer does not panic"))
        })?;
        broker.stop()
    });
}

/// Whatever the answers are.
fn write_until(scene: &Scene, known: &Mutex<Uuid>, done: &AtomicBool) -> Result<()> {
    let mut client = Client::connect(scene.kafka)?;
    while !done.load(Ordering::Relaxed) {
        let mut request = produce("", &PARTITIONS, batch(b"x"));
        request.topics[0].topic_id = *known.lock().expect("no panic");
        client.call(request, BY_ID)?;
    }
    Ok(())
}

/// Nobody else knows its id before it is empty for a while.
fn make_again(client: &mut Client, known: &Mutex<Uuid>) -> Result<()> {
    let old = *known.lock().expect("no panic");
    delete(client, old)?;
    let id = create(client)?;
    let mut request = fetch("", &PARTITIONS.map(|partition| (partition, 0)), A_WHILE);
    request.topics[0].topic_id = id;
    let answer = client.call(request.clone(), BY_ID)?;
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let is_empty = partitions.all(|it| it.error_code.is_ok() && it.high_watermark == 0);
    ensure!(is_empty, "{id} has what was sent to {old}: {answer:?}");
    request.topics[0].topic_id = old;
    let answer = client.call(request, BY_ID)?;
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    ensure!(partitions.all(|it| it.error_code == ErrorCode::UnknownTopicId), "{answer:?}");
    *known.lock().expect("no panic") = id;
    Ok(())
}

fn create(client: &mut Client) -> Result<Uuid> {
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: PARTITIONS.len() as i32,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let created = client.call(request, 7)?.topics.pop().context("no answer")?;
    ensure!(created.error_code.is_ok(), "{created:?}");
    Ok(created.topic_id)
}

fn delete(client: &mut Client, topic_id: Uuid) -> Result<()> {
    let topics = vec![DeleteTopicState { name: None, topic_id }];
    let answer = client.call(DeleteTopicsRequest { topics, ..Default::default() }, 6)?;
    ensure!(answer.responses.iter().all(|deleted| deleted.error_code.is_ok()), "{answer:?}");
    Ok(())
}
