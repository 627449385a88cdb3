//! `devices-sim` at work: what it says each second, and what it was acknowledged.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{
    Process,
    ledger::{self, FixId},
};

/// A line of `--status-json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    pub published: u64,
    pub acknowledged: u64,
    pub unacknowledged: u64,
    pub alerts_heard: u64,
    pub done: bool,
}

pub struct Fleet {
    pub process: Process,
    ledger: PathBuf,
}

/// It says something every second.
const SILENCE: Duration = Duration::from_secs(40);

impl Fleet {
    pub(crate) fn new(process: Process, ledger: PathBuf) -> Self {
        Self { process, ledger }
    }

    pub fn status(&mut self) -> Result<Status> {
        let line = self.process.next_line(SILENCE).with_context(|| self.process.last_words())?;
        serde_json::from_str(&line).with_context(|| format!("not a status: {line}"))
    }

    /// The first status of which the condition holds.
    pub fn until(&mut self, what: &str, within: Duration, holds: impl Fn(&Status) -> bool) -> Result<Status> {
        let until = Instant::now() + within;
        loop {
            let status = self.status()?;
            if holds(&status) {
                return Ok(status);
            }
            if status.done || Instant::now() > until {
                bail!("{what}: not within {within:?}; the last status is {status:?}");
            }
        }
    }

    /// So many fixes more than now.
    pub fn until_acknowledged(&mut self, more: u64) -> Result<Status> {
        let now = self.status()?.acknowledged;
        self.until("fixes acknowledged", Duration::from_secs(40), |status| status.acknowledged >= now + more)
    }

    /// No new fixes; waits until everything is acknowledged and it has ended.
    pub fn finish(&mut self) -> Result<Status> {
        self.process.signal("TERM")?;
        self.end()
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self) -> Result<Status> {
        let last = self.until("the end", Duration::from_secs(60), |status| status.done)?;
        let status = self.process.ended_within(Duration::from_secs(10))?;
        ensure!(status.success(), "devices-sim ended with {status}: {}", self.process.last_words());
        ensure!(last.unacknowledged == 0, "{last:?}");
        Ok(last)
    }

    /// Every fix that it was told is safe.
    pub fn acknowledged(&self) -> Result<Vec<FixId>> {
        ledger::read(&self.ledger)
    }
}
