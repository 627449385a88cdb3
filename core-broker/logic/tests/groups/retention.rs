//! How long offsets are kept (KIP-211).

use std::time::Duration;

use broker_logic::groups::GroupConfig;

use crate::script::{check_with, prompt};

/// Looked for every second, kept for ten.
fn ten_seconds() -> GroupConfig {
    let seconds = Duration::from_secs;
    GroupConfig { offsets_retention: seconds(10), expiry_check_interval: seconds(1), ..prompt() }
}

fn check(script: &str) {
    check_with(ten_seconds(), script);
}

/// A subscription to the topic "t", and one to "t" and "u".
const T: &str = "\0\0\0\0\0\u{1}\0\u{1}t";
const T_AND_U: &str = "\0\0\0\0\0\u{2}\0\u{1}t\0\u{1}u";

#[test]
fn a_group_that_is_empty_keeps_its_offsets_for_the_retention_and_goes_with_them() {
    check(
        "> 1 join A session=6000
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1
         < 2 given ''
         > 3 commit A-1 1 t-0=5
         < 3 t-0:ok
         > wait 5999
         > wait 1
         > list
         < g Empty consumer
         > wait 9999
         > 4 fetch t-0
         < 4 t-0=5@-1:
         > wait 1001
         > 5 fetch t-0
         < 5 t-0=-1@-1:
         > list
         > restart
         > list",
    );
}

#[test]
fn offsets_of_a_group_that_never_had_members_expire_one_by_one() {
    check(
        "> 1 commit - -1 t-0=5
         < 1 t-0:ok
         > wait 5000
         > 2 commit - -1 t-1=6
         < 2 t-1:ok
         > wait 5999
         > 3 fetch all
         < 3 t-1=6@-1:
         > list
         < g Empty
         > wait 5001
         > 4 fetch all
         < 4
         > list",
    );
}

#[test]
fn a_commit_begins_the_retention_again() {
    check(
        "> 1 commit - -1 t-0=5
         < 1 t-0:ok
         > wait 9000
         > 2 commit - -1 t-0=5
         < 2 t-0:ok
         > wait 9000
         > 3 fetch all
         < 3 t-0=5@-1:",
    );
}

#[test]
fn members_keep_the_topics_they_read_and_lose_those_they_left() {
    check(&format!(
        "> 1 join A offers=range:{T_AND_U} session=60000
         < 1 joined 1 range led by A-1 A-1:{T_AND_U}
         > 2 sync A-1 1
         < 2 given ''
         > 3 commit A-1 1 t-0=1 u-0=2
         < 3 t-0:ok u-0:ok
         > wait 20000
         > 4 fetch all
         < 4 t-0=1@-1: u-0=2@-1:
         > 5 join A id=A-1 offers=range:{T} session=60000
         < 5 joined 2 range led by A-1 A-1:{T}
         > wait 2000
         > 6 fetch all
         < 6 t-0=1@-1: u-0=2@-1:
         > 7 sync A-1 2
         < 7 given ''
         > wait 1000
         > 8 fetch all
         < 8 t-0=1@-1:
         > list
         < g Stable consumer"
    ));
}

#[test]
fn where_nobody_says_what_is_read_nothing_expires() {
    check(
        "> 1 join A session=60000
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1
         < 2 given ''
         > 3 commit A-1 1 t-0=1
         < 3 t-0:ok
         > wait 30000
         > 4 fetch all
         < 4 t-0=1@-1:",
    );
    check(
        "> 1 join A session=60000 type=connect
         < 1 joined 1 range led by A-1 A-1:
         > 2 sync A-1 1
         < 2 given ''
         > 3 commit A-1 1 t-0=1
         < 3 t-0:ok
         > wait 30000
         > 4 fetch all
         < 4 t-0=1@-1:",
    );
}

#[test]
fn an_old_client_sets_a_retention_of_its_own() {
    check(
        "> 1 commit - -1 t-0=5 retention=2000
         < 1 t-0:ok
         > 2 commit - -1 t-1=6 retention=60000
         < 2 t-1:ok
         > 3 commit - -1 t-2=7 retention=0
         < 3 t-2:ok
         > wait 3000
         > 4 fetch all
         < 4 t-1=6@-1:
         > restart
         > wait 30000
         > 5 fetch all
         < 5 t-1=6@-1:
         > wait 28000
         > 6 fetch all
         < 6",
    );
}

#[test]
fn what_is_about_to_be_written_does_not_expire() {
    check(
        "> 1 commit - -1 t-0=5
         < 1 t-0:ok
         > wait 9500
         > hold
         > 2 commit - -1 t-0=6
         > wait 5000
         > saved
         < 2 t-0:ok
         > 3 fetch all
         < 3 t-0=6@-1:",
    );
}

#[test]
fn tombstones_that_are_not_written_are_written_later() {
    check(
        "> 1 commit - -1 t-0=5
         < 1 t-0:ok
         > wait 9500
         > hold
         > wait 1000
         > lost unavailable
         > 2 fetch all
         < 2 t-0=5@-1:
         > wait 1000
         > 3 fetch all
         < 3",
    );
}
