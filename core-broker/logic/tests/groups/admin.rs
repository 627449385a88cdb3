//! Groups as an admin sees them, and coordinators that are not well.

use crate::script::check;

#[test]
fn a_group_is_listed_and_described_in_each_of_its_states() {
    check(
        "> list
         > look
         < Dead
         > 1 join A v=4
         < 1 MemberIdRequired A-1
         > list
         < g Empty
         > 2 join A id=A-1 offers=range:a
         < 2 joined 1 range led by A-1 A-1:a
         > look
         < CompletingRebalance  A-1:=
         > list
         < g CompletingRebalance consumer
         > 3 sync A-1 1 gives=A-1:x
         < 3 given 'x'
         > look
         < Stable range A-1:a=x
         > 4 join B offers=range:b
         > look
         < PreparingRebalance  A-1:=x B-4:=
         > 5 join A id=A-1 offers=range:a
         < 5 joined 2 range led by A-1 A-1:a B-4:b
         < 4 joined 2 range led by A-1
         > look
         < CompletingRebalance  A-1:=x B-4:=
         > 6 join A id=A-1 offers=range:changed
         > look
         < PreparingRebalance  A-1:= B-4:=
         > 7 leave B-4
         < 7 B-4:ok
         < 6 joined 3 range led by A-1 A-1:changed
         > 8 leave A-1
         < 8 A-1:ok
         > look
         < Empty
         > list
         < g Empty consumer",
    );
}

#[test]
fn groups_are_listed_in_the_order_of_their_names() {
    check(
        "> 1 commit - -1 t-0=1 group=b
         < 1 t-0:ok
         > 2 join A group=a
         < 2 joined 1 range led by A-2 A-2:
         > 3 join A group=c v=4
         < 3 MemberIdRequired A-3
         > list
         < a CompletingRebalance consumer
         < b Empty
         < c Empty",
    );
}

#[test]
fn a_partition_that_cannot_be_read_is_not_waited_for() {
    check(
        "> 1 commit - -1 t-0=1
         < 1 t-0:ok
         > replay
         > unreadable
         > 2 join A
         < 2 CoordinatorNotAvailable
         > 3 fetch t-0
         < 3 CoordinatorNotAvailable
         > 4 beat A-1 1
         < 4 CoordinatorNotAvailable
         > list
         < CoordinatorNotAvailable
         > look
         < CoordinatorNotAvailable
         > replay
         > loaded
         > 5 fetch t-0
         < 5 t-0=1@-1:",
    );
}

#[test]
fn a_coordinator_that_goes_answers_everyone() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 join B
         > 3 join A id=A-1
         < 3 joined 2 range led by A-1 A-1: B-2:
         < 2 joined 2 range led by A-1
         > 4 sync B-2 2
         > 5 join C v=4
         < 5 MemberIdRequired C-5
         > hold
         > 6 sync A-1 2 gives=A-1:x
         > 7 delete group=other
         < 7 GroupIdNotFound
         > resign
         < 6 NotCoordinator
         < 4 NotCoordinator
         > 8 join D
         < 8 NotCoordinator
         > list
         < NotCoordinator",
    );
}

#[test]
fn members_beyond_a_lowered_maximum_are_out() {
    check(
        "> 1 join A instance=I
         < 1 joined 1 range led by I-1 I-1:
         > 2 join B
         > 3 join A id=I-1 instance=I
         < 2 joined 2 range led by I-1
         < 3 joined 2 range led by I-1 B-2: I-1:
         > 4 join C
         > 5 join B id=B-2
         > 6 join A id=I-1 instance=I
         < 5 joined 3 range led by I-1
         < 4 joined 3 range led by I-1
         < 6 joined 3 range led by I-1 B-2: C-4: I-1:
         > 7 sync I-1 3 instance=I gives=I-1:x,B-2:y,C-4:z
         < 7 given 'x'
         > at-most 2
         > restart
         > 8 beat B-2 3
         < 8 RebalanceInProgress
         > 9 join C id=C-4
         > 10 join A id=I-1 instance=I
         > 11 join B id=B-2
         < 11 GroupFull
         < 9 joined 4 range led by I-1
         < 10 joined 4 range led by I-1 C-4: I-1:
         > 12 join D
         < 12 GroupFull",
    );
}
