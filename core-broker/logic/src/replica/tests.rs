//! Scripts: inputs and the actions they must cause. `check` alone knows the API.

use kafka_wire::record_batch::BatchHeader;
use proptest::prelude::*;

use super::*;

const ME: BrokerId = BrokerId(1);
const OTHER: BrokerId = BrokerId(2);

fn leader(min_in_sync: usize, replicas: &[BrokerId]) -> Replica {
    leader_with(Rules { min_in_sync, ..Rules::default() }, replicas)
}

fn leader_with(rules: Rules, replicas: &[BrokerId]) -> Replica {
    Replica::leader(ME, LeaderEpoch(3), replicas.iter().copied(), rules, Opened::default())
}

/// A batch of `count` records without a producer.
fn plain(count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: 0,
        size: 61,
        partition_leader_epoch: -1,
        crc: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: count,
    }
}

fn from(producer_id: i64, producer_epoch: i16, base_sequence: i32, count: i32) -> BatchHeader {
    BatchHeader { producer_id, producer_epoch, base_sequence, ..plain(count) }
}

fn append(token: Token, batch: BatchHeader, acks: Acks) -> Input {
    Input::Append { token, batch, acks, deadline_ms: 1_000 }
}

fn write(token: Token, base: i64) -> Action {
    Action::Write { token, base_offset: Offset(base), leader_epoch: LeaderEpoch(3), log_append_time_ms: None }
}

fn appended(base: i64) -> Appended {
    Appended {
        base_offset: Offset(base),
        log_start: Offset(0),
        log_append_time_ms: None,
        is_duplicate: false,
        other_bytes: false,
    }
}

fn ok(token: Token, base: i64) -> Action {
    Action::Answer { token, result: Ok(appended(base)) }
}

/// What was there already.
fn again(token: Token, base: i64) -> Action {
    Action::Answer { token, result: Ok(Appended { is_duplicate: true, ..appended(base) }) }
}

fn no(token: Token, error: impl Into<AppendError>) -> Action {
    Action::Answer { token, result: Err(error.into()) }
}

fn high_watermark(offset: i64) -> Action {
    Action::HighWatermark { offset: Offset(offset) }
}

fn synced(end: i64) -> Input {
    Input::Synced { end: Offset(end) }
}

fn check(replica: &mut Replica, script: Vec<(Input, Vec<Action>)>) {
    for (step, (input, expected)) in script.into_iter().enumerate() {
        let mut actions = Vec::new();
        let said = format!("step {step}: {input:?}");
        replica.handle(input, 0, &mut actions);
        assert_eq!(actions, expected, "{said}");
    }
}

#[test]
fn acks_all_is_answered_only_after_the_sync() {
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, plain(3), Acks::All), vec![write(1, 0)]),
            (append(2, plain(2), Acks::All), vec![write(2, 3)]),
            (synced(3), vec![high_watermark(3), ok(1, 0)]),
            (synced(5), vec![high_watermark(5), ok(2, 3)]),
        ],
    );
}

#[test]
fn acks_one_and_none_are_answered_when_written_but_not_yet_seen_by_consumers() {
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, plain(1), Acks::Leader), vec![write(1, 0), ok(1, 0)]),
            (append(2, plain(1), Acks::None), vec![write(2, 1), ok(2, 1)]),
            (synced(2), vec![high_watermark(2)]),
        ],
    );
}

#[test]
fn a_duplicate_gets_its_first_offset_and_is_not_written_again() {
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, from(9, 0, 0, 2), Acks::All), vec![write(1, 0)]),
            // Sent again before the first is synced: it waits for the same sync.
            (append(2, from(9, 0, 0, 2), Acks::All), vec![]),
            (synced(2), vec![high_watermark(2), ok(1, 0), again(2, 0)]),
            (append(3, from(9, 0, 0, 2), Acks::All), vec![again(3, 0)]),
            (append(4, from(9, 0, 2, 1), Acks::All), vec![write(4, 2)]),
        ],
    );
}

#[test]
fn other_bytes_under_stored_sequences_are_told_apart() {
    let other = BatchHeader { crc: 1, ..from(9, 0, 0, 2) };
    let appended = Appended { is_duplicate: true, other_bytes: true, ..appended(0) };
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, from(9, 0, 0, 2), Acks::Leader), vec![write(1, 0), ok(1, 0)]),
            (append(2, other, Acks::Leader), vec![Action::Answer { token: 2, result: Ok(appended) }]),
        ],
    );
}

