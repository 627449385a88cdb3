//! What strangers cause is told, but not as often as they cause it: a log that anybody can fill is none.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_secs(60);

/// `C`: the causes, a closed set.
#[derive(Debug)]
pub struct Rarely<C> {
    told: BTreeMap<C, Told>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    untold: u64,
}

impl<C: Ord> Default for Rarely<C> {
    fn default() -> Self {
        Self { told: BTreeMap::new() }
    }
}

impl<C: Ord> Rarely<C> {
    /// Whether to tell it, and then how many more there were since it was told last.
    pub fn happened(&mut self, cause: C, now: Instant) -> Option<u64> {
        match self.told.get_mut(&cause) {
            Some(told) if now.saturating_duration_since(told.at) < PAUSE => {
                told.untold += 1;
                None
            }
            Some(told) => {
                told.at = now;
                Some(std::mem::take(&mut told.untold))
            }
            None => {
                self.told.insert(cause, Told { at: now, untold: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
