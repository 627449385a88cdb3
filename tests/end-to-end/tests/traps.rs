//! What has broken other brokers or their clients, asked of a real one. The number in a name is that of the
//! list in `tests/tidy/tests/traps.rs`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use end_to_end::{
    Scene,
    kafka::{
        Client, FETCH, PRODUCE, batch, batch_of, create_topic, create_topic_with, fetch, fetched, produce,
        produced,
    },
    mqtt::is_closed_by_peer,
    scene,
};
use kafka_wire::{
    ErrorCode,
    messages::{
        fetch::{FetchRequest, PartitionData},
        init_producer_id::InitProducerIdRequest,
        list_offsets::{
            EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsPartitionResponse,
            ListOffsetsRequest, ListOffsetsTopic,
        },
        metadata::{MetadataRequest, MetadataRequestTopic},
    },
    record_batch::{Compression, Producer, RecordsEncoder, assemble, batches, set_create_time},
};

const TOPIC: &str = "traps";
const NODE: i32 = 1;
const NO_WAIT: Duration = Duration::ZERO;

#[test]
fn trap_5_a_fetch_inside_a_batch_gives_the_whole_batch() {
    with_a_topic(|client, _| {
        write(client, 0, batch_of(&[b"a", b"b", b"c"], Producer::NONE))?;
        write(client, 0, batch_of(&[b"d", b"e"], Producer::NONE))?;
        for (offset, bases) in [(0, &[0, 3][..]), (1, &[0, 3]), (2, &[0, 3]), (3, &[3]), (4, &[3]), (5, &[])]
        {
            let answer = client.call(fetch(TOPIC, &[(0, offset)], NO_WAIT), FETCH)?;
            ensure!(bases_of(fetched(&answer)?)? == bases, "from {offset}: {answer:?}");
        }
        Ok(())
    });
}

#[test]
fn trap_6_the_first_batch_comes_however_large_and_the_others_in_the_order_asked_for() {
    with_a_topic(|client, _| {
        for partition in [0, 1, 1] {
            write(client, partition, batch(&[7; 1_000]))?;
        }
        for (order, expected) in [
            // The first has as much as there is, then there is no room.
            ([(0, 0), (1, 0)], [(0, &[0][..]), (1, &[])]),
            ([(1, 0), (0, 0)], [(1, &[0]), (0, &[])]),
            // A partition without records leaves the first place to the next.
            ([(0, 1), (1, 0)], [(0, &[]), (1, &[0])]),
        ] {
            let request = FetchRequest { max_bytes: 1, ..fetch(TOPIC, &order, NO_WAIT) };
            let answer = client.call(request, FETCH)?;
            let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
            let read = partitions.map(|it| Ok((it.partition_index, bases_of(it)?)));
            let read: Vec<(i32, Vec<i64>)> = read.collect::<Result<_>>()?;
            let expected = expected.map(|(partition, bases)| (partition, bases.to_vec()));
            ensure!(read == expected, "{order:?}: {read:?}");
        }
        Ok(())
    });
}

#[test]
fn trap_8_and_4_an_answer_prefers_no_replica_and_has_records_that_are_empty_not_null() {
    with_a_topic(|client, _| {
        for (partition, offset, error) in [
            (0, 0, ErrorCode::None),
            (0, 99, ErrorCode::OffsetOutOfRange),
            (9, 0, ErrorCode::UnknownTopicOrPartition),
        ] {
            let answer = client.call(fetch(TOPIC, &[(partition, offset)], NO_WAIT), FETCH)?;
            let said = fetched(&answer)?;
            ensure!(said.error_code == error && said.preferred_read_replica == -1, "{said:?}");
            // The codec has no null for a broker to say; here it is read off the wire.
            client.ask(fetch(TOPIC, &[(partition, offset)], NO_WAIT), 4)?;
            let frame = client.receive()?.context("closed")?;
            ensure!(frame.ends_with(&0i32.to_be_bytes()), "the length of the records: {frame:?}");
        }
        Ok(())
    });
}

