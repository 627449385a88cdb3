//! Joining, syncing, staying: traps 15 and 17 of the list, and the road of a group without traps.

use std::time::Duration;

use broker_logic::groups::GroupConfig;

use crate::script::{check, check_with, prompt};

#[test]
fn two_members_share_what_the_leader_assigns() {
    check(
        "> 1 join A offers=range:a
         < 1 joined 1 range led by A-1 A-1:a
         > 2 sync A-1 1 gives=A-1:all
         < 2 given 'all'
         > 3 join B offers=range:b
         > 4 beat A-1 1
         < 4 RebalanceInProgress
         > 5 join A id=A-1 offers=range:a
         < 5 joined 2 range led by A-1 A-1:a B-3:b
         < 3 joined 2 range led by A-1
         > 6 sync B-3 2
         > 7 sync A-1 2 gives=A-1:left,B-3:right
         < 7 given 'left'
         < 6 given 'right'
         > 8 beat A-1 2
         < 8 ok
         > 9 leave B-3
         < 9 B-3:ok
         > 10 beat A-1 2
         < 10 RebalanceInProgress",
    );
}

#[test]
fn trap_15_first_join_is_sent_back_for_its_id() {
    check(
        "> 1 join A v=4
         < 1 MemberIdRequired A-1
         > 2 join A id=A-1 v=4
         < 2 joined 1 range led by A-1 A-1:
         > 3 join A id=A-9 v=4
         < 3 UnknownMember",
    );
}

#[test]
fn trap_15_a_pending_member_that_never_comes_back_expires() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1 gives=A-1:x
         < 2 given 'x'
         > 3 join B v=4
         < 3 MemberIdRequired B-3
         > 4 join C
         > wait 5000
         > 5 join A id=A-1
         > wait 4999
         > wait 1
         < 5 joined 2 range led by A-1 A-1: C-4:
         < 4 joined 2 range led by A-1
         > 6 join B id=B-3 v=4
         < 6 UnknownMember",
    );
}

#[test]
fn trap_15_an_id_that_was_given_leaves_no_group_behind() {
    check(
        "> 1 join A v=4 session=6000
         < 1 MemberIdRequired A-1
         > wait 6000
         > 2 delete
         < 2 GroupIdNotFound",
    );
}

#[test]
fn a_member_that_does_not_rejoin_in_time_is_out() {
    check(
        "> 1 join A rebalance=7000 session=30000
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1 gives=A-1:x
         < 2 given 'x'
         > 3 join B rebalance=5000
         > wait 6999
         > wait 1
         < 3 joined 2 range led by B-3 B-3:
         > 4 beat A-1 1
         < 4 UnknownMember",
    );
}

#[test]
fn a_member_without_heartbeats_is_out() {
    check(
        "> 1 join A session=6000
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1
         < 2 given ''
         > wait 5999
         > 3 beat A-1 1
         < 3 ok
         > wait 5999
         > 4 beat A-1 1
         < 4 ok
         > wait 6000
         > 5 beat A-1 1
         < 5 UnknownMember",
    );
}

#[test]
fn a_member_that_joined_and_never_syncs_is_out() {
    check(
        "> 1 join A rebalance=8000 session=60000
         < 1 joined 1 range led by A-1 A-1:
         > wait 7999
         > 2 beat A-1 1
         < 2 ok
         > wait 1
         > 3 beat A-1 1
         < 3 UnknownMember",
    );
}

#[test]
fn syncs_wait_for_the_leader_and_hear_when_it_dies() {
    check(
        "> 1 join A session=6000
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1
         < 2 given ''
         > 3 join B
         > 4 join A id=A-1 session=6000
         < 4 joined 2 range led by A-1 A-1: B-3:
         < 3 joined 2 range led by A-1
         > 5 sync B-3 2
         > wait 6000
         < 5 RebalanceInProgress
         > 6 join B id=B-3
         < 6 joined 3 range led by B-3 B-3:",
    );
}

#[test]
fn an_empty_group_waits_for_company() {
    check_with(
        GroupConfig::default(),
        "> 1 join A
         > wait 2999
         > 2 join B
         > wait 1
         > wait 2999
         > wait 1
         < 1 joined 1 range led by A-1 A-1: B-2:
         < 2 joined 1 range led by A-1",
    );
}

#[test]
fn company_is_not_awaited_beyond_the_rebalance_timeout() {
    check_with(
        GroupConfig::default(),
        "> 1 join A rebalance=5000
         > wait 2500
         > 2 join B rebalance=5000
         > wait 2499
         > wait 1
         < 1 joined 1 range led by A-1 A-1: B-2:
         < 2 joined 1 range led by A-1",
    );
}

