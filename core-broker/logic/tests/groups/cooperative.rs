//! Cooperative assignment (KIP-429) as the broker sees it: members keep what they have through a
//! rebalance, and the one that gave something up joins again at once with other bytes.

use crate::script::check;

#[test]
fn a_partition_moves_in_two_rebalances_and_nobody_stops() {
    check(
        "> 1 join A offers=coop:owns-nothing
         < 1 joined 1 coop led by A-1 A-1:owns-nothing
         > 2 sync A-1 1 gives=A-1:0+1
         < 2 given '0+1'
         > 3 join B offers=coop:owns-nothing
         > 4 beat A-1 1
         < 4 RebalanceInProgress
         > 5 commit A-1 1 t-0=7
         < 5 t-0:ok
         > 6 join A id=A-1 offers=coop:owns-0+1
         < 6 joined 2 coop led by A-1 A-1:owns-0+1 B-3:owns-nothing
         < 3 joined 2 coop led by A-1
         > 7 sync B-3 2
         > 8 sync A-1 2 gives=A-1:0
         < 8 given '0'
         < 7 given ''
         > 9 join A id=A-1 offers=coop:owns-0
         > 10 beat B-3 2
         < 10 RebalanceInProgress
         > 11 join B id=B-3 offers=coop:owns-nothing
         < 9 joined 3 coop led by A-1 A-1:owns-0 B-3:owns-nothing
         < 11 joined 3 coop led by A-1
         > 12 sync A-1 3 gives=A-1:0,B-3:1
         < 12 given '0'
         > 13 sync B-3 3
         < 13 given '1'",
    );
}

#[test]
fn a_follower_that_gave_something_up_begins_the_second_rebalance() {
    check(
        "> 1 join A offers=coop:a
         < 1 joined 1 coop led by A-1 A-1:a
         > 2 join B offers=coop:owns-1
         > 3 join A id=A-1 offers=coop:a
         < 3 joined 2 coop led by A-1 A-1:a B-2:owns-1
         < 2 joined 2 coop led by A-1
         > 4 sync A-1 2 gives=A-1:0
         < 4 given '0'
         > 5 sync B-2 2
         < 5 given ''
         > 6 join B id=B-2 offers=coop:owns-nothing
         > 7 beat A-1 2
         < 7 RebalanceInProgress
         > 8 sync A-1 2
         < 8 RebalanceInProgress",
    );
}

#[test]
fn a_group_moves_to_cooperative_assignment_one_member_at_a_time() {
    check(
        "> 1 join A offers=range:a
         < 1 joined 1 range led by A-1 A-1:a
         > 2 join B offers=coop:b,range:b
         > 3 join A id=A-1 offers=range:a
         < 3 joined 2 range led by A-1 A-1:a B-2:b
         < 2 joined 2 range led by A-1
         > 4 leave A-1
         < 4 A-1:ok
         > 5 join A offers=coop:a,range:a
         > 6 join B id=B-2 offers=coop:b,range:b
         < 5 joined 3 coop led by B-2
         < 6 joined 3 coop led by B-2 A-5:a B-2:b",
    );
}