#[test]
fn trap_9_a_fetch_is_answered_when_records_come_and_never_later_than_it_may_wait() {
    with_a_topic(|client, scene| {
        for wait in [0, 1, 300] {
            let begin = Instant::now();
            let answer = client.call(fetch(TOPIC, &[(0, 0)], Duration::from_millis(wait)), FETCH)?;
            let took = begin.elapsed();
            ensure!(fetched(&answer)?.records.is_empty(), "{answer:?}");
            ensure!(took >= Duration::from_millis(wait), "{took:?} for {wait} ms");
            ensure!(took < Duration::from_millis(wait) + Duration::from_secs(2), "{took:?} for {wait} ms");
        }
        // More bytes than ever come: what came is given at the end.
        let begin = Instant::now();
        let patient = FetchRequest { min_bytes: 1 << 20, ..fetch(TOPIC, &[(0, 0)], Duration::from_secs(1)) };
        client.ask(patient, FETCH)?;
        let mut other = Client::connect(scene.kafka)?;
        write(&mut other, 0, batch(b"x"))?;
        let answer = client.answer::<FetchRequest>(FETCH)?;
        ensure!(
            bases_of(fetched(&answer)?)? == [0] && begin.elapsed() >= Duration::from_secs(1),
            "{answer:?}"
        );
        // One is enough: it comes at once, into whichever of the partitions.
        client.ask(fetch(TOPIC, &[(0, 1), (1, 0)], Duration::from_secs(30)), FETCH)?;
        let begin = Instant::now();
        write(&mut other, 1, batch(b"x"))?;
        client.answer::<FetchRequest>(FETCH)?;
        ensure!(begin.elapsed() < Duration::from_secs(5), "woken after {:?}", begin.elapsed());
        Ok(())
    });
}

#[test]
fn trap_10_an_offset_comes_with_the_epoch_of_its_record_and_not_with_the_leaders() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, TOPIC, 1)?;
        ensure!(epoch_at(&mut client, EARLIEST_TIMESTAMP)? == (0, -1), "an empty partition has no epoch");
        write(&mut client, 0, batch(b"x"))?;
        let first = epoch_at(&mut client, EARLIEST_TIMESTAMP)?;
        ensure!(first.0 == 0 && first.1 >= 0, "{first:?}");
        // Each start leads under an epoch of its own; the record keeps the one that it was written in.
        broker.stop()?;
        broker.start_again()?;
        let mut client = Client::connect(scene.kafka)?;
        ensure!(epoch_at(&mut client, EARLIEST_TIMESTAMP)? == first);
        write(&mut client, 0, batch(b"y"))?;
        let second = epoch_at(&mut client, LATEST_TIMESTAMP)?;
        ensure!(second.0 == 2 && second.1 > first.1, "{second:?} after {first:?}");
        ensure!(epoch_at(&mut client, EARLIEST_TIMESTAMP)? == first);
        broker.stop()
    });
}

#[test]
fn trap_12_a_fetch_that_knows_another_epoch_looks_again() {
    with_a_topic_led_before(|client, _| {
        write(client, 0, batch(b"x"))?;
        let epoch = epoch_at(client, EARLIEST_TIMESTAMP)?.1;
        for (known, error, leader) in [
            (epoch - 1, ErrorCode::FencedLeaderEpoch, NODE),
            // It knows more than we do: we cannot say who leads.
            (epoch + 1, ErrorCode::UnknownLeaderEpoch, -1),
            (epoch, ErrorCode::None, -1),
            (-1, ErrorCode::None, -1),
        ] {
            let mut request = fetch(TOPIC, &[(0, 0)], NO_WAIT);
            request.topics[0].partitions[0].current_leader_epoch = known;
            let answer = client.call(request, FETCH)?;
            let said = fetched(&answer)?;
            ensure!(said.error_code == error, "epoch {known}: {said:?}");
            ensure!(said.current_leader.leader_id == leader, "epoch {known}: {said:?}");
        }
        Ok(())
    });
}

