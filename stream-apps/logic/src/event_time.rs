//! What is believed of a device: which fixes are valid, and which of those in event time are
//! accepted (rules 1, 3 and 4 of the GPS-only profile; order and duplicates are the timeline's).

use crate::geo::{Position, distance_m, is_on_earth};

/// 2000-01-01T00:00:00Z. Older stamps come from devices that booted without a clock.
const EARLIEST_MS: i64 = 946_684_800_000;
/// A fix may be this far ahead of its reception.
const FUTURE_MS: i64 = 600_000;
/// Identical coordinates re-stamped for less than this are one fix.
pub const STALE_MS: i64 = 60_000;
/// So many fixes that agree with each other make a jump real.
const AGREEING: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("position out of range")]
    Position,
    /// Receivers without a fix report 0.
    #[error("latitude or longitude exactly 0")]
    Zero,
    #[error("stamped before 2000")]
    BeforeClock,
    #[error("stamped more than 10 minutes after its reception")]
    Future,
}

/// Rule 1. `received_ms` is the time of reception; a file that is read has none.
pub fn validate(t_ms: i64, lat: f64, lon: f64, received_ms: Option<i64>) -> Result<Position, Invalid> {
    if !is_on_earth(lat, lon) {
        Err(Invalid::Position)
    } else if lat == 0.0 || lon == 0.0 {
        Err(Invalid::Zero)
    } else if t_ms < EARLIEST_MS {
        Err(Invalid::BeforeClock)
    } else if received_ms.is_some_and(|received_ms| t_ms > received_ms.saturating_add(FUTURE_MS)) {
        Err(Invalid::Future)
    } else {
        Ok(Position { lat, lon })
    }
}

/// Something that was somewhere at some time.
pub trait Placed: Clone + PartialEq {
    fn t_ms(&self) -> i64;
    fn position(&self) -> Position;
    /// Whether the same journey goes on: positions of two vehicles, or of one that somebody else
    /// drove in between, imply no speed.
    fn continues(&self, before: &Self) -> bool;
}

/// Mean speed from one to the other; the fixes of a timeline never share an instant.
pub fn speed_mps<F: Placed>(from: &F, to: &F) -> f64 {
    distance_m(from.position(), to.position()) / seconds(to.t_ms() - from.t_ms())
}

pub fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// How an accepted fix follows the accepted one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    First,
    Next {
        outlier_dropped: bool,
    },
    /// Too far for the time between, yet true: no velocity bridges it.
    Jump,
    OtherJourney,
}

/// Rules 3 and 4 as a machine over fixes in event time. A few fixes of state.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleaner<F> {
    /// The run of identical positions that the latest fix belongs to: its first fix, and its latest other.
    run_first: Option<F>,
    run_last: Option<F>,
    accepted: Option<F>,
    /// Fixes too far from the accepted one, waiting for others that agree with them.
    held: Vec<F>,
    outlier_dropped: bool,
}

impl<F> Default for Cleaner<F> {
    fn default() -> Cleaner<F> {
        Cleaner { run_first: None, run_last: None, accepted: None, held: Vec::new(), outlier_dropped: false }
    }
}

impl<F: Placed> Cleaner<F> {
    pub fn push(&mut self, fix: &F, v_max_mps: f64, accept: &mut impl FnMut(F, Link)) {
        if let Some(first) = &self.run_first
            && first.position() == fix.position()
            && fix.continues(first)
        {
            self.run_last = Some(fix.clone());
            return;
        }
        self.end_run(v_max_mps, accept);
        self.run_first = Some(fix.clone());
        self.filter(fix, v_max_mps, accept);
    }

    /// Whether the latest fixes are a run of identical positions, long enough to keep its last.
    pub fn stands_long(&self) -> bool {
        match (&self.run_first, &self.run_last) {
            (Some(first), Some(last)) => last.t_ms() - first.t_ms() >= STALE_MS,
            _ => false,
        }
    }

    /// Passes on the last fix of a run of identical positions, if the run has been long enough.
    /// Held fixes stay back: nothing agreed with them.
    pub fn end_run(&mut self, v_max_mps: f64, accept: &mut impl FnMut(F, Link)) {
        let stood_long = self.stands_long();
        self.run_first = None;
        if let Some(last) = self.run_last.take()
            && stood_long
        {
            self.filter(&last, v_max_mps, accept);
        }
    }