#[test]
fn sequences_must_follow_each_other() {
    let mut replica = leader(1, &[ME]);
    // A producer that is not known may begin anywhere (its state may have expired).
    check(&mut replica, vec![(append(1, from(9, 1, 40, 2), Acks::Leader), vec![write(1, 0), ok(1, 0)])]);
    for (batch, error) in [
        (from(9, 1, 43, 1), SequenceError::OutOfOrder),
        (from(9, 1, 39, 1), SequenceError::OldDuplicate),
        (from(9, 0, 42, 1), SequenceError::FencedEpoch),
        (from(9, 2, 42, 1), SequenceError::OutOfOrder),
    ] {
        check(&mut replica, vec![(append(2, batch, Acks::Leader), vec![no(2, error)])]);
    }
    check(
        &mut replica,
        vec![
            (append(3, from(9, 2, 0, 1), Acks::Leader), vec![write(3, 2), ok(3, 2)]),
            (append(4, from(9, 1, 42, 1), Acks::Leader), vec![no(4, SequenceError::FencedEpoch)]),
        ],
    );
}

#[test]
fn sequences_begin_again_at_zero() {
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, from(9, 0, i32::MAX - 1, 2), Acks::Leader), vec![write(1, 0), ok(1, 0)]),
            (append(2, from(9, 0, 0, 1), Acks::Leader), vec![write(2, 2), ok(2, 2)]),
            (append(3, from(9, 0, i32::MAX - 1, 2), Acks::Leader), vec![again(3, 0)]),
        ],
    );
}

#[test]
fn five_batches_are_remembered_and_older_ones_are_known_to_be_old() {
    let mut replica = leader(1, &[ME]);
    for n in 0..6 {
        let token = n as u64;
        check(
            &mut replica,
            vec![(
                append(token, from(9, 0, n, 1), Acks::Leader),
                vec![write(token, n.into()), ok(token, n.into())],
            )],
        );
    }
    check(
        &mut replica,
        vec![
            (append(10, from(9, 0, 1, 1), Acks::Leader), vec![again(10, 1)]),
            (append(11, from(9, 0, 0, 1), Acks::Leader), vec![no(11, SequenceError::OldDuplicate)]),
        ],
    );
}

#[test]
fn too_few_replicas_refuse_acks_all_before_anything_is_written() {
    check(
        &mut leader(2, &[ME]),
        vec![
            (append(1, plain(1), Acks::All), vec![no(1, AppendError::NotEnoughReplicas)]),
            (append(2, plain(1), Acks::Leader), vec![write(2, 0), ok(2, 0)]),
            // Strict min ISR: consumers see nothing that min.insync.replicas do not have.
            (synced(1), vec![]),
        ],
    );
}

#[test]
fn the_high_watermark_waits_for_the_slowest_in_sync_replica() {
    let mut replica = leader(1, &[ME, OTHER]);
    check(&mut replica, vec![(append(1, plain(4), Acks::All), vec![write(1, 0)]), (synced(4), vec![])]);
    assert_eq!(replica.high_watermark(), Offset(0));
}

#[test]
fn a_failed_log_fails_who_waits_and_whoever_comes() {
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, plain(1), Acks::All), vec![write(1, 0)]),
            (Input::LogFailed, vec![no(1, AppendError::LogFailed)]),
            (append(2, plain(1), Acks::Leader), vec![no(2, AppendError::LogFailed)]),
        ],
    );
}

#[test]
fn control_and_transactional_batches_are_refused() {
    let with = |attributes| BatchHeader { attributes, ..plain(1) };
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, with(1 << 5), Acks::All), vec![no(1, AppendError::ControlBatch)]),
            (append(2, with(1 << 4), Acks::All), vec![no(2, AppendError::Transactional)]),
        ],
    );
}

#[test]
fn a_wait_ends_at_its_deadline_and_the_record_may_still_be_synced_later() {
    let mut replica = leader(1, &[ME]);
    check(&mut replica, vec![(append(1, plain(1), Acks::All), vec![write(1, 0)])]);
    assert_eq!(replica.deadline_ms(), Some(1_000));
    let mut actions = Vec::new();
    replica.handle(Input::Tick, 999, &mut actions);
    assert_eq!(actions, []);
    replica.handle(Input::Tick, 1_000, &mut actions);
    assert_eq!(actions, [no(1, AppendError::TimedOut)]);
    check(&mut replica, vec![(synced(1), vec![high_watermark(1)])]);
    assert_eq!(replica.deadline_ms(), None);
}

