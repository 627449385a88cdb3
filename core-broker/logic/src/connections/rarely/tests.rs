#![allow(clippy::disallowed_methods)] // only differences matter, so any instant will do

use super::*;

#[test]
fn each_cause_is_told_once_a_minute_with_how_many_there_were() {
    let begin = Instant::now();
    let mut rarely = Rarely::default();
    for (at, cause, told) in [
        (0, 'a', Some(0)),
        (1, 'a', None),
        (2, 'b', Some(0)),
        (59, 'a', None),
        (60, 'a', Some(2)),
        (61, 'b', None),
        (62, 'b', Some(1)),
        (1_000, 'a', Some(0)),
    ] {
        assert_eq!(rarely.happened(cause, begin + Duration::from_secs(at)), told, "{cause} at {at}");
    }
}
