//! Static members (KIP-345): trap 16, and what an admin may do to them.

use crate::script::{check, check_with, prompt};
use broker_logic::groups::GroupConfig;

/// A stable group of static members I (leader) and J, made by tokens 1 and 2, in generation 2.
fn settled(rest: &str) -> String {
    format!(
        "> 1 join A instance=I offers=range:a
         < 1 joined 1 range led by I-1 I-1:a
         > 2 join B instance=J offers=range:b
         > 3 join A id=I-1 instance=I offers=range:a
         < 3 joined 2 range led by I-1 I-1:a J-2:b
         < 2 joined 2 range led by I-1
         > 4 sync I-1 2 instance=I gives=I-1:x,J-2:y
         < 4 given 'x'
         > 5 sync J-2 2 instance=J
         < 5 given 'y'
         {rest}"
    )
}

#[test]
fn trap_16_a_restarted_member_takes_its_seat_without_a_rebalance() {
    check(&settled(
        "> 6 join B instance=J offers=range:b
         < 6 joined 2 range led by I-1
         > 7 sync J-6 2 instance=J
         < 7 given 'y'
         > 8 beat I-1 2 instance=I
         < 8 ok
         > restart
         > 9 beat J-6 2 instance=J
         < 9 ok",
    ));
}

#[test]
fn trap_16_the_older_process_is_fenced() {
    check(&settled(
        "> 6 join B instance=J offers=range:b
         < 6 joined 2 range led by I-1
         > 7 beat J-2 2 instance=J
         < 7 FencedInstance
         > 8 sync J-2 2 instance=J
         < 8 FencedInstance
         > 9 commit J-2 2 t-0=1 instance=J
         < 9 t-0:FencedInstance
         > 10 join B id=J-2 instance=J offers=range:b
         < 10 FencedInstance
         > 11 leave J-2@J
         < 11 J-2:FencedInstance
         > 12 beat J-2 2
         < 12 UnknownMember",
    ));
}

#[test]
fn trap_16_a_changed_subscription_rebalances() {
    check(&settled(
        "> 6 join B instance=J offers=range:changed
         > 7 beat I-1 2 instance=I
         < 7 RebalanceInProgress
         > 8 join A id=I-1 instance=I offers=range:a
         < 8 joined 3 range led by I-1 I-1:a J-6:changed
         < 6 joined 3 range led by I-1",
    ));
}

#[test]
fn trap_16_all_properties_of_the_member_are_updated() {
    check(&settled(
        "> 6 join B instance=J offers=range:b session=60000
         < 6 joined 2 range led by I-1
         > wait 9999
         > 7 beat I-1 2 instance=I
         < 7 ok
         > wait 9999
         > 8 beat I-1 2 instance=I
         < 8 ok
         > 9 beat J-6 2 instance=J
         < 9 ok",
    ));
}

#[test]
fn a_restarted_leader_is_told_to_assign_nothing() {
    check(&settled(
        "> 6 join A instance=I offers=range:a v=9
         < 6 joined 2 range led by I-6 I-6:a J-2:b skip
         > 7 sync I-6 2 instance=I
         < 7 given 'x'",
    ));
}

#[test]
fn a_restarted_leader_of_an_older_kind_does_not_know_it_leads() {
    check(&settled(
        "> 6 join A instance=I offers=range:a
         < 6 joined 2 range led by I-1
         > 7 sync I-6 2 instance=I
         < 7 given 'x'",
    ));
}

#[test]
fn a_seat_whose_records_are_lost_is_not_taken() {
    check(&settled(
        "> hold
         > 6 join B instance=J offers=range:b
         > lost unavailable
         < 6 CoordinatorNotAvailable
         > 7 join B instance=J offers=range:b
         < 7 joined 2 range led by I-1",
    ));
}

#[test]
fn the_older_process_hears_it_in_its_open_join() {
    check(&settled(
        "> 6 join C offers=range:c
         > 7 join B id=J-2 instance=J offers=range:b
         > 8 join B instance=J offers=range:b
         < 7 FencedInstance
         > 9 join A id=I-1 instance=I offers=range:a
         < 6 joined 3 range led by I-1
         < 9 joined 3 range led by I-1 C-6:c I-1:a J-8:b
         < 8 joined 3 range led by I-1",
    ));
}

#[test]
fn an_absent_static_member_keeps_its_seat_through_a_rebalance() {
    check(
        "> 1 join A instance=I session=100000 rebalance=8000
         < 1 joined 1 range led by I-1 I-1:
         > 2 sync I-1 1 instance=I
         < 2 given ''
         > 3 join B rebalance=8000
         > wait 8000
         < 3 joined 2 range led by B-3 B-3: I-1:
         > 4 beat I-1 1 instance=I
         < 4 IllegalGeneration",
    );
}

#[test]
fn an_admin_removes_static_members_by_instance() {
    check(&settled(
        "> 6 leave @J @K
         < 6 -:ok -:UnknownMember
         > 7 beat J-2 2 instance=J
         < 7 UnknownMember
         > 8 beat I-1 2 instance=I
         < 8 RebalanceInProgress",
    ));
}

#[test]
fn a_full_group_lets_its_own_back_in() {
    check_with(
        GroupConfig { max_group_size: 2, ..prompt() },
        &settled(
            "> 6 join B instance=J offers=range:b
             < 6 joined 2 range led by I-1
             > 7 join C instance=K offers=range:c
             < 7 GroupFull",
        ),
    );
}