    fn filter(&mut self, fix: &F, v_max_mps: f64, accept: &mut impl FnMut(F, Link)) {
        let Some(accepted) = &self.accepted else {
            return self.accept(fix, Link::First, accept);
        };
        if !fix.continues(accepted) {
            self.held.clear();
            return self.accept(fix, Link::OtherJourney, accept);
        }
        if speed_mps(accepted, fix) <= v_max_mps {
            let outlier_dropped = self.outlier_dropped || !self.held.is_empty();
            self.held.clear();
            return self.accept(fix, Link::Next { outlier_dropped }, accept);
        }
        if self.held.last().is_some_and(|held| speed_mps(held, fix) > v_max_mps) {
            self.held.clear();
            self.outlier_dropped = true;
        }
        self.held.push(fix.clone());
        if self.held.len() == AGREEING {
            let mut link = Link::Jump;
            for held in std::mem::take(&mut self.held) {
                self.accept(&held, link, accept);
                link = Link::Next { outlier_dropped: false };
            }
        }
    }

    fn accept(&mut self, fix: &F, link: Link, accept: &mut impl FnMut(F, Link)) {
        self.outlier_dropped = false;
        self.accepted = Some(fix.clone());
        accept(fix.clone(), link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds and metres along a meridian.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Mark(i64, f64);

    impl Placed for Mark {
        fn t_ms(&self) -> i64 {
            self.0 * 1000
        }
        fn position(&self) -> Position {
            Position { lat: 50.0 + self.1 / 111_200.0, lon: 8.0 }
        }
        fn continues(&self, _: &Mark) -> bool {
            true
        }
    }

    fn check(name: &str, fixes: &[(i64, f64)], accepted: &[(i64, char)]) {
        let mut cleaner = Cleaner::default();
        let mut got = Vec::new();
        let mut accept = |fix: Mark, link| {
            let mark = match link {
                Link::First => 'f',
                Link::Next { outlier_dropped: true } => 'd',
                Link::Next { .. } => 'n',
                Link::Jump => 'j',
                Link::OtherJourney => 'o',
            };
            got.push((fix.0, mark));
        };
        for &(t, metres) in fixes {
            cleaner.push(&Mark(t, metres), 45.0, &mut accept);
        }
        cleaner.end_run(45.0, &mut accept);
        assert_eq!(got, accepted, "{name}");
    }

    #[test]
    fn stale_and_impossible_positions_are_sorted_out() {
        let far = 90_000.0;
        check("steady driving", &[(0, 0.0), (20, 400.0)], &[(0, 'f'), (20, 'n')]);
        check("re-stamped for 40 s", &[(0, 0.0), (20, 0.0), (40, 0.0), (60, 9.0)], &[(0, 'f'), (60, 'n')]);
        check(
            "re-stamped for 60 s keeps both ends",
            &[(0, 0.0), (20, 0.0), (60, 0.0), (80, 9.0)],
            &[(0, 'f'), (60, 'n'), (80, 'n')],
        );
        check("a run at the end counts", &[(0, 0.0), (60, 0.0)], &[(0, 'f'), (60, 'n')]);
        check("one teleport", &[(0, 0.0), (20, far), (40, 400.0)], &[(0, 'f'), (40, 'd')]);
        check(
            "three that agree are a jump",
            &[(0, 0.0), (20, far), (40, far + 100.0), (60, far + 200.0), (80, far + 300.0)],
            &[(0, 'f'), (20, 'j'), (40, 'n'), (60, 'n'), (80, 'n')],
        );
        check(
            "held ones that disagree start again",
            &[(0, 0.0), (20, far), (40, -far), (60, far), (80, 500.0)],
            &[(0, 'f'), (80, 'd')],
        );
        check("held at the end is dropped", &[(0, 0.0), (20, far), (40, far + 9.0)], &[(0, 'f')]);
    }

    #[test]
    fn impossible_fixes_are_named() {
        let day = 1_772_447_380_000;
        for (t_ms, lat, lon, expected) in [
            (day, 50.0, 8.0, None),
            (day, f64::NAN, 8.0, Some(Invalid::Position)),
            (day, 50.0, 1555.0, Some(Invalid::Position)),
            (day, 0.0, 8.0, Some(Invalid::Zero)),
            (day, 50.0, -0.0, Some(Invalid::Zero)),
            (1_000, 50.0, 8.0, Some(Invalid::BeforeClock)),
            (day + 600_000, 50.0, 8.0, None),
            (day + 600_001, 50.0, 8.0, Some(Invalid::Future)),
        ] {
            assert_eq!(validate(t_ms, lat, lon, Some(day)).err(), expected, "{t_ms} {lat} {lon}");
        }
        assert!(validate(i64::MAX, 50.0, 8.0, None).is_ok(), "files are not compared with a clock");
    }
}
