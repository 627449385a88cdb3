//! Breaks under Regulation (EC) 561/2006 Art. 7: after four and a half hours of driving a break of
//! 45 minutes, or of 15 and then 30 spread over the period. A completed break wipes the slate clean
//! (CJEU C-116/92); time runs in UTC, so clock changes and midnights mean nothing.

use fleet_events::AlertType;
use serde::Deserialize;

pub const RULESET: &str = "eu561";
pub const LIMIT: &str = "continuous_driving";
pub const RULE_REFERENCE: &str = "Reg. (EC) 561/2006 Art. 7";

const MINUTE_MS: i64 = 60_000;
pub const LIMIT_MS: i64 = 270 * MINUTE_MS;
pub const BREAK_MS: i64 = 45 * MINUTE_MS;
const FIRST_PART_MS: i64 = 15 * MINUTE_MS;
const SECOND_PART_MS: i64 = 30 * MINUTE_MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    Driving,
    Work,
    /// Beside the driver, or waiting on call.
    Available,
    Break,
    Unknown,
}

/// Two readings that must not be mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// What an inspector enforces: only a break is a break.
    #[default]
    Law,
    /// What the driver sees on the tachograph, which counts availability and unknown time as well
    /// (2016/799 Annex IC, definitions n and p).
    Vu,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakRules {
    pub profile: Profile,
    /// 2020/1054: 45 consecutive minutes beside the driver of the moving vehicle are a break.
    pub multi_manning: bool,
    /// 2024/1258: two parts of at least 15 minutes each, 45 in all, in either order.
    pub occasional_passenger: bool,
    /// How long before the limit to warn. 15 minutes is the law for tachographs (2016/799 Annex IC,
    /// 184), 30 is the custom of products.
    pub leads_s: Vec<u32>,
}

impl Default for BreakRules {
    fn default() -> BreakRules {
        BreakRules {
            profile: Profile::Law,
            multi_manning: false,
            occasional_passenger: false,
            leads_s: vec![1800, 900],
        }
    }
}

/// A threshold, crossed at an instant that lies between two fixes as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crossing {
    pub t_ms: i64,
    pub kind: AlertType,
    /// Seconds before the limit, of a pre-alert.
    pub lead_s: Option<u32>,
    pub accumulated_ms: i64,
    /// When this driving period began.
    pub period_start_ms: i64,
    /// The first part of a split break, if it was taken in this period.
    pub first_part_ms: Option<i64>,
}

impl Crossing {
    /// What tells one alert of a subject from another.
    pub fn key(&self) -> (i64, AlertType, Option<u32>) {
        (self.period_start_ms, self.kind, self.lead_s)
    }

    /// The break that would end the period.
    pub fn required_break_ms(&self, rules: &BreakRules) -> i64 {
        match self.first_part_ms {
            None => BREAK_MS,
            Some(part_ms) if rules.occasional_passenger => {
                (BREAK_MS - part_ms).clamp(FIRST_PART_MS, SECOND_PART_MS)
            }
            Some(_) => SECOND_PART_MS,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    pub t_ms: i64,
    pub kind: &'static str,
    pub driving_ms: i64,
}

/// What happened during a stretch of activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakEvent {
    Crossing(Crossing),
    Reset(Reset),
}

/// Time off that can become a break, while nothing interrupts it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rest {
    start_ms: i64,
    end_ms: i64,
    /// Beside the driver: a break only when 45 minutes long, and only in multi-manning.
    beside_driver: bool,
}

/// The driving period so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BreakClock {
    driven_ms: i64,
    period_start_ms: i64,
    first_part_ms: Option<i64>,
    violated: bool,
    rest: Option<Rest>,
    end_ms: Option<i64>,
}

impl BreakClock {
    /// Activities come in order and do not overlap; what lies between them is unknown.
    pub fn pass(
        &mut self,
        rules: &BreakRules,
        activity: Activity,
        start_ms: i64,
        end_ms: i64,
        on: &mut impl FnMut(BreakEvent),
    ) {
        if end_ms <= start_ms {
            return;
        }
        if let Some(before_ms) = self.end_ms
            && before_ms < start_ms
        {
            self.stretch(rules, Activity::Unknown, before_ms, start_ms, on);
        }
        self.stretch(rules, activity, start_ms, end_ms, on);
        self.end_ms = Some(end_ms);
    }

    fn stretch(
        &mut self,
        rules: &BreakRules,
        activity: Activity,
        start_ms: i64,
        end_ms: i64,
        on: &mut impl FnMut(BreakEvent),
    ) {
        let vu = rules.profile == Profile::Vu;
        match activity {
            Activity::Driving => self.drive(rules, start_ms, end_ms, on),
            Activity::Work => self.end_rest(),
            Activity::Break => self.rest(rules, false, start_ms, end_ms, on),
            Activity::Available if vu => self.rest(rules, false, start_ms, end_ms, on),
            Activity::Available if rules.multi_manning => self.rest(rules, true, start_ms, end_ms, on),
            Activity::Unknown if vu => self.rest(rules, false, start_ms, end_ms, on),
            Activity::Available | Activity::Unknown => self.end_rest(),
        }
    }

