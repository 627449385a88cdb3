//! Committed offsets: traps 11 and 17.

use broker_logic::groups::GroupConfig;

use crate::script::{check, check_with, prompt};

const STABLE: &str = "
    > 1 join A
    < 1 joined 1 range led by A-1 A-1:
    > 2 sync A-1 1 gives=A-1:x
    < 2 given 'x'
";

// A consumer's subscription: version 0, one topic named "t".
const SUBSCRIBED_TO_T: &str = "\0\0\0\0\0\u{1}\0\u{1}t";

const CONSUMING_T: &str = "
    > 1 join A offers=range:\0\0\0\0\0\u{1}\0\u{1}t
    < 1 joined 1 range led by A-1 A-1:\0\0\0\0\0\u{1}\0\u{1}t
    > 2 sync A-1 1
    < 2 given ''
";

#[test]
fn trap_11_epoch_and_metadata_come_back() {
    check(
        "> 1 commit - -1 t-0=5@3:note t-1=0
         < 1 t-0:ok t-1:ok
         > 2 fetch t-1 t-0 t-2
         < 2 t-1=0@-1: t-0=5@3:note t-2=-1@-1:
         > restart
         > 3 fetch all
         < 3 t-0=5@3:note t-1=0@-1:",
    );
}

#[test]
fn an_unknown_group_has_committed_nothing() {
    check(
        "> 1 fetch t-0
         < 1 t-0=-1@-1:
         > 2 fetch all
         < 2",
    );
}

#[test]
fn a_commit_counts_only_from_the_disk() {
    check(
        "> hold
         > 1 commit - -1 t-0=5
         > 2 fetch t-0
         < 2 t-0=-1@-1:
         > saved
         < 1 t-0:ok
         > 3 fetch t-0
         < 3 t-0=5@-1:",
    );
}

#[test]
fn commits_take_effect_in_the_order_of_the_log_not_of_the_reports() {
    check(
        "> hold
         > 1 commit - -1 t-0=5
         > 2 commit - -1 t-0=6
         > saved-last
         > 3 fetch t-0
         < 3 t-0=-1@-1:
         > lost unavailable
         < 1 t-0:CoordinatorNotAvailable
         < 2 t-0:ok
         > 4 fetch t-0
         < 4 t-0=6@-1:",
    );
}

#[test]
fn metadata_is_measured_as_java_measures_it() {
    check_with(
        GroupConfig { offset_metadata_max_bytes: 4, ..prompt() },
        "> 1 commit - -1 t-0=5:\u{e9}\u{e9}\u{e9}\u{e9} t-1=6:\u{1f69a}\u{1f69a}a
         < 1 t-0:ok t-1:OffsetMetadataTooLarge",
    );
}

#[test]
fn a_commit_that_is_lost_is_refused_and_forgotten() {
    for (reason, error) in [
        ("unavailable", "CoordinatorNotAvailable"),
        ("not-leader", "NotCoordinator"),
        ("too-large", "CommitTooLarge"),
    ] {
        check(&format!(
            "> hold
             > 1 commit - -1 t-0=5
             > lost {reason}
             < 1 t-0:{error}
             > 2 fetch t-0
             < 2 t-0=-1@-1:"
        ));
    }
}

#[test]
fn trap_17_a_stale_generation_is_illegal_not_rebalancing() {
    check(&format!(
        "{STABLE}
         > 3 commit A-1 1 t-0=5
         < 3 t-0:ok
         > 4 commit A-1 0 t-0=6
         < 4 t-0:IllegalGeneration
         > 5 commit B-9 1 t-0=6
         < 5 t-0:UnknownMember
         > 6 commit - -1 t-0=6
         < 6 t-0:UnknownMember
         > 7 fetch t-0
         < 7 t-0=5@-1:"
    ));
}

