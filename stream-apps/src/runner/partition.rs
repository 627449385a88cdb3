//! One input partition and what is derived from it.

use std::time::{Duration, Instant};

use tracing::{error, info};

use crate::{
    app::{App, Derive, Output, Route},
    checkpoint::{Checkpoint, Tail},
    kafka::{Record, TopicPartition, Topics},
    progress::Progress,
    rejected::Rejected,
};

/// Requests of a predecessor that was killed are handled within milliseconds; the tail must have
/// stood still for this long before anything is added to it.
const SETTLE: Duration = Duration::from_secs(1);
/// Twice what a member can have on its way: should one that has lost the partition write all of it
/// late, the newest output is still in view.
const TAIL_FIRST_LOOK: i64 = 2 * super::OUTSTANDING_MAX as i64;

pub struct Partition {
    pub at: TopicPartition,
    pub route: Route,
    pub stage: Stage,
}

pub enum Stage {
    /// For its checkpoint. `missed`: records went by, so that the reading must begin again.
    Waiting {
        missed: bool,
    },
    Reading(Box<Reading>),
}

pub struct Reading {
    state: Box<dyn Derive>,
    checkpoint: Checkpoint,
    /// End of the output partition when the checkpoint was read, and when that was.
    tail_end: i64,
    tail_read: Instant,
    is_confirmed: bool,
    /// Records below this offset were taken in.
    next: i64,
    /// By the group, when the checkpoint was read.
    committed: i64,
    progress: Progress,
}

impl Partition {
    pub fn new(at: TopicPartition, route: Route) -> Partition {
        Partition { at, route, stage: Stage::Waiting { missed: false } }
    }

    pub fn wait_again(&mut self) {
        self.stage = Stage::Waiting { missed: true };
    }

    pub fn recover(&mut self, app: &App, topics: &Topics) -> anyhow::Result<()> {
        if let Some(shape) = topics.shape(self.route.input)? {
            topics.ensure(self.route.output, shape, app.retention)?;
        }
        let committed = topics.committed(&self.at)?.unwrap_or(0);
        let (checkpoint, tail_end) = self.read_checkpoint(topics, committed)?;
        let (input_start, input_end) = topics.ends(&self.at)?;
        if checkpoint.offset() > input_end {
            error!(
                partition = %self.at, checkpoint = checkpoint.offset(), input_end,
                "the input ends before the checkpoint: silent until it is reached; if the input topic was \
                 made anew, delete the output topic too"
            );
        }
        info!(partition = %self.at, replay_from = input_start, replay_to = checkpoint.offset(), "recovered");
        self.stage = Stage::Reading(Box::new(Reading {
            state: (app.new_state)(),
            checkpoint,
            tail_end,
            tail_read: Instant::now(),
            is_confirmed: false,
            next: input_start,
            committed,
            progress: Progress::since(committed),
        }));
        Ok(())
    }

    /// The outputs of the record; `None` when it is not to be taken in.
    pub fn derive(&mut self, record: &Record, rejected: &mut Rejected) -> Option<Vec<Output>> {
        let reading = match &mut self.stage {
            Stage::Waiting { missed } => {
                *missed = true;
                return None;
            }
            Stage::Reading(reading) => reading,
        };
        // A client that lost its place begins at the log start again: what was taken in stays in.
        if record.offset < reading.next {
            return None;
        }
        reading.next = record.offset + 1;
        let mut outputs = Vec::new();
        if let Err(reason) = reading.state.derive(record, &mut outputs) {
            rejected.note(&record.from, record.offset, reason);
        }
        let written = reading.checkpoint.written(record.offset, outputs.len());
        if written == outputs.len() {
            reading.progress.sent(record.offset, 0);
            outputs.clear();
        }
        Some(outputs)
    }

    /// Before the first write: the output partition has not moved since its tail was read.
    pub fn confirm(&mut self, topics: &Topics) -> anyhow::Result<()> {
        let output = self.output();
        loop {
            let Stage::Reading(reading) = &mut self.stage else { return Ok(()) };
            if reading.is_confirmed {
                return Ok(());
            }
            std::thread::sleep(SETTLE.saturating_sub(reading.tail_read.elapsed()));
            let (_, end) = topics.ends(&output)?;
            if reading.tail_end == end {
                reading.is_confirmed = true;
                return Ok(());
            }
            let committed = reading.committed;
            let (checkpoint, tail_end) = self.read_checkpoint(topics, committed)?;
            if let Stage::Reading(reading) = &mut self.stage {
                // A tail only grows.
                reading.checkpoint = reading.checkpoint.max(checkpoint);
                reading.tail_end = tail_end;
                reading.tail_read = Instant::now();
            }
        }
    }

    /// Those of the outputs derived from the record at `offset` that are not written yet.
    pub fn owed(&self, offset: i64, mut outputs: Vec<Output>) -> Vec<Output> {
        if let Stage::Reading(reading) = &self.stage {
            outputs.drain(..reading.checkpoint.written(offset, outputs.len()));
        }
        outputs
    }

    pub fn sent(&mut self, offset: i64, outputs: usize) {
        if let Stage::Reading(reading) = &mut self.stage {
            reading.progress.sent(offset, outputs);
        }
    }

    pub fn acknowledged(&mut self, offset: i64) {
        if let Stage::Reading(reading) = &mut self.stage {
            reading.progress.acknowledged(offset);
        }
    }

    pub fn is_settled(&self) -> bool {
        !matches!(&self.stage, Stage::Reading(reading) if !reading.progress.is_settled())
    }

    pub fn take_commit(&mut self) -> Option<i64> {
        match &mut self.stage {
            Stage::Reading(reading) => reading.progress.take_commit(),
            Stage::Waiting { .. } => None,
        }
    }

    fn output(&self) -> TopicPartition {
        TopicPartition { topic: self.route.output.to_owned(), partition: self.at.partition }
    }

    /// The checkpoint and the end of the output partition it was read from.
    fn read_checkpoint(&self, topics: &Topics, committed: i64) -> anyhow::Result<(Checkpoint, i64)> {
        let output = self.output();
        let (start, end) = topics.ends(&output)?;
        let mut look = TAIL_FIRST_LOOK;
        loop {
            let from = end.saturating_sub(look).max(start);
            let records = if from < end { topics.read(&output, from)? } else { Vec::new() };
            let sources: Vec<Option<i64>> = records
                .iter()
                .map(|record| {
                    record.source.as_ref().filter(|(at, _)| *at == self.at).map(|(_, offset)| *offset)
                })
                .collect();
            let tail = Tail { is_whole: from == start, sources: &sources };
            match Checkpoint::from_tail(&tail) {
                // Empty, but not because nothing was ever written: the records have expired.
                Some(Checkpoint::NOTHING) if start > 0 => {
                    return Ok((Checkpoint::from_committed(committed), end));
                }
                Some(checkpoint) => return Ok((checkpoint, end)),
                None => look = look.saturating_mul(16),
            }
        }
    }
}
