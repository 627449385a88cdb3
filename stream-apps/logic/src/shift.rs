//! A driver's shift as the positions tell it: fixes, motion, activities, alerts. One machine for a
//! file that is read at once and for a stream.

use fleet_events::VehicleId;

use crate::driver_break::{Activity, BreakClock, BreakEvent, BreakRules, Crossing, Summary, summarise};
use crate::event_time::{Cleaner, Link, Placed, validate};
use crate::geo::Position;
use crate::motion::{Arrival, Class, End, Motion, MotionRules, Place, Run};
use crate::timeline::Machine;

#[derive(Clone, Debug, PartialEq)]
pub struct ShiftRules {
    /// A faster fix is an outlier: 162 km/h.
    pub v_max_mps: f64,
    pub motion: MotionRules,
    /// Positions cannot tell rest from loading. A break by default; a strict fleet says work, and
    /// then only the driver's own word is a break.
    pub stop_is: Activity,
    /// While somebody else drives the vehicle. Positions cannot tell rest at home from the seat
    /// beside the driver; `available` where crews drive together.
    pub away_is: Activity,
    pub breaks: BreakRules,
}

impl Default for ShiftRules {
    fn default() -> ShiftRules {
        ShiftRules {
            v_max_mps: 45.0,
            motion: MotionRules::default(),
            stop_is: Activity::Break,
            away_is: Activity::Break,
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
            Class::Away => self.away_is,
            Class::Unknown => Activity::Unknown,
        }
    }
}

/// Where the driver was when the vehicle was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    AtTheWheel,
    /// Somebody else was at the wheel.
    Away,
    /// At the wheel, and before it away; known once all fixes before are read.
    Back,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DriverFix {
    pub t_ms: i64,
    pub at: Position,
    pub vehicle: VehicleId,
    pub seat: Seat,
}

impl DriverFix {
    fn place(&self) -> Place {
        Place { t_ms: self.t_ms, at: self.at }
    }

    fn arrival(&self, link: Link) -> Arrival {
        match (self.seat, link) {
            (Seat::Back, _) => Arrival::BackFromAway,
            (_, Link::OtherJourney) => Arrival::InOtherVehicle,
            _ => Arrival::InThisVehicle,
        }
    }
}

impl Placed for DriverFix {
    fn t_ms(&self) -> i64 {
        self.t_ms
    }

    fn position(&self) -> Position {
        self.at
    }

    fn continues(&self, before: &DriverFix) -> bool {
        self.vehicle == before.vehicle && self.seat != Seat::Back
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
    away: bool,
}

impl Machine for Shift {
    type Rules = ShiftRules;
    type Fix = DriverFix;
    type Output = Settled;

    fn step(&mut self, rules: &ShiftRules, fix: &DriverFix, out: &mut Vec<Settled>) {
        self.read(rules, fix, &mut |_| (), &mut |event| {
            if let BreakEvent::Crossing(crossing) = event {
                out.push(Settled { by_ms: fix.t_ms, crossing });
            }
        });
    }
}

fn pass(rules: &ShiftRules, clock: &mut BreakClock, run: Run, on: &mut impl FnMut(BreakEvent)) {
    clock.pass(&rules.breaks, rules.activity(run.class), run.from.t_ms, run.to.t_ms, on);
}

impl Shift {
    fn read(
        &mut self,
        rules: &ShiftRules,
        fix: &DriverFix,
        on_run: &mut impl FnMut(Run),
        on_event: &mut impl FnMut(BreakEvent),
    ) {
        if fix.seat == Seat::Away {
            self.away = true;
            return;
        }
        let back = std::mem::take(&mut self.away);
        let fix = if back { &DriverFix { seat: Seat::Back, ..fix.clone() } } else { fix };
        let Shift { cleaner, motion, clock, .. } = self;
        cleaner.push(fix, rules.v_max_mps, &mut |fix, link| {
            motion.push(&rules.motion, &fix.vehicle, fix.place(), fix.arrival(link), &mut |run| {
                on_run(run);
                pass(rules, clock, run, on_event);
            });
        });
    }

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
        let Shift { mut cleaner, mut motion, mut clock, .. } = self;
        let mut run_ends = |run: Run| {
            on_run(run);
            pass(rules, &mut clock, run, on_event);
        };
        cleaner.end_run(rules.v_max_mps, &mut |fix, link| {
            motion.push(&rules.motion, &fix.vehicle, fix.place(), fix.arrival(link), &mut run_ends);
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
            Ok(at) => {
                let seat = Seat::AtTheWheel;
                believed.push(DriverFix { t_ms: *t_ms, at, vehicle: vehicle.clone(), seat });
            }
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
        shift.read(rules, fix, &mut |run| runs.push(run), &mut |event| events.push(event));
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