#[test]
fn trap_17_a_commit_waits_for_the_assignment() {
    check(
        "> 1 join A
         < 1 joined 1 range led by A-1 A-1:
         > 2 commit A-1 1 t-0=5
         < 2 t-0:RebalanceInProgress
         > 3 commit A-1 0 t-0=5
         < 3 t-0:IllegalGeneration",
    );
}

#[test]
fn a_member_may_commit_before_it_rejoins() {
    check(&format!(
        "{STABLE}
         > 3 join B
         > 4 commit A-1 1 t-0=5
         < 4 t-0:ok
         > 5 join A id=A-1
         < 5 joined 2 range led by A-1 A-1: B-3:
         < 3 joined 2 range led by A-1"
    ));
}

#[test]
fn a_generation_without_a_group_is_illegal() {
    check(
        "> 1 commit A-1 3 t-0=5
         < 1 t-0:IllegalGeneration",
    );
}

#[test]
fn a_commit_is_a_sign_of_life() {
    check(&format!(
        "{STABLE}
         > wait 9999
         > 3 commit A-1 1 t-0=5
         < 3 t-0:ok
         > wait 9999
         > 4 beat A-1 1
         < 4 ok"
    ));
}

#[test]
fn long_metadata_is_refused_for_its_partition_alone() {
    check_with(
        GroupConfig { offset_metadata_max_bytes: 4, ..prompt() },
        "> 1 commit - -1 t-0=5:four t-1=6:fiver
         < 1 t-0:ok t-1:OffsetMetadataTooLarge
         > 2 fetch all
         < 2 t-0=5@-1:four",
    );
}

#[test]
fn a_group_with_members_is_not_deleted() {
    check(&format!(
        "{STABLE}
         > 3 commit A-1 1 t-0=5
         < 3 t-0:ok
         > 4 delete
         < 4 NonEmptyGroup
         > 5 leave A-1
         < 5 A-1:ok
         > 6 delete
         < 6 ok
         > 7 fetch t-0
         < 7 t-0=-1@-1:
         > restart
         > 8 delete
         < 8 GroupIdNotFound"
    ));
}

#[test]
fn a_commit_that_follows_a_deletion_stays() {
    check(
        "> 1 commit - -1 t-0=5
         < 1 t-0:ok
         > hold
         > 2 delete
         > 3 commit - -1 t-1=6
         > saved
         < 2 ok
         < 3 t-1:ok
         > 4 fetch all
         < 4 t-1=6@-1:
         > restart
         > 5 fetch all
         < 5 t-1=6@-1:",
    );
}

#[test]
fn offsets_of_subscribed_topics_are_not_forgotten() {
    check(&format!(
        "{CONSUMING_T}
         > 3 commit A-1 1 t-0=1 u-0=2
         < 3 t-0:ok u-0:ok
         > 4 forget t-0 u-0 u-1
         < 4 t-0:SubscribedToTopic u-0:ok u-1:ok
         > 5 fetch all
         < 5 t-0=1@-1:
         > 6 leave A-1
         < 6 A-1:ok
         > 7 forget t-0
         < 7 t-0:ok
         > 8 fetch all
         < 8"
    ));
    check(
        "> 1 forget t-0
         < 1 GroupIdNotFound",
    );
}

#[test]
fn members_who_do_not_say_what_they_read_keep_everything() {
    // Consumers, but in bytes that nobody can read.
    check(&format!(
        "{STABLE}
         > 3 forget t-0
         < 3 t-0:SubscribedToTopic"
    ));
    // No generation has begun: what it will be about is not known.
    check_with(
        GroupConfig::default(),
        &format!(
            "> 1 join A offers=range:{SUBSCRIBED_TO_T}
             > 2 forget u-0
             < 2 u-0:SubscribedToTopic"
        ),
    );
    // Another kind of member: only an empty group is ours to look into.
    check(
        "> 1 join A type=connect
         < 1 joined 1 range led by A-1 A-1:
         > 2 forget t-0
         < 2 NonEmptyGroup
         > 3 leave A-1
         < 3 A-1:ok
         > 4 forget t-0
         < 4 t-0:ok",
    );
}

