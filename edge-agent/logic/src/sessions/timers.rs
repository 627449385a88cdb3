//! When to look at a connection or a session again. A timer says "look", not "it is over": who looks
//! decides, and sets the next one. So a packet costs no timer.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{ClientId, ConnectionId};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Connection(ConnectionId),
    Session(ClientId),
}

#[derive(Default)]
pub(super) struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    pub fn set(&mut self, at: Instant, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub fn clear(&mut self, at: Instant, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? <= now { self.0.pop_first().map(|(_, timer)| timer) } else { None }
    }
}
