//! Scripts: requests, what is read for them, and what of it the answer names.

use super::*;

fn key(partition: i32) -> Key {
    Key { topic: TopicKey::Name("gps".into()), partition }
}

fn wanted(partition: i32, offset: i64) -> (Key, Wanted) {
    let wanted =
        Wanted { fetch_offset: Offset(offset), max_bytes: 1000, current_leader_epoch: LeaderEpoch(-1) };
    (key(partition), wanted)
}

fn request(session_id: i32, epoch: i32, wanted: Vec<(Key, Wanted)>) -> Request {
    Request { session_id, epoch, wanted, ..Request::default() }
}

fn idle(high_watermark: i64) -> Told {
    let high_watermark = Offset(high_watermark);
    Told { high_watermark, log_start: Offset(0), has_records: false, is_error: false }
}

fn records(high_watermark: i64) -> Told {
    Told { has_records: true, ..idle(high_watermark) }
}

fn error() -> Told {
    Told { is_error: true, ..idle(-1) }
}

/// Sends the request, answers its partitions in order with `told`: the session, the partitions read, and those
/// of them that the answer names.
fn ask(
    sessions: &mut FetchSessions,
    request: Request,
    told: &[Told],
) -> Result<(i32, Vec<i32>, Vec<i32>), SessionError> {
    let fetch = sessions.begin(request, 0)?;
    let read: Vec<i32> = fetch.partitions.iter().map(|(key, _)| key.partition).collect();
    assert_eq!(read.len(), told.len(), "{read:?}");
    let answer = sessions.finish(fetch, told, 77, 0)?;
    let named = read.iter().zip(&answer.named).filter(|(_, named)| **named).map(|(read, _)| *read);
    Ok((answer.session_id, read.clone(), named.collect()))
}

fn begun(sessions: &mut FetchSessions) -> i32 {
    let all = vec![wanted(0, 5), wanted(1, 5), wanted(2, 5)];
    let asked = ask(sessions, request(0, INITIAL_EPOCH, all), &[idle(5), idle(5), idle(5)]);
    assert_eq!(asked, Ok((77, vec![0, 1, 2], vec![0, 1, 2])));
    77
}

#[test]
fn trap_29_a_request_without_a_session_is_answered_in_full_with_session_0() {
    let mut sessions = FetchSessions::default();
    for _ in 0..2 {
        let asked = ask(&mut sessions, request(0, FINAL_EPOCH, vec![wanted(0, 1)]), &[idle(1)]);
        assert_eq!(asked, Ok((0, vec![0], vec![0])));
    }
    assert!(sessions.is_empty());
}

#[test]
fn in_a_session_only_what_changed_is_named() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    let script = [
        // wanted otherwise, forgotten, told in order of reading -> read, named
        (vec![], vec![], vec![idle(5), idle(5), idle(5)], vec![0, 1, 2], vec![]),
        (vec![], vec![], vec![idle(5), records(6), idle(5)], vec![0, 1, 2], vec![1]),
        // Who had records is read last. A high watermark that moved is news without records.
        (vec![wanted(1, 6)], vec![], vec![idle(5), idle(7), idle(6)], vec![0, 2, 1], vec![2]),
        (vec![], vec![], vec![error(), idle(7), idle(6)], vec![0, 2, 1], vec![0]),
        (vec![], vec![], vec![idle(5), idle(7), idle(6)], vec![0, 2, 1], vec![0]),
        (vec![wanted(9, 0)], vec![key(2)], vec![idle(5), idle(6), idle(0)], vec![0, 1, 9], vec![9]),
        (vec![], vec![key(0), key(3)], vec![idle(6), idle(0)], vec![1, 9], vec![]),
    ];
    for (epoch, (wanted, forgotten, told, read, named)) in (1..).zip(script) {
        let request = Request { forgotten, ..request(id, epoch, wanted) };
        assert_eq!(ask(&mut sessions, request, &told), Ok((id, read, named)), "epoch {epoch}");
    }
}

#[test]
fn a_log_start_that_moved_is_news() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    let moved = Told { log_start: Offset(3), ..idle(5) };
    let asked = ask(&mut sessions, request(id, 1, vec![]), &[idle(5), moved, idle(5)]);
    assert_eq!(asked, Ok((id, vec![0, 1, 2], vec![1])));
}

#[test]
fn what_is_wanted_otherwise_is_read_otherwise() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    let fetch = sessions.begin(request(id, 1, vec![wanted(1, 42)]), 0).unwrap();
    assert_eq!(fetch.partitions, [wanted(0, 5), wanted(1, 42), wanted(2, 5)]);
}

