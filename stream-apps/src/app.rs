//! What a stream app is to the runner: which topics it reads and writes, and what it derives.

use std::time::Duration;

use crate::kafka::Record;

/// An output topic has the partitions of its input; input partition p is derived into output p.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub input: &'static str,
    pub output: &'static str,
}

pub struct App {
    pub name: &'static str,
    pub routes: &'static [Route],
    /// For the output topics when the app makes them; `None` leaves the broker's default.
    pub retention: Option<Duration>,
    /// The state of one input partition before its first record.
    pub new_state: fn() -> Box<dyn Derive>,
}

/// The state of one input partition. What it derives depends on the records it was given, in their
/// order, and on nothing else: a restart gives them again and expects the same.
pub trait Derive: Send {
    /// An error says why the record is none of ours; it is counted and passed over.
    fn derive(&mut self, record: &Record, outputs: &mut Vec<Output>) -> Result<(), String>;
}

#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub key: String,
    pub payload: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl App {
    pub fn inputs(&self) -> Vec<&'static str> {
        self.routes.iter().map(|route| route.input).collect()
    }

    pub fn route(&self, input: &str) -> Option<Route> {
        self.routes.iter().find(|route| route.input == input).copied()
    }
}
