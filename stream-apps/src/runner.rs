//! Drives an app: partitions come and go with the group, each is recovered from its checkpoint,
//! read, derived and written. One owner, one loop, no locks.

mod partition;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tracing::{debug, info, warn};

use crate::{
    app::App,
    kafka::{GroupReader, Link, Outgoing, Polled, Record, SESSION, TopicPartition, Topics, Writer},
    rejected::Rejected,
};
use partition::{Partition, Stage};

/// Outputs sent and not yet acknowledged. At the bound the runner takes no further input. Enough for
/// 40,000 a second where an acknowledgement takes 50 ms.
const OUTSTANDING_MAX: usize = 2_000;
/// Congestion that lasts longer than this is a broker in trouble: hold the input, keep the membership.
const CONGESTED_MAX: Duration = Duration::from_secs(1);
/// For outputs on their way when partitions are given away or the app ends.
const FLUSH: Duration = Duration::from_secs(10);
/// Commits show the lag; the checkpoint does not need them.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Then the group hears from us again: a member that is busy for a minute is thrown out.
const RECOVERY_SLICE: Duration = Duration::from_secs(5);
const RECORDS_PER_TURN: usize = 500;

pub struct Runner<'a> {
    app: &'a App,
    bootstrap: &'a str,
    link: Link,
    topics: Topics,
    reader: GroupReader,
    writer: Writer,
    partitions: BTreeMap<TopicPartition, Partition>,
    outstanding: usize,
    congested_since: Option<Instant>,
    is_held: bool,
    is_recovery_stuck: bool,
    last_commit: Instant,
    last_retry: Instant,
    rejected: Rejected,
}

/// Runs until `stop`; waits for whatever is not there yet.
pub fn run(app: &App, bootstrap: &str, group: &str, stop: &AtomicBool) -> anyhow::Result<()> {
    let link = Link::default();
    let topics = Topics::new(bootstrap, group, link.clone())?;
    if !wait_for_input(app, &topics, &link, stop) {
        return Ok(());
    }
    let now = Instant::now();
    let mut runner = Runner {
        app,
        bootstrap,
        reader: GroupReader::join(bootstrap, group, &app.inputs(), link.clone())?,
        writer: Writer::new(bootstrap, link.clone())?,
        link,
        topics,
        partitions: BTreeMap::new(),
        outstanding: 0,
        congested_since: None,
        is_held: false,
        is_recovery_stuck: false,
        last_commit: now,
        last_retry: now,
        rejected: Rejected::default(),
    };
    service::serving(&format!("{}: consuming {} from {bootstrap}", app.name, app.inputs().join(", ")));
    while !stop.load(Ordering::Relaxed) {
        runner.turn()?;
    }
    runner.leave()
}

/// Until one of the inputs exists; the group notices the others when they appear.
fn wait_for_input(app: &App, topics: &Topics, link: &Link, stop: &AtomicBool) -> bool {
    let mut said = false;
    while !stop.load(Ordering::Relaxed) {
        for input in app.inputs() {
            match topics.shape(input) {
                Ok(Some(_)) => return true,
                Ok(None) => {}
                Err(error) => {
                    link.down(&error.to_string());
                    break;
                }
            }
        }
        if !said && !link.is_down() {
            info!(topics = app.inputs().join(", "), "waiting for the input topics to exist");
            said = true;
        }
        std::thread::sleep(RETRY_EVERY);
    }
    false
}