#[test]
fn the_protocol_is_elected_among_those_all_have() {
    check(
        "> 1 join A offers=sticky:1,range:2,rr:3
         < 1 joined 1 sticky led by A-1 A-1:1
         > 2 join B offers=rr:4,range:5
         > 3 join C offers=range:6,rr:7
         > 4 join A id=A-1 offers=sticky:1,range:2,rr:3
         < 4 joined 2 range led by A-1 A-1:2 B-2:5 C-3:6
         < 2 joined 2 range led by A-1
         < 3 joined 2 range led by A-1
         > 5 join D offers=sticky:9
         < 5 InconsistentProtocol
         > 6 join D offers=range:9 type=connect
         < 6 InconsistentProtocol",
    );
}

#[test]
fn a_group_needs_a_protocol() {
    check(
        "> 1 join A offers=
         < 1 InconsistentProtocol
         > 2 join A type=
         < 2 InconsistentProtocol",
    );
}

#[test]
fn what_a_member_offers_has_bounds() {
    let offers = |count: usize, bytes: usize| {
        let offer = |number| format!("p{number}:{}", "x".repeat(bytes));
        (0..count).map(offer).collect::<Vec<_>>().join(",")
    };
    for (offers, answer) in [
        (offers(100, 10_485), "MemberIdRequired A-1"),
        (offers(101, 1), "InvalidRequest"),
        (offers(1, (1 << 20) + 1), "InvalidRequest"),
        (offers(2, 600_000), "InvalidRequest"),
        (format!("{}:", "n".repeat(8_193)), "InvalidRequest"),
    ] {
        check(&format!("> 1 join A v=4 offers={offers}\n < 1 {answer}"));
    }
}

#[test]
fn sessions_have_bounds() {
    check(
        "> 1 join A session=5999
         < 1 InvalidSessionTimeout
         > 2 join A session=1800001
         < 2 InvalidSessionTimeout
         > 3 join A session=-1
         < 3 InvalidSessionTimeout
         > 4 join A session=6000
         < 4 joined 1 range led by A-4 A-4:",
    );
}

#[test]
fn a_full_group_refuses_and_pending_members_count() {
    check_with(
        GroupConfig { max_group_size: 2, ..prompt() },
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 join B v=4
         < 2 MemberIdRequired B-2
         > 3 join C
         < 3 GroupFull
         > 4 join B id=B-2 v=4
         > 5 join A id=A-1
         < 5 joined 2 range led by A-1 A-1: B-2:
         < 4 joined 2 range led by A-1",
    );
}

#[test]
fn group_names_are_not_free() {
    check_with(
        GroupConfig { max_groups: 0, ..prompt() },
        "> 1 join A
         < 1 GroupFull
         > 2 commit - -1 t-0=1
         < 2 t-0:GroupFull",
    );
}

#[test]
fn trap_17_who_speaks_to_what_it_is_not_part_of() {
    check(
        "> 1 beat A-1 1
         < 1 UnknownMember
         > 2 sync A-1 1
         < 2 UnknownMember
         > 3 leave A-1 B-2
         < 3 A-1:UnknownMember B-2:UnknownMember
         > 4 join A
         < 4 joined 1 range led by A-4 A-4:
         > 5 sync A-4 0
         < 5 IllegalGeneration
         > 6 beat A-4 2
         < 6 IllegalGeneration
         > 7 sync A-4 1 protocol=sticky
         < 7 InconsistentProtocol
         > 8 sync A-4 1 protocol=range gives=A-4:x
         < 8 given 'x'
         > 9 join B
         > 10 sync A-4 1
         < 10 RebalanceInProgress",
    );
}

#[test]
fn trap_17_a_member_the_leader_forgot_is_given_nothing() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1 gives=A-1:old
         < 2 given 'old'
         > 3 join A id=A-1
         < 3 joined 2 range led by A-1 A-1:
         > 4 sync A-1 2 gives=Z-9:new
         < 4 given ''
         > 5 sync A-1 2
         < 5 given ''",
    );
}

#[test]
fn a_follower_that_joins_again_unchanged_disturbs_nobody() {
    let both = "> 1 join A offers=range:a
         < 1 joined 1 range led by A-1 A-1:a
         > 2 join B offers=range:b
         > 3 join A id=A-1 offers=range:a
         < 3 joined 2 range led by A-1 A-1:a B-2:b
         < 2 joined 2 range led by A-1
         > 4 join B id=B-2 offers=range:b
         < 4 joined 2 range led by A-1
         > 5 sync A-1 2 gives=A-1:x,B-2:y
         < 5 given 'x'
         > 6 join B id=B-2 offers=range:b
         < 6 joined 2 range led by A-1
         > 7 sync B-2 2
         < 7 given 'y'\n";
    check(&format!("{both} > 8 beat A-1 2\n < 8 ok"));
    check(&format!(
        "{both} > 8 join B id=B-2 offers=range:changed\n > 9 beat A-1 2\n < 9 RebalanceInProgress"
    ));
    check(&format!("{both} > 8 join A id=A-1 offers=range:a\n > 9 beat B-2 2\n < 9 RebalanceInProgress"));
}