#[test]
fn trap_13_a_batch_sent_twice_has_its_first_offset_and_an_epoch_may_be_bumped() {
    with_a_topic(|client, _| {
        let id = client.call(InitProducerIdRequest::default(), 4)?.producer_id;
        let of = |epoch, base_sequence| batch_of(&[b"x"], Producer { id, epoch, base_sequence });
        for (what, batch, expected) in [
            ("the first", of(0, 0), Ok(0)),
            ("the second", of(0, 1), Ok(1)),
            ("the first again", of(0, 0), Ok(0)),
            ("a gap", of(0, 5), Err(ErrorCode::OutOfOrderSequenceNumber)),
            ("a bumped epoch", of(1, 0), Ok(2)),
            ("the epoch before", of(0, 2), Err(ErrorCode::InvalidProducerEpoch)),
            (
                "a producer that nobody remembers",
                batch_of(&[b"x"], Producer { id: 4_711, epoch: 3, base_sequence: 77 }),
                Ok(3),
            ),
        ] {
            let answer = client.call(produce(TOPIC, &[0], batch), PRODUCE)?;
            let said = produced(&answer)?;
            let told = match said.error_code {
                ErrorCode::None => Ok(said.base_offset),
                error => Err(error),
            };
            ensure!(told == expected, "{what}: {said:?}");
        }
        Ok(())
    });
}

#[test]
fn trap_14_a_transaction_may_not_time_out_later_than_the_broker_allows() {
    with_a_topic(|client, _| {
        for (id, timeout_ms, error) in [
            (None, 0, ErrorCode::None),
            (Some(""), 60_000, ErrorCode::InvalidRequest),
            (Some("app"), 900_001, ErrorCode::InvalidTransactionTimeout),
            (Some("app"), 0, ErrorCode::InvalidTransactionTimeout),
            // There are no transactions here yet.
            (Some("app"), 900_000, ErrorCode::TransactionalIdAuthorizationFailed),
        ] {
            let request = InitProducerIdRequest {
                transactional_id: id.map(str::to_owned),
                transaction_timeout_ms: timeout_ms,
                ..Default::default()
            };
            let answer = client.call(request, 4)?;
            ensure!(answer.error_code == error, "{id:?} {timeout_ms}: {answer:?}");
        }
        Ok(())
    });
}

#[test]
fn trap_21_a_batch_that_a_consumer_could_not_read_is_refused_with_kafkas_code() {
    with_a_topic(|client, _| {
        let good = || BytesMut::from(&batch_of(&[b"a", b"b"], Producer::NONE)[..]);
        let changed = |at: usize, byte: u8| {
            let mut bytes = good();
            bytes[at] = byte;
            bytes.freeze()
        };
        let sealed = |change: fn(&mut BytesMut)| {
            let mut bytes = good();
            change(&mut bytes);
            // A checksum that holds.
            set_create_time(&mut bytes, 0);
            bytes.freeze()
        };
        let ahead = {
            let mut encoder = RecordsEncoder::new();
            encoder.push(i64::MAX / 2, None, Some(b"x"), &[]);
            let records = encoder.finish(Compression::None)?;
            assemble(&records, Producer::NONE).freeze()
        };
        for (what, batch, error) in [
            ("a flipped bit", changed(70, 0xff), ErrorCode::CorruptMessage),
            ("an old format", changed(16, 1), ErrorCode::UnsupportedForMessageFormat),
            ("half of it", good().freeze().slice(..30), ErrorCode::CorruptMessage),
            ("a record fewer than it says", sealed(|bytes| bytes[60] = 3), ErrorCode::InvalidRecord),
            ("two batches", [good(), good()].concat().into(), ErrorCode::InvalidRecord),
            ("more than is taken", batch(&[7; 1_048_588]), ErrorCode::MessageTooLarge),
            ("a time far ahead", ahead, ErrorCode::InvalidTimestamp),
            ("what is right", good().freeze(), ErrorCode::None),
        ] {
            let answer = client.call(produce(TOPIC, &[0], batch), PRODUCE)?;
            let said = produced(&answer)?;
            ensure!(said.error_code == error, "{what}: {said:?}");
        }
        Ok(())
    });
}

#[test]
fn trap_22_without_acks_there_is_no_answer_and_an_error_closes_the_connection() {
    with_a_topic(|client, scene| {
        let mut unanswered = produce(TOPIC, &[0], batch(b"x"));
        unanswered.acks = 0;
        client.ask(unanswered.clone(), PRODUCE)?;
        client.ask(produce(TOPIC, &[0], batch(b"y")), PRODUCE)?;
        // The first answer is the second request's.
        let answer = client.answer::<kafka_wire::messages::produce::ProduceRequest>(PRODUCE)?;
        ensure!(produced(&answer)?.base_offset == 1, "{answer:?}");

        let mut other = Client::connect(scene.kafka)?;
        unanswered.topics[0].name = "nowhere".into();
        other.ask(unanswered, PRODUCE)?;
        ensure!(is_closed_by_peer(&mut other.socket), "the producer is not told");
        Ok(())
    });
}

