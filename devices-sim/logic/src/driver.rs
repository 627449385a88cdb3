//! A driver's day: when he drives, pauses and sleeps. The plan comes first and is the ground truth;
//! the truck only follows it.
//!
//! The rule is Regulation (EC) 561/2006, Art. 7: after 4:30 h of driving a break of 45 min, or of
//! 15 and then 30. Days keep to 9 h of driving and 11 h of rest (Art. 6, 8). Legal plans keep some
//! minutes off every limit, because a fix each 20 s sees a stop that much later.

use crate::rng::Rng;

const MINUTE_S: i64 = 60;
const DAY_S: i64 = 86_400;
/// Five days on and two off keep a fortnight at 90 h (Art. 6(3)). Counted from the start of the
/// simulation, so that a fleet started on a Sunday has something to show.
const WORKING_DAYS: i64 = 5;
const WEEK_DAYS: i64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// At the wheel, red lights included.
    Driving,
    Break,
    /// The check before departure: the truck stands.
    Work,
    Rest,
}

/// One thing done, in seconds after the simulation's start; `until_s` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    pub activity: Activity,
    pub from_s: i64,
    pub until_s: i64,
}

/// What a driver makes of Art. 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    Legal,
    /// Drives on past 4:30.
    SkipsBreak,
    /// Breaks for 29 to 43 min where 45 are due.
    ShortensBreak,
    /// Breaks for 30 min and then for 15.
    ReversesSplit,
}

impl Habit {
    /// The ways to offend, in the order they are dealt out.
    pub const OFFENCES: [Habit; 3] = [Habit::SkipsBreak, Habit::ShortensBreak, Habit::ReversesSplit];
}

/// A driver at a moment that only moves forward.
#[derive(Debug)]
pub struct Driver {
    habit: Habit,
    rng: Rng,
    day: i64,
    stages: Vec<Stage>,
}

impl Driver {
    pub fn new(habit: Habit, mut rng: Rng) -> Self {
        let stages = plan_of_day(habit, 0, &mut rng);
        Self { habit, rng, day: 0, stages }
    }

    pub fn habit(&self) -> Habit {
        self.habit
    }

    /// What the driver does at a second after the start. Seconds must not go backwards over midnight.
    pub fn stage_at(&mut self, second: i64) -> Stage {
        while second >= (self.day + 1) * DAY_S {
            self.day += 1;
            self.stages = plan_of_day(self.habit, self.day, &mut self.rng);
        }
        let rest =
            Stage { activity: Activity::Rest, from_s: self.day * DAY_S, until_s: (self.day + 1) * DAY_S };
        self.stages
            .iter()
            .find(|stage| (stage.from_s..stage.until_s).contains(&second))
            .copied()
            .unwrap_or(rest)
    }
}

/// The stages of a day without gaps, the last one the daily rest; a day counts from the start's hour.
pub fn plan_of_day(habit: Habit, day: i64, rng: &mut Rng) -> Vec<Stage> {
    let mut plan = Plan { at_s: day * DAY_S, stages: Vec::new(), rng };
    if day % WEEK_DAYS < WORKING_DAYS {
        // Departures are spread a little, so that not all alerts of a fleet come at once.
        plan.spend(Activity::Work, 1, 20);
        match habit {
            Habit::Legal if plan.rng.chance(0.4) => plan.split_break(),
            Habit::Legal => plan.whole_break(),
            Habit::SkipsBreak => plan.no_break(),
            Habit::ShortensBreak => plan.short_break(),
            Habit::ReversesSplit => plan.reversed_split(),
        }
    }
    plan.finish((day + 1) * DAY_S)
}

struct Plan<'a> {
    at_s: i64,
    stages: Vec<Stage>,
    rng: &'a mut Rng,
}