    fn drive(&mut self, rules: &BreakRules, start_ms: i64, end_ms: i64, on: &mut impl FnMut(BreakEvent)) {
        self.end_rest();
        if self.driven_ms == 0 {
            self.period_start_ms = start_ms;
        }
        let before_ms = self.driven_ms;
        self.driven_ms += end_ms - start_ms;

        let leads = rules.leads_s.iter().map(|&lead_s| (AlertType::PreAlert, Some(lead_s)));
        for (kind, lead_s) in leads.chain([(AlertType::LimitReached, None)]) {
            let at_ms = LIMIT_MS - i64::from(lead_s.unwrap_or(0)) * 1000;
            // Inclusive: reaching it at the last instant of a drive counts.
            if before_ms < at_ms && at_ms <= self.driven_ms {
                on(self.crossing(kind, lead_s, start_ms + at_ms - before_ms, at_ms));
            }
        }
        if self.driven_ms > LIMIT_MS && !self.violated {
            self.violated = true;
            // The instant from which driving goes on beyond the limit.
            let t_ms = start_ms + (LIMIT_MS - before_ms).max(0);
            on(self.crossing(AlertType::Violation, None, t_ms, LIMIT_MS));
        }
    }

    fn crossing(&self, kind: AlertType, lead_s: Option<u32>, t_ms: i64, accumulated_ms: i64) -> BreakEvent {
        BreakEvent::Crossing(Crossing {
            t_ms,
            kind,
            lead_s,
            accumulated_ms,
            period_start_ms: self.period_start_ms,
            first_part_ms: self.first_part_ms,
        })
    }

    fn rest(
        &mut self,
        rules: &BreakRules,
        beside_driver: bool,
        start_ms: i64,
        end_ms: i64,
        on: &mut impl FnMut(BreakEvent),
    ) {
        let rest = match self.rest {
            Some(rest) if rest.beside_driver == beside_driver && rest.end_ms == start_ms => {
                Rest { end_ms, ..rest }
            }
            _ => {
                self.end_rest();
                Rest { start_ms, end_ms, beside_driver }
            }
        };
        self.rest = Some(rest);
        // Rest before any driving breaks nothing and is no first part: no period has begun.
        if self.driven_ms == 0 {
            return;
        }
        let (needed_ms, kind) = self.needed(rules, beside_driver);
        if rest.end_ms - rest.start_ms >= needed_ms {
            on(BreakEvent::Reset(Reset {
                t_ms: rest.start_ms + needed_ms,
                kind,
                driving_ms: self.driven_ms,
            }));
            *self = BreakClock { rest: self.rest, end_ms: self.end_ms, ..BreakClock::default() };
        }
    }

    /// The shortest rest that ends this period: a second part, where the first was taken.
    fn needed(&self, rules: &BreakRules, beside_driver: bool) -> (i64, &'static str) {
        match self.first_part_ms {
            _ if beside_driver => (BREAK_MS, "multi-manning 45"),
            None => (BREAK_MS, "45"),
            Some(part_ms) if rules.occasional_passenger && BREAK_MS - part_ms < SECOND_PART_MS => {
                ((BREAK_MS - part_ms).max(FIRST_PART_MS), "15+15 total 45")
            }
            Some(_) => (SECOND_PART_MS, "15+30"),
        }
    }

    /// Only a rest that is over can be a first part; otherwise it would be its own second.
    fn end_rest(&mut self) {
        let Some(rest) = self.rest.take() else { return };
        let length_ms = rest.end_ms - rest.start_ms;
        if self.driven_ms > 0 && !rest.beside_driver && length_ms >= FIRST_PART_MS {
            self.first_part_ms = Some(self.first_part_ms.unwrap_or(0).max(length_ms));
        }
    }

    /// Driving since the last reset.
    pub fn driven_ms(&self) -> i64 {
        self.driven_ms
    }

    pub fn remaining_ms(&self) -> i64 {
        (LIMIT_MS - self.driven_ms).max(0)
    }

    /// Counts a rest that is going on as if it ended here.
    pub fn first_part_taken(&self) -> bool {
        let mut ended = self.clone();
        ended.end_rest();
        ended.first_part_ms.is_some()
    }
}

/// A whole timeline at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub resets: Vec<Reset>,
    pub driving_since_reset_ms: i64,
    pub remaining_ms: i64,
    pub first_part_taken: bool,
    pub longest_driving_period_ms: i64,
    /// How far the longest period went beyond the limit.
    pub overrun_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("activities overlap at {at_ms} ms")]
pub struct Overlap {
    pub at_ms: i64,
}