#[test]
fn an_assignment_is_given_out_only_from_the_disk() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > hold
         > 2 sync A-1 1 gives=A-1:x
         > 3 beat A-1 1
         < 3 ok
         > saved
         < 2 given 'x'
         > restart
         > 4 beat A-1 1
         < 4 ok
         > 5 sync A-1 1
         < 5 given 'x'",
    );
}

#[test]
fn an_assignment_that_is_not_saved_is_assigned_anew() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > hold
         > 2 sync A-1 1 gives=A-1:x
         > lost unavailable
         < 2 CoordinatorNotAvailable
         > 3 beat A-1 1
         < 3 RebalanceInProgress
         > 4 join A id=A-1
         < 4 joined 2 range led by A-1 A-1:",
    );
}

#[test]
fn an_assignment_overtaken_by_a_rebalance_is_dropped() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > hold
         > 2 sync A-1 1 gives=A-1:x
         > 3 join B
         < 2 RebalanceInProgress
         > saved
         > 4 join A id=A-1
         < 4 joined 2 range led by A-1 A-1: B-3:
         < 3 joined 2 range led by A-1",
    );
}

#[test]
fn a_request_sent_twice_is_answered_twice() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 join B
         > 3 join B id=B-2
         < 2 RebalanceInProgress
         > 4 join A id=A-1
         < 4 joined 2 range led by A-1 A-1: B-2:
         < 3 joined 2 range led by A-1
         > 5 sync B-2 2
         > 6 sync B-2 2
         < 5 RebalanceInProgress
         > 7 sync A-1 2
         < 7 given ''
         < 6 given ''",
    );
}

#[test]
fn who_waits_is_told_when_the_coordinator_moves() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 join B
         > hold
         > 3 commit A-1 1 t-0=1
         > resign
         < 2 NotCoordinator
         < 3 t-0:NotCoordinator
         > 4 beat A-1 1
         < 4 NotCoordinator",
    );
}

#[test]
fn a_dead_group_goes_quietly_after_the_retention() {
    let week = Duration::from_secs(7 * 24 * 60 * 60).as_millis();
    check(&format!(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1
         < 2 given ''
         > 3 commit A-1 1 t-0=5
         < 3 t-0:ok
         > 4 leave A-1
         < 4 A-1:ok
         > wait 86400000
         > 5 fetch t-0
         < 5 t-0=5@-1:
         > wait {week}
         > 6 fetch t-0
         < 6 t-0=-1@-1:
         > restart
         > 7 delete
         < 7 GroupIdNotFound"
    ));
}

#[test]
fn an_assignment_of_an_older_generation_is_not_given_in_the_next() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > hold
         > 2 sync A-1 1 gives=A-1:old
         > 3 join A id=A-1 offers=range:b
         < 2 RebalanceInProgress
         < 3 joined 2 range led by A-1 A-1:b
         > saved
         > look
         < CompletingRebalance  A-1:=
         > 4 sync A-1 2 gives=A-1:new
         < 4 given 'new'
         > look
         < Stable range A-1:b=new",
    );
}

#[test]
fn a_client_that_waits_in_its_first_join_is_not_trusted_for_ever() {
    check(
        "> 1 join A rebalance=1000000 session=1000000
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1
         < 2 given ''
         > 3 join B rebalance=1000000
         > wait 299999
         > wait 1
         < 3 UnknownMember",
    );
}

#[test]
fn a_coordinator_that_still_reads_says_so_and_keeps_its_members() {
    check(
        "> 1 join A offers=range:a
         < 1 joined 1 range led by A-1 A-1:a
         > 2 sync A-1 1 gives=A-1:x
         < 2 given 'x'
         > replay
         > 3 beat A-1 1
         < 3 ok
         > 4 join B
         < 4 LoadInProgress
         > 5 commit A-1 1 t-0=1
         < 5 t-0:LoadInProgress
         > 6 fetch t-0
         < 6 LoadInProgress
         > look
         < LoadInProgress
         > wait 600000
         > loaded
         > look
         < Stable range A-1:a=x
         > wait 9999
         > 7 beat A-1 1
         < 7 ok",
    );
}

#[test]
fn each_group_has_its_own_clock() {
    check(
        "> 1 join A group=one session=6000
         < 1 joined 1 range led by A-1 A-1:
         > 2 join B group=two session=9000
         < 2 joined 1 range led by B-2 B-2:
         > wait 6000
         > 3 beat A-1 1 group=one
         < 3 UnknownMember
         > 4 beat B-2 1 group=two
         < 4 ok
         > wait 9000
         > 5 beat B-2 1 group=two
         < 5 UnknownMember",
    );
}