impl Runner<'_> {
    fn turn(&mut self) -> anyhow::Result<()> {
        self.retry()?;
        if self.relieve_congestion()? {
            self.take_input()?;
        }
        self.settle(Duration::ZERO)?;
        if self.last_commit.elapsed() >= COMMIT_EVERY {
            self.last_commit = Instant::now();
            self.commit(false);
        }
        Ok(())
    }

    /// Whether there is room for more outputs.
    fn relieve_congestion(&mut self) -> anyhow::Result<bool> {
        if self.outstanding < OUTSTANDING_MAX / 2 && self.is_held {
            self.is_held = false;
            self.reader.hold(false)?;
        }
        if self.outstanding < OUTSTANDING_MAX && !self.is_held {
            self.congested_since = None;
            return Ok(true);
        }
        let since = *self.congested_since.get_or_insert_with(Instant::now);
        if !self.is_held && since.elapsed() > CONGESTED_MAX {
            self.is_held = true;
            self.reader.hold(true)?;
        }
        self.settle(Duration::from_millis(50))?;
        // Held partitions bring no records, but the group must still hear from us.
        Ok(self.is_held)
    }

    fn take_input(&mut self) -> anyhow::Result<()> {
        let mut wait = if self.is_held { Duration::ZERO } else { Duration::from_millis(100) };
        for _ in 0..RECORDS_PER_TURN {
            let asked = Instant::now();
            let polled = self.reader.poll(wait)?;
            // Whoever stood still for so long may have lost everything without having been told.
            if asked.elapsed() > SESSION {
                self.start_over("the process stood still for longer than its session")?;
            }
            match polled {
                Polled::Record(record) => self.take_in(&record)?,
                Polled::Assigned(partitions) => self.assigned(partitions)?,
                Polled::Revoked { partitions, lost } => self.revoked(&partitions, lost)?,
                Polled::Nothing => break,
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn take_in(&mut self, record: &Record) -> anyhow::Result<()> {
        let Some(partition) = self.partitions.get_mut(&record.from) else { return Ok(()) };
        let Some(derived) = partition.derive(record, &mut self.rejected) else { return Ok(()) };
        if derived.is_empty() {
            return Ok(());
        }
        if let Err(error) = partition.confirm(&self.topics) {
            self.link.down(&error.to_string());
            partition.wait_again();
            return Ok(());
        }
        let owed = partition.owed(record.offset, derived);
        for output in &owed {
            let outgoing = Outgoing {
                topic: partition.route.output,
                source: &record.from,
                offset: record.offset,
                key: &output.key,
                payload: &output.payload,
                headers: &output.headers,
            };
            if let Err(error) = self.writer.send(&outgoing) {
                return self.start_over(&error.to_string());
            }
            self.outstanding += 1;
        }
        partition.sent(record.offset, owed.len());
        Ok(())
    }

    fn assigned(&mut self, partitions: Vec<TopicPartition>) -> anyhow::Result<()> {
        self.reader.start(&partitions)?;
        if self.is_held {
            self.reader.hold(true)?;
        }
        for at in partitions {
            if let Some(route) = self.app.route(&at.topic) {
                self.partitions.insert(at.clone(), Partition::new(at, route));
            }
        }
        self.recover()
    }

    fn revoked(&mut self, partitions: &[TopicPartition], lost: bool) -> anyhow::Result<()> {
        if lost {
            self.start_over("the group gave the partitions away")?;
        } else if !self.flush(partitions)? {
            self.start_over("outputs were not acknowledged before their partitions went away")?;
        } else {
            self.commit(true);
        }
        for at in partitions {
            self.partitions.remove(at);
        }
        self.reader.release(partitions)?;
        info!(partitions = names(partitions), lost, "gave partitions back");
        Ok(())
    }

    /// Reads the checkpoints of the partitions that wait for one, as many as a slice of time allows.
    fn recover(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut rewind = Vec::new();
        for partition in self.partitions.values_mut() {
            let Stage::Waiting { missed } = partition.stage else { continue };
            if started.elapsed() > RECOVERY_SLICE {
                break;
            }
            match partition.recover(self.app, &self.topics) {
                Ok(()) if missed => rewind.push(partition.at.clone()),
                Ok(()) => {}
                Err(error) => {
                    // Said once: the next try is a second away, and a topic just made takes a while.
                    if !std::mem::replace(&mut self.is_recovery_stuck, true) {
                        warn!(partition = %partition.at, "recovery waits: {error:#}");
                    }
                    return self.rewind(&rewind);
                }
            }
        }
        self.is_recovery_stuck = false;
        self.rewind(&rewind)
    }

    fn rewind(&self, partitions: &[TopicPartition]) -> anyhow::Result<()> {
        if !partitions.is_empty() {
            self.reader.rewind(partitions)?;
        }
        Ok(())
    }

    /// Once a second: recovers what could not be, asks whether the brokers are back.
    fn retry(&mut self) -> anyhow::Result<()> {
        if self.last_retry.elapsed() < RETRY_EVERY {
            return Ok(());
        }
        self.last_retry = Instant::now();
        self.rejected.report();
        if self.partitions.values().any(|partition| matches!(partition.stage, Stage::Waiting { .. })) {
            return self.recover();
        }
        if self.link.is_down() {
            // A quiet consumer would not notice that they are.
            if let Some(route) = self.app.routes.first() {
                self.topics.probe(route.input);
            }
        }
        Ok(())
    }

    /// Takes note of the answers that arrive within `wait`.
    fn settle(&mut self, wait: Duration) -> anyhow::Result<()> {
        let mut failure = None;
        for delivery in self.writer.deliveries(wait) {
            self.outstanding = self.outstanding.saturating_sub(1);
            match delivery.result {
                Ok(()) => {
                    if let Some(partition) = self.partitions.get_mut(&delivery.source) {
                        partition.acknowledged(delivery.offset);
                    }
                }
                Err(reason) => failure = Some(reason),
            }
        }
        match failure {
            Some(reason) => self.start_over(&reason),
            None => Ok(()),
        }
    }

    /// With a producer that failed, or partitions that may be another's: forget everything, trust the tails.
    fn start_over(&mut self, reason: &str) -> anyhow::Result<()> {
        warn!(reason, "recovering all partitions from their checkpoints");
        let fresh = Writer::new(self.bootstrap, self.link.clone())?;
        std::mem::replace(&mut self.writer, fresh).abandon();
        self.outstanding = 0;
        for partition in self.partitions.values_mut() {
            partition.wait_again();
        }
        Ok(())
    }

    /// Waits until every output of these partitions is acknowledged; false when that takes too long.
    fn flush(&mut self, partitions: &[TopicPartition]) -> anyhow::Result<bool> {
        let started = Instant::now();
        while started.elapsed() < FLUSH {
            if partitions.iter().filter_map(|at| self.partitions.get(at)).all(Partition::is_settled) {
                return Ok(true);
            }
            self.settle(Duration::from_millis(50))?;
        }
        Ok(false)
    }

    fn commit(&mut self, wait: bool) {
        let offsets: Vec<(TopicPartition, i64)> = self
            .partitions
            .values_mut()
            .filter_map(|partition| Some((partition.at.clone(), partition.take_commit()?)))
            .collect();
        // A synchronous commit would wait for brokers that do not answer.
        if let Err(error) = self.reader.commit(&offsets, wait && !self.link.is_down()) {
            debug!(%error, "commit");
        }
    }

    fn leave(mut self) -> anyhow::Result<()> {
        let held: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        if !self.flush(&held)? {
            warn!(
                outstanding = self.outstanding,
                "leaving with outputs unacknowledged; the next start derives them"
            );
        }
        self.commit(true);
        self.writer.abandon();
        self.reader.leave();
        info!("{}: stopped", self.app.name);
        Ok(())
    }
}

fn names(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(", ")
}