#[test]
fn a_request_that_does_not_fit_its_session_is_refused() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    for (session_id, epoch, by_id, expected) in [
        (id + 1, 1, false, SessionError::NotFound),
        (0, 1, false, SessionError::NotFound),
        (id, 2, false, SessionError::InvalidEpoch),
        (id, i32::MIN, false, SessionError::InvalidEpoch),
        // Trap 7: ids and names do not mix in one session.
        (id, 1, true, SessionError::TopicIdMismatch),
    ] {
        let request = Request { by_id, ..request(session_id, epoch, vec![]) };
        assert_eq!(sessions.begin(request, 0), Err(expected), "{session_id} {epoch}");
    }
    assert!(ask(&mut sessions, request(id, 1, vec![]), &[idle(5); 3]).is_ok(), "no refusal harmed it");
}

#[test]
fn an_answer_that_a_later_request_overtook_is_an_error() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    let first = sessions.begin(request(id, 1, vec![]), 0).unwrap();
    let second = sessions.begin(request(id, 2, vec![]), 0).unwrap();
    assert_eq!(sessions.finish(first, &[idle(5); 3], 1, 0), Err(SessionError::InvalidEpoch));
    assert!(sessions.finish(second, &[idle(5); 3], 1, 0).is_ok());
}

#[test]
fn a_session_ends_when_it_is_asked_to_or_watches_nothing() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    assert_eq!(
        ask(&mut sessions, request(id, FINAL_EPOCH, vec![wanted(0, 5)]), &[idle(5)]),
        Ok((0, vec![0], vec![0]))
    );
    assert!(sessions.is_empty());

    let id = begun(&mut sessions);
    let nothing = Request { forgotten: vec![key(0), key(1), key(2)], ..request(id, 1, vec![]) };
    assert_eq!(ask(&mut sessions, nothing, &[]), Ok((0, vec![], vec![])));
    assert!(sessions.is_empty());

    // One that begins anew takes the place of the one it had.
    let id = begun(&mut sessions);
    let (next, ..) = ask(&mut sessions, request(id, INITIAL_EPOCH, vec![wanted(0, 5)]), &[idle(5)]).unwrap();
    assert_eq!((sessions.len(), sessions.partitions), (1, 1));
    assert!(next > 0);
}

#[test]
fn epochs_begin_again_at_1() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    sessions.by_id.get_mut(&id).unwrap().epoch = i32::MAX;
    assert!(ask(&mut sessions, request(id, i32::MAX, vec![]), &[idle(5); 3]).is_ok());
    assert!(ask(&mut sessions, request(id, 1, vec![]), &[idle(5); 3]).is_ok());
}

#[test]
fn a_full_cache_keeps_those_in_use_and_those_that_are_larger() {
    let mut sessions = FetchSessions::default();
    let begin = |sessions: &mut FetchSessions, size: i32, now_ms: i64| {
        let all = (0..size).map(|partition| wanted(partition, 0)).collect();
        let fetch = sessions.begin(request(0, INITIAL_EPOCH, all), now_ms).unwrap();
        sessions.finish(fetch, &vec![idle(0); size as usize], 1, now_ms).unwrap().session_id
    };
    for n in 1..=MAX_SESSIONS as i32 {
        assert_eq!(begin(&mut sessions, 2, 0), n);
    }
    assert_eq!(begin(&mut sessions, 3, UNDISTURBED_MS), 0, "all are in use");
    let later = UNDISTURBED_MS + 1;
    sessions.by_id.values_mut().for_each(|session| session.last_used_ms = later);
    assert_eq!(begin(&mut sessions, 2, later), 0, "none is smaller");
    assert_ne!(begin(&mut sessions, 3, later), 0, "one is smaller");
    let silent = *sessions.by_id.keys().nth(500).unwrap();
    sessions.by_id.get_mut(&silent).unwrap().last_used_ms = 0;
    assert_ne!(begin(&mut sessions, 1, later), 0, "one was silent");
    assert_eq!(sessions.len(), MAX_SESSIONS);
    assert_eq!(begin(&mut sessions, MAX_PARTITIONS as i32 + 1, i64::MAX / 2), 0, "too large for any room");
    let counted: usize = sessions.by_id.values().map(Session::len).sum();
    assert_eq!(sessions.partitions, counted);
}

#[test]
fn a_session_that_grows_too_large_is_gone() {
    let mut sessions = FetchSessions::default();
    let id = begun(&mut sessions);
    let many = (0..MAX_PARTITIONS as i32 + 1).map(|partition| wanted(partition, 0)).collect();
    assert_eq!(sessions.begin(request(id, 1, many), 0), Err(SessionError::NotFound));
    assert_eq!((sessions.len(), sessions.partitions), (0, 0));
}