#[test]
fn a_deletion_takes_what_is_still_on_its_way_to_the_disk() {
    check(
        "> 1 commit - -1 t-0=5
         < 1 t-0:ok
         > hold
         > 2 commit - -1 t-1=6
         > 3 delete
         > saved
         < 2 t-1:ok
         < 3 ok
         > restart
         > 4 fetch all
         < 4
         > 5 delete
         < 5 GroupIdNotFound",
    );
}

#[test]
fn a_topic_that_is_deleted_takes_its_offsets_along() {
    check(&format!(
        "{CONSUMING_T}
         > 3 commit A-1 1 t-0=1 u-0=2
         < 3 t-0:ok u-0:ok
         > 4 commit - -1 t-1=3 group=simple
         < 4 t-1:ok
         > hold
         > 5 commit A-1 1 t-7=4
         > gone t
         > saved
         < 5 t-7:ok
         > 6 fetch all
         < 6 u-0=2@-1:
         > 7 fetch all group=simple
         < 7
         > list
         < g Stable consumer
         > restart
         > 8 fetch all
         < 8 u-0=2@-1:"
    ));
}

#[test]
fn a_topic_that_is_deleted_while_offsets_are_read_takes_its_offsets_along() {
    for loading in ["", "> unreadable\n > again"] {
        check(&format!(
            "> 1 commit - -1 t-0=5 u-0=6
             < 1 t-0:ok u-0:ok
             > replay
             > gone t
             {loading}
             > hold
             > loaded
             > 2 fetch all
             < 2 u-0=6@-1:
             > saved
             > restart
             > 3 fetch all
             < 3 u-0=6@-1:"
        ));
    }
    check(
        "> 1 commit - -1 t-0=5
         < 1 t-0:ok
         > replay
         > unreadable
         > gone t
         > again
         > loaded
         > 2 fetch all
         < 2",
    );
}

#[test]
fn a_topic_that_is_deleted_takes_a_first_commit_along_that_is_under_way() {
    check(
        "> hold
         > 1 commit - -1 t-0=5
         > gone t
         > saved
         < 1 t-0:ok
         > 2 fetch all
         < 2
         > restart
         > 3 fetch all
         < 3",
    );
}

const TOMBSTONES_REFUSED: &str = "> 1 commit - -1 t-0=5
     < 1 t-0:ok
     > hold
     > gone t
     > 2 fetch all
     < 2
     > lost unavailable
     > 3 fetch all
     < 3";

#[test]
fn tombstones_that_a_full_disk_refused_are_written_when_there_is_room() {
    check(&format!(
        "{TOMBSTONES_REFUSED}
         > hold
         > wait 1000
         > lost unavailable
         > hold
         > wait 1999
         > saved
         > restart
         > 4 fetch all
         < 4 t-0=5@-1:"
    ));
    check(&format!(
        "{TOMBSTONES_REFUSED}
         > hold
         > wait 1000
         > lost unavailable
         > wait 2000
         > restart
         > 4 fetch all
         < 4"
    ));
}

#[test]
fn tombstones_that_were_refused_do_not_take_what_was_committed_since() {
    check(&format!(
        "{TOMBSTONES_REFUSED}
         > 4 commit - -1 t-0=1
         < 4 t-0:ok
         > wait 60000
         > restart
         > 5 fetch all
         < 5 t-0=1@-1:"
    ));
    // Under way when they are due.
    for (fate, answer, left) in
        [("saved", "ok", " t-0=1@-1:"), ("lost unavailable", "CoordinatorNotAvailable", "")]
    {
        check(&format!(
            "{TOMBSTONES_REFUSED}
             > hold
             > 4 commit - -1 t-0=1
             > wait 1500
             > {fate}
             < 4 t-0:{answer}
             > wait 60000
             > restart
             > 5 fetch all
             < 5{left}"
        ));
    }
}
