//! P2: exactly once. A device with a persistent session finds each of its fixes in the log once, however
//! often it sent it. Without a session MQTT can tell a fix sent again from a new one by nothing: then the log
//! holds it at most as often as it was published under a packet id of its own.

use std::collections::BTreeMap;

use super::Invariant;
use crate::observation::{Fix, Observation, fix_of};

#[derive(Default)]
pub struct NeverTwice {
    allowed: BTreeMap<Fix, usize>,
    stored: BTreeMap<Fix, usize>,
}

impl Invariant for NeverTwice {
    fn name(&self) -> &'static str {
        "never_twice"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        match seen {
            Observation::Published { fix, persistent: true, .. } => drop(self.allowed.insert(*fix, 1)),
            Observation::Published { fix, persistent: false, anew, .. } => {
                *self.allowed.entry(*fix).or_default() += usize::from(*anew);
            }
            Observation::Visible { value, place, offset } => {
                let Some(fix) = fix_of(value) else { return Ok(()) };
                let stored = self.stored.entry(fix).or_default();
                *stored += 1;
                let allowed = self.allowed.get(&fix).copied().unwrap_or_default();
                if *stored > allowed {
                    return Err(format!(
                        "{fix:?} is in the log {stored} times, at {place:?} {offset} the last"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