impl Plan<'_> {
    /// Adds a stage of some minutes between the two, to the second.
    fn spend(&mut self, activity: Activity, least_min: i64, most_min: i64) {
        let length_s = self.rng.whole(least_min * MINUTE_S, most_min * MINUTE_S);
        self.stages.push(Stage { activity, from_s: self.at_s, until_s: self.at_s + length_s });
        self.at_s += length_s;
    }

    fn whole_break(&mut self) {
        self.spend(Activity::Driving, 242, 266);
        self.spend(Activity::Break, 47, 58);
        self.spend(Activity::Driving, 210, 260);
    }

    fn split_break(&mut self) {
        self.spend(Activity::Driving, 110, 130);
        self.spend(Activity::Break, 17, 22);
        self.spend(Activity::Driving, 120, 135);
        self.spend(Activity::Break, 32, 40);
        self.spend(Activity::Driving, 210, 260);
    }

    fn no_break(&mut self) {
        self.spend(Activity::Driving, 285, 330);
        self.spend(Activity::Break, 47, 58);
        self.spend(Activity::Driving, 150, 200);
    }

    fn short_break(&mut self) {
        self.spend(Activity::Driving, 225, 245);
        self.spend(Activity::Break, 29, 43);
        self.spend(Activity::Driving, 150, 200);
    }

    fn reversed_split(&mut self) {
        self.spend(Activity::Driving, 100, 120);
        self.spend(Activity::Break, 32, 38);
        self.spend(Activity::Driving, 120, 140);
        self.spend(Activity::Break, 17, 22);
        self.spend(Activity::Driving, 150, 200);
    }

    fn finish(mut self, midnight_s: i64) -> Vec<Stage> {
        self.stages.push(Stage { activity: Activity::Rest, from_s: self.at_s, until_s: midnight_s });
        self.stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_S: i64 = 4 * 3_600 + 30 * 60;

    /// Art. 7 by the letter: the longest driving without the breaks that are due.
    fn longest_driving_s(stages: &[Stage]) -> i64 {
        let (mut driven_s, mut first_part, mut longest_s) = (0, false, 0);
        for stage in stages {
            let length_s = stage.until_s - stage.from_s;
            match stage.activity {
                Activity::Driving => driven_s += length_s,
                Activity::Break | Activity::Rest => {
                    let due_min = if first_part { 30 } else { 45 };
                    if length_s >= due_min * MINUTE_S {
                        (driven_s, first_part) = (0, false);
                    } else if length_s >= 15 * MINUTE_S && driven_s > 0 {
                        first_part = true;
                    }
                }
                Activity::Work => {}
            }
            longest_s = longest_s.max(driven_s);
        }
        longest_s
    }

    fn days(habit: Habit) -> impl Iterator<Item = Vec<Stage>> {
        (0..100).flat_map(move |seed| {
            let mut rng = Rng::stream(seed, "driver", 0);
            (0..WORKING_DAYS).map(move |day| plan_of_day(habit, day, &mut rng))
        })
    }

    #[test]
    fn legal_days_keep_article_7_and_offenders_break_it_every_day() {
        assert!(days(Habit::Legal).all(|day| longest_driving_s(&day) < LIMIT_S - 60));
        for habit in Habit::OFFENCES {
            assert!(days(habit).all(|day| longest_driving_s(&day) > LIMIT_S + 60), "{habit:?}");
        }
    }

    #[test]
    fn every_day_keeps_9_hours_of_driving_and_11_of_rest_and_has_no_gap() {
        for habit in [&[Habit::Legal], &Habit::OFFENCES[..]].concat() {
            for day in days(habit) {
                let total = |activity| {
                    day.iter().filter(|s| s.activity == activity).map(|s| s.until_s - s.from_s).sum::<i64>()
                };
                assert!(total(Activity::Driving) <= 9 * 3_600);
                assert!(total(Activity::Rest) >= 11 * 3_600);
                assert!(day.windows(2).all(|pair| pair[0].until_s == pair[1].from_s));
                assert!(day.iter().all(|stage| stage.from_s < stage.until_s));
            }
        }
    }

    #[test]
    fn drivers_sleep_at_night_and_stay_home_at_the_weekend() {
        let mut driver = Driver::new(Habit::Legal, Rng::new(1));
        assert_eq!(driver.stage_at(20 * 3_600).activity, Activity::Rest);
        assert_eq!(driver.stage_at(DAY_S + 2 * 3_600 - 1).activity, Activity::Driving);
        assert!((5 * 24..7 * 24).all(|hour| driver.stage_at(hour * 3_600).activity == Activity::Rest));
        assert_eq!(driver.stage_at(7 * DAY_S + 3_600).activity, Activity::Driving);
    }
}