/// Alerts and summary of activities `(start_ms, end_ms, activity)` in any order. Empty ones are
/// ignored; overlapping ones are an error.
pub fn evaluate(
    rules: &BreakRules,
    activities: &[(i64, i64, Activity)],
) -> Result<(Vec<Crossing>, Summary), Overlap> {
    let mut activities: Vec<_> = activities.iter().copied().filter(|(start, end, _)| start < end).collect();
    activities.sort_by_key(|&(start_ms, end_ms, _)| (start_ms, end_ms));
    for (before, after) in activities.iter().zip(activities.iter().skip(1)) {
        if after.0 < before.1 {
            return Err(Overlap { at_ms: after.0 });
        }
    }
    let mut events = Vec::new();
    let mut clock = BreakClock::default();
    for (start_ms, end_ms, activity) in activities {
        clock.pass(rules, activity, start_ms, end_ms, &mut |event| events.push(event));
    }
    Ok(summarise(&clock, events))
}

/// Alerts in order, and what is left of the rest.
pub fn summarise(clock: &BreakClock, events: Vec<BreakEvent>) -> (Vec<Crossing>, Summary) {
    let mut crossings = Vec::new();
    let mut resets = Vec::new();
    for event in events {
        match event {
            BreakEvent::Crossing(crossing) => crossings.push(crossing),
            BreakEvent::Reset(reset) => resets.push(reset),
        }
    }
    crossings.sort_by_key(|crossing| (crossing.t_ms, crossing.kind, crossing.accumulated_ms));
    let longest_ms = resets.iter().map(|reset| reset.driving_ms).max().unwrap_or(0).max(clock.driven_ms);
    let summary = Summary {
        driving_since_reset_ms: clock.driven_ms,
        remaining_ms: clock.remaining_ms(),
        first_part_taken: clock.first_part_taken(),
        longest_driving_period_ms: longest_ms,
        overrun_ms: (longest_ms - LIMIT_MS).max(0),
        resets,
    };
    (crossings, summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `D` drive, `B` break, `W` work, `A` available, `?` unknown: minutes each, one after another.
    fn check(rules: &BreakRules, script: &str, expected: &str) {
        let mut start = 0;
        let mut activities = Vec::new();
        for word in script.split(' ') {
            let (letter, minutes) = word.split_at(1);
            let activity = match letter {
                "D" => Activity::Driving,
                "B" => Activity::Break,
                "W" => Activity::Work,
                "A" => Activity::Available,
                _ => Activity::Unknown,
            };
            let end = start + minutes.parse::<i64>().unwrap() * MINUTE_MS;
            activities.push((start, end, activity));
            start = end;
        }
        let (crossings, summary) = evaluate(rules, &activities).unwrap();
        let mut said: Vec<(i64, String)> = crossings
            .iter()
            .map(|crossing| {
                let letter = match crossing.kind {
                    AlertType::PreAlert => 'P',
                    AlertType::LimitReached => 'L',
                    _ => 'V',
                };
                (crossing.t_ms, format!("{letter}{}", crossing.t_ms / MINUTE_MS))
            })
            .collect();
        said.extend(
            summary
                .resets
                .iter()
                .map(|reset| (reset.t_ms, format!("{}@{}", reset.kind, reset.t_ms / MINUTE_MS))),
        );
        said.sort_by_key(|(t_ms, _)| *t_ms);
        let said: Vec<String> = said.into_iter().map(|(_, word)| word).collect();
        assert_eq!(said.join(" "), expected, "{script}");
    }

    #[test]
    fn a_period_ends_with_45_minutes_or_with_15_and_then_30() {
        let law = BreakRules::default();
        check(&law, "D270", "P240 P255 L270");
        check(&law, "D271", "P240 P255 L270 V270");
        check(&law, "D120 B15 D120 B30 D30", "P255 15+30@285");
        check(&law, "D120 B30 D120 B15 D1", "P270");
        check(&law, "D60 B15 D60 B45 D60", "15+30@165");
        check(&law, "D60 B20 B25 D60", "45@105");
        check(&law, "D60 B22 D2 B23 D60 B30", "15+30@197");
        check(&law, "B45 D60 B30 D60", "");
        check(&law, "D270 W45 D1", "P240 P255 L270 V315");
        check(&law, "D270 A45 D1", "P240 P255 L270 V315");
    }

    #[test]
    fn other_readings_stay_apart() {
        let vu = BreakRules { profile: Profile::Vu, ..BreakRules::default() };
        check(&vu, "D60 A20 ?25 D60", "45@105");
        let crew = BreakRules { multi_manning: true, ..BreakRules::default() };
        check(&crew, "D60 A45 D60", "multi-manning 45@105");
        check(&crew, "D60 A15 D60 B30 D60", "");
        let coach = BreakRules { occasional_passenger: true, ..BreakRules::default() };
        check(&coach, "D60 B30 D60 B15 D60", "15+15 total 45@165");
        check(&coach, "D60 B15 D60 B15 D60 B30 D1", "15+30@240");
    }

    #[test]
    fn overlapping_activities_are_an_error() {
        let rules = BreakRules::default();
        let overlap = [(0, 10, Activity::Driving), (9, 20, Activity::Break)];
        assert_eq!(evaluate(&rules, &overlap).err(), Some(Overlap { at_ms: 9 }));
        let out_of_order = [(10, 20, Activity::Break), (15, 15, Activity::Work), (0, 10, Activity::Driving)];
        assert!(evaluate(&rules, &out_of_order).is_ok());
    }
}