#[test]
fn trap_30_an_error_names_the_leader_and_where_it_is() {
    with_a_topic_led_before(|client, scene| {
        let topic = client.call(metadata(), 12)?.topics.pop().context("no topic")?;
        let mut request = fetch("", &[(0, 0)], NO_WAIT);
        request.topics[0].topic_id = topic.topic_id;
        request.topics[0].partitions[0].current_leader_epoch = topic.partitions[0].leader_epoch - 1;
        let answer = client.call(request, 16)?;
        ensure!(fetched(&answer)?.error_code == ErrorCode::FencedLeaderEpoch, "{answer:?}");
        let hint = answer.node_endpoints.first().context("nobody is named")?;
        let told = (hint.node_id, hint.host.as_str(), hint.port);
        ensure!(told == (NODE, "127.0.0.1", i32::from(scene.kafka.port())), "{told:?}");
        Ok(())
    });
}

#[test]
fn trap_20_zstd_is_for_clients_that_know_it() {
    with_a_topic(|client, _| {
        let mut encoder = RecordsEncoder::new();
        encoder.push(0, None, Some(&[7; 100]), &[]);
        let zstd = assemble(&encoder.finish(Compression::Zstd)?, Producer::NONE).freeze();
        for (version, error) in [(6, ErrorCode::UnsupportedCompressionType), (7, ErrorCode::None)] {
            let answer = client.call(produce(TOPIC, &[0], zstd.clone()), version)?;
            ensure!(produced(&answer)?.error_code == error, "{version}: {answer:?}");
        }
        // What is stored under zstd is not sent to who cannot read it.
        create_topic_with(client, "zstd", 1, &[("compression.type", "zstd")])?;
        client.call(produce("zstd", &[0], batch(b"x")), PRODUCE)?;
        for (version, error) in [(9, ErrorCode::UnsupportedCompressionType), (10, ErrorCode::None)] {
            let answer = client.call(fetch("zstd", &[(0, 0)], NO_WAIT), version)?;
            ensure!(fetched(&answer)?.error_code == error, "{version}: {answer:?}");
        }
        Ok(())
    });
}

fn with_a_topic(test: impl FnOnce(&mut Client, &Scene) -> Result<()>) {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create_topic(&mut client, TOPIC, 2)?;
        test(&mut client, scene)?;
        broker.stop()
    });
}

/// As [`with_a_topic`], after a restart: there was a leader epoch before the present one.
fn with_a_topic_led_before(test: impl FnOnce(&mut Client, &Scene) -> Result<()>) {
    scene(|scene| {
        let mut broker = scene.broker()?;
        create_topic(&mut Client::connect(scene.kafka)?, TOPIC, 2)?;
        broker.stop()?;
        broker.start_again()?;
        test(&mut Client::connect(scene.kafka)?, scene)?;
        broker.stop()
    });
}

fn write(client: &mut Client, partition: i32, batch: Bytes) -> Result<()> {
    let answer = client.call(produce(TOPIC, &[partition], batch), PRODUCE)?;
    let said = produced(&answer)?;
    ensure!(said.error_code == ErrorCode::None, "{said:?}");
    Ok(())
}

/// The first offsets of the batches that were read.
fn bases_of(read: &PartitionData) -> Result<Vec<i64>> {
    let records = read.records.clone().into_bytes();
    batches(&records).map(|batch| Ok(batch?.0.base_offset)).collect()
}

/// Offset and epoch.
fn epoch_at(client: &mut Client, timestamp: i64) -> Result<(i64, i32)> {
    let asked = ListOffsetsPartition { timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![asked] };
    let answer = client.call(ListOffsetsRequest { topics: vec![topic], ..Default::default() }, 7)?;
    let said = answer.topics.into_iter().flat_map(|topic| topic.partitions).next().context("no partition")?;
    let ListOffsetsPartitionResponse { error_code, offset, leader_epoch, .. } = said;
    ensure!(error_code == ErrorCode::None, "{error_code:?}");
    Ok((offset, leader_epoch))
}

fn metadata() -> MetadataRequest {
    let topic = MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() };
    MetadataRequest { topics: Some(vec![topic]), ..Default::default() }
}