#[test]
fn what_is_known_of_producers_comes_back_from_the_headers_in_the_log() {
    let mut producers = Producers::default();
    let stored = BatchHeader { base_offset: 7, ..from(9, 0, 0, 3) };
    producers.remember(&stored, Offset(7), 0);
    let opened = Opened { log_start: Offset(0), log_end: Offset(10), producers };
    let mut replica = Replica::leader(ME, LeaderEpoch(3), [ME], Rules::default(), opened);
    assert_eq!(replica.high_watermark(), Offset(10), "what was on the disk may be read at once");
    check(
        &mut replica,
        vec![
            (append(1, from(9, 0, 0, 3), Acks::All), vec![again(1, 7)]),
            (append(2, from(9, 0, 3, 1), Acks::All), vec![write(2, 10)]),
        ],
    );
}

#[test]
fn where_flush_is_relaxed_what_is_written_counts_and_is_synced_by_number_or_time() {
    let flush = FlushRule { messages: 10, ms: 500 };
    let mut replica = leader_with(Rules { flush, ..Rules::default() }, &[ME]);
    check(
        &mut replica,
        vec![
            (append(1, plain(4), Acks::All), vec![write(1, 0)]),
            (Input::Written { end: Offset(4) }, vec![high_watermark(4), ok(1, 0)]),
        ],
    );
    assert_eq!(replica.deadline_ms(), Some(500));
    assert_eq!([499, 500].map(|now_ms| replica.is_sync_due(now_ms)), [false, true]);
    check(
        &mut replica,
        vec![
            (append(2, plain(6), Acks::All), vec![write(2, 4)]),
            (Input::Written { end: Offset(10) }, vec![high_watermark(10), ok(2, 4)]),
        ],
    );
    assert!(replica.is_sync_due(0), "ten records are not synced");
    check(&mut replica, vec![(synced(10), vec![])]);
    assert_eq!((replica.is_sync_due(i64::MAX), replica.deadline_ms()), (false, None));

    let strict = Rules::default();
    check(
        &mut replica,
        vec![
            (append(3, plain(1), Acks::All), vec![write(3, 10)]),
            (Input::Configure { rules: strict }, vec![]),
            (Input::Written { end: Offset(11) }, vec![]),
        ],
    );
    assert!(replica.is_sync_due(0));
    check(&mut replica, vec![(synced(11), vec![high_watermark(11), ok(3, 10)])]);
}

#[test]
fn fewer_replicas_that_must_be_in_sync_let_the_high_watermark_go_on() {
    let rules = |min_in_sync| Rules { min_in_sync, ..Rules::default() };
    let mut replica = leader(2, &[ME]);
    check(
        &mut replica,
        vec![
            (append(1, plain(1), Acks::Leader), vec![write(1, 0), ok(1, 0)]),
            (synced(1), vec![]),
            (Input::Configure { rules: rules(1) }, vec![high_watermark(1)]),
            (append(2, plain(1), Acks::All), vec![write(2, 1)]),
            (Input::Configure { rules: rules(2) }, vec![]),
            (append(3, plain(1), Acks::All), vec![no(3, AppendError::NotEnoughReplicas)]),
        ],
    );
}

#[test]
fn the_leaders_clock_stamps_where_the_topic_says_so_and_a_duplicate_keeps_its_time() {
    let mut replica = leader_with(Rules { log_append_time: true, ..Rules::default() }, &[ME]);
    let batch = from(9, 0, 0, 2);
    for (now_ms, writes) in [(70, true), (80, false)] {
        let mut actions = Vec::new();
        replica.handle(append(1, batch, Acks::Leader), now_ms, &mut actions);
        let stamped = Appended { log_append_time_ms: Some(70), is_duplicate: !writes, ..appended(0) };
        let mut expected = vec![Action::Answer { token: 1, result: Ok(stamped) }];
        if writes {
            let Action::Write { token, base_offset, leader_epoch, .. } = write(1, 0) else { unreachable!() };
            let log_append_time_ms = Some(70);
            expected.insert(0, Action::Write { token, base_offset, leader_epoch, log_append_time_ms });
        }
        assert_eq!(actions, expected);
    }
}

#[test]
fn a_stamped_batch_in_the_log_does_not_say_which_bytes_were_sent() {
    let mut producers = Producers::default();
    let stamped = BatchHeader { crc: 7, attributes: 1 << 3, ..from(9, 0, 0, 3) };
    producers.remember(&stamped, Offset(0), 0);
    let found = producers.check(&from(9, 0, 0, 3)).unwrap().unwrap();
    assert!(found.same_bytes, "what is not known is not held against an agent");
}

