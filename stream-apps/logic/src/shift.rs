//! A driver's shift as the positions tell it: fixes, motion, activities, alerts. One machine for a
//! file that is read at once and for a stream.

use fleet_events::VehicleId;

use crate::driver_break::{Activity, BreakClock, BreakEvent, BreakRules, Crossing, Summary, summarise};
use crate::event_time::{Cleaner, Placed, validate};
use crate::geo::Position;
use crate::motion::{Class, End, Motion, MotionRules, Place, Run};
use crate::timeline::Machine;

#[derive(Clone, Debug, PartialEq)]
pub struct ShiftRules {
    /// A faster fix is an outlier: 162 km/h.
    pub v_max_mps: f64,
    pub motion: MotionRules,
    /// Positions cannot tell rest from loading. A break by default; a strict fleet says work, and
    /// then only the driver's own word is a break.
    pub stop_is: Activity,
    pub breaks: BreakRules,
}

impl Default for ShiftRules {
    fn default() -> ShiftRules {
        ShiftRules {
            v_max_mps: 45.0,
            motion: MotionRules::default(),
            stop_is: Activity::Break,
            breaks: BreakRules::default(),
        }
    }
}

impl ShiftRules {
    fn activity(&self, class: Class) -> Activity {
        match class {
            Class::Moving => Activity::Driving,
            Class::Still => self.stop_is,
            Class::Ferry => Activity::Break,
            Class::Unknown => Activity::Unknown,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DriverFix {
    pub t_ms: i64,
    pub at: Position,
    pub vehicle: VehicleId,
}

impl Placed for DriverFix {
    fn t_ms(&self) -> i64 {
        self.t_ms
    }

    fn position(&self) -> Position {
        self.at
    }

    fn same_vehicle(&self, other: &DriverFix) -> bool {
        self.vehicle == other.vehicle
    }
}

/// A crossing, and the fix with which no later fix could undo it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub by_ms: i64,
    pub crossing: Crossing,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shift {
    cleaner: Cleaner<DriverFix>,
    motion: Motion,
    clock: BreakClock,
}

impl Machine for Shift {
    type Rules = ShiftRules;
    type Fix = DriverFix;
    type Output = Settled;

    fn step(&mut self, rules: &ShiftRules, fix: &DriverFix, out: &mut Vec<Settled>) {
        let Shift { cleaner, motion, clock } = self;
        cleaner.push(fix, rules.v_max_mps, &mut |fix, link| {
            let place = Place { t_ms: fix.t_ms, at: fix.at };
            motion.push(&rules.motion, &fix.vehicle, place, link, &mut |run| {
                pass(rules, clock, run, &mut |event| {
                    if let BreakEvent::Crossing(crossing) = event {
                        // Stamped below, with the fix that was read, not the one accepted.
                        out.push(Settled { by_ms: i64::MIN, crossing });
                    }
                });
            });
        });
        for settled in out.iter_mut().rev().take_while(|settled| settled.by_ms == i64::MIN) {
            settled.by_ms = fix.t_ms;
        }
    }
}

fn pass(rules: &ShiftRules, clock: &mut BreakClock, run: Run, on: &mut impl FnMut(BreakEvent)) {
    clock.pass(&rules.breaks, rules.activity(run.class), run.from.t_ms, run.to.t_ms, on);
}

impl Shift {
    /// What would be alerted beyond all that is settled, as things stand.
    pub fn outlook(&self, rules: &ShiftRules, out: &mut Vec<Crossing>) {
        self.clone().finish(rules, End::Open, &mut |_| (), &mut |event| {
            if let BreakEvent::Crossing(crossing) = event {
                out.push(crossing);
            }
        });
    }

    /// Hands on what is held back, and gives the clock at the end.
    fn finish(
        self,
        rules: &ShiftRules,
        end: End,
        on_run: &mut impl FnMut(Run),
        on_event: &mut impl FnMut(BreakEvent),
    ) -> BreakClock {
        let Shift { mut cleaner, mut motion, mut clock } = self;
        let mut run_ends = |run: Run| {
            on_run(run);
            pass(rules, &mut clock, run, on_event);
        };
        cleaner.end_run(rules.v_max_mps, &mut |fix, link| {
            let place = Place { t_ms: fix.t_ms, at: fix.at };
            motion.push(&rules.motion, &fix.vehicle, place, link, &mut run_ends);
        });
        motion.finish(&rules.motion, end, &mut run_ends);
        clock
    }
}

/// All that the fixes of one vehicle say when there are no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Accounting {
    pub crossings: Vec<Crossing>,
    pub summary: Summary,
    /// `(start_ms, end_ms, activity)`, neighbours joined.
    pub activities: Vec<(i64, i64, Activity)>,
    pub invalid: usize,
    pub duplicate: usize,
}

/// Reads a file: `(vehicle, t_ms, lat, lon)` in any order, never compared with a clock.
pub fn account_for(rules: &ShiftRules, fixes: &[(VehicleId, i64, f64, f64)]) -> Accounting {
    let mut invalid = 0;
    let mut believed: Vec<DriverFix> = Vec::new();
    for (vehicle, t_ms, lat, lon) in fixes {
        match validate(*t_ms, *lat, *lon, None) {
            Ok(at) => believed.push(DriverFix { t_ms: *t_ms, at, vehicle: vehicle.clone() }),
            Err(_) => invalid += 1,
        }
    }
    // Stable, so that the first of equals stays the first.
    believed.sort_by_key(|fix| fix.t_ms);
    let all = believed.len();
    believed.dedup_by_key(|fix| fix.t_ms);

    let mut events = Vec::new();
    let mut runs = Vec::new();
    let mut shift = Shift::default();
    for fix in &believed {
        let Shift { cleaner, motion, clock } = &mut shift;
        cleaner.push(fix, rules.v_max_mps, &mut |fix, link| {
            let place = Place { t_ms: fix.t_ms, at: fix.at };
            motion.push(&rules.motion, &fix.vehicle, place, link, &mut |run| {
                runs.push(run);
                pass(rules, clock, run, &mut |event| events.push(event));
            });
        });
    }
    let clock = shift.finish(rules, End::Closed, &mut |run| runs.push(run), &mut |event| events.push(event));

    let mut activities: Vec<(i64, i64, Activity)> = Vec::new();
    for run in runs {
        let activity = rules.activity(run.class);
        match activities.last_mut() {
            Some(last) if last.2 == activity && last.1 == run.from.t_ms => last.1 = run.to.t_ms,
            _ => activities.push((run.from.t_ms, run.to.t_ms, activity)),
        }
    }
    let (crossings, summary) = summarise(&clock, events);
    Accounting { crossings, summary, activities, invalid, duplicate: all - believed.len() }
}