#[test]
fn a_deleted_topic_answers_who_waits_and_whoever_comes() {
    check(
        &mut leader(1, &[ME]),
        vec![
            (append(1, plain(1), Acks::All), vec![write(1, 0)]),
            (Input::Deleted, vec![no(1, AppendError::TopicDeleted)]),
            (append(2, plain(1), Acks::Leader), vec![no(2, AppendError::LogFailed)]),
        ],
    );
}

#[test]
fn records_are_deleted_up_to_the_high_watermark() {
    let mut replica = leader(1, &[ME]);
    check(
        &mut replica,
        vec![
            (append(1, plain(5), Acks::All), vec![write(1, 0)]),
            (synced(5), vec![high_watermark(5), ok(1, 0)]),
            (append(2, plain(5), Acks::Leader), vec![write(2, 5), ok(2, 5)]),
        ],
    );
    for (asked, expected) in [(-1, Some(5)), (0, Some(0)), (3, Some(3)), (5, Some(5)), (6, None), (-2, None)]
    {
        assert_eq!(replica.delete_before(asked).ok().map(|offset| offset.0), expected, "{asked}");
    }
    check(&mut replica, vec![(Input::LogStart { offset: Offset(3) }, vec![])]);
    assert_eq!(replica.log_start(), Offset(3));
}

#[test]
fn compaction_learns_of_each_producer_where_its_last_batch_ends() {
    let mut producers = Producers::default();
    producers.remember(&from(9, 0, 0, 3), Offset(10), 0);
    producers.remember(&from(9, 0, 3, 2), Offset(20), 0);
    producers.remember(&from(4, 0, i32::MAX - 1, 4), Offset(30), 0);
    assert_eq!(producers.last_offsets(), [(4, 33), (9, 21)].into());
    let states: Vec<_> = producers.states().map(|state| (state.id, state.last_sequence)).collect();
    assert_eq!(states, [(4, 1), (9, 4)]);
}

#[test]
fn a_producer_silent_for_a_month_is_forgotten_and_begins_where_it_likes() {
    let mut producers = Producers::default();
    producers.remember(&from(9, 0, 0, 1), Offset(0), 1_000);
    producers.expire(1_000 + PRODUCER_EXPIRY_MS - 1);
    assert_eq!(producers.check(&from(9, 0, 7, 1)), Err(SequenceError::OutOfOrder));
    producers.expire(1_000 + PRODUCER_EXPIRY_MS);
    assert_eq!(producers.check(&from(9, 0, 7, 1)), Ok(None));
}

#[test]
fn a_flood_of_producers_forgets_those_that_were_silent_for_longest() {
    let mut producers = Producers::default();
    for id in 0..=MAX_PRODUCERS as i64 {
        producers.remember(&from(id, 0, 0, 1), Offset(0), id);
    }
    assert!(producers.len() <= MAX_PRODUCERS);
    assert_eq!(producers.check(&from(0, 0, 7, 1)), Ok(None), "the first is forgotten");
    let last = MAX_PRODUCERS as i64;
    assert_eq!(producers.check(&from(last, 0, 7, 1)), Err(SequenceError::OutOfOrder), "the last is not");
}

proptest! {
    /// Whatever a producer sends again or skips: each sequence is written at most once, in order, and
    /// an `Ok` for acks=all is never given for what is not synced.
    #[test]
    fn every_sequence_is_written_once_and_acknowledged_only_synced(
        sends in prop::collection::vec((0i32..40, prop::bool::ANY), 1..120),
    ) {
        let mut replica = leader(1, &[ME]);
        let (mut written, mut ends, mut synced_end) = (Vec::new(), Vec::new(), 0);
        for (token, (sequence, sync)) in sends.into_iter().enumerate() {
            let mut actions = Vec::new();
            ends.push(0);
            replica.handle(append(token as u64, from(1, 0, sequence, 1), Acks::All), 0, &mut actions);
            if sync {
                synced_end = replica.log_end().0;
                replica.handle(synced(synced_end), 0, &mut actions);
            }
            for action in actions {
                match action {
                    Action::Write { base_offset, .. } => {
                        prop_assert_eq!(base_offset.0, written.len() as i64);
                        written.push(sequence);
                    }
                    Action::Answer { result: Ok(appended), .. } => {
                        prop_assert!(appended.base_offset.0 < synced_end);
                    }
                    _ => {}
                }
            }
        }
        prop_assert!(written.windows(2).all(|pair| pair[1] == pair[0] + 1), "{:?}", written);
    }
}
