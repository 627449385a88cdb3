//! One partition as its owner has it: the log and the replica that decides about it. Over any disk: the
//! writer drives it on real files, the simulation in memory.

mod compaction;
mod open;
mod upkeep;

use std::{collections::BTreeMap, path::PathBuf};

use broker_logic::{
    cluster::{TimestampType, TopicSettings},
    ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition},
    replica::{Acks, Action, AppendError, Appended, FlushRule, Input, Replica, Rules, Token},
};
use commit_log::{Disk, Log, LogError, LogReader, Recovered};
use kafka_wire::record_batch::{self, BatchHeader};

pub use upkeep::DeleteRecordsError;
use upkeep::Kept;

pub type AppendResult = Result<Appended, AppendError>;

/// What to host, as the cluster's image says.
#[derive(Debug, Clone)]
pub struct OpenPartition {
    pub id: TopicPartition,
    pub topic_id: TopicId,
    pub folder: PathBuf,
    pub leader_epoch: LeaderEpoch,
    pub in_sync: Vec<BrokerId>,
    pub settings: TopicSettings,
}

/// `W` is who waits for an answer.
pub struct Hosted<D: Disk, W> {
    me: BrokerId,
    open: OpenPartition,
    log: Log<D>,
    replica: Replica,
    waiting: BTreeMap<Token, W>,
    next_token: Token,
    /// Something was written in this turn.
    uncommitted: bool,
    kept: Kept,
    /// Of the log; told once.
    failure: Option<LogError>,
    /// What went wrong beside it; told once.
    complaint: Option<LogError>,
}

/// Answers to producers, in the order in which they are due.
pub type Answers<W> = Vec<(W, AppendResult)>;

impl<D: Disk, W> Hosted<D, W> {
    /// Opens the log and takes stock: what it holds is synced, and snapshots and headers say what producers
    /// sent. What the log had to recover from is told at once, also when the rest fails.
    pub fn open(
        disk: D,
        me: BrokerId,
        open: OpenPartition,
        now_ms: i64,
        tell: impl FnOnce(&Recovered),
    ) -> Result<(Self, Recovered), LogError> {
        let (log, replica, kept, recovered) = open::find(disk, me, &open, now_ms, tell)?;
        let hosted = Self {
            me,
            open,
            log,
            replica,
            waiting: BTreeMap::new(),
            next_token: 0,
            uncommitted: false,
            kept,
            failure: None,
            complaint: None,
        };
        Ok((hosted, recovered))
    }

    /// As after a restart, for a log that has failed.
    pub fn open_again(
        &mut self,
        disk: D,
        now_ms: i64,
        tell: impl FnOnce(&Recovered),
    ) -> Result<Recovered, LogError> {
        self.log.leave_folder();
        let (log, replica, kept, recovered) = open::find(disk, self.me, &self.open, now_ms, tell)?;
        (self.log, self.replica, self.kept) = (log, replica, kept);
        Ok(recovered)
    }

    pub fn id(&self) -> &TopicPartition {
        &self.open.id
    }

    pub fn topic_id(&self) -> TopicId {
        self.open.topic_id
    }

    pub fn folder(&self) -> &std::path::Path {
        &self.open.folder
    }

    pub fn settings(&self) -> &TopicSettings {
        &self.open.settings
    }

    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    pub fn reader(&self) -> LogReader<D> {
        self.log.reader()
    }

    /// Something was written since the last [`commit`](Hosted::commit).
    pub fn is_uncommitted(&self) -> bool {
        self.uncommitted
    }

    pub fn take_failure(&mut self) -> Option<LogError> {
        self.failure.take()
    }

    pub fn take_complaint(&mut self) -> Option<LogError> {
        self.complaint.take()
    }

    #[allow(clippy::too_many_arguments)] // one batch and everything that its producer said about it
    pub fn append(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        acks: Acks,
        deadline_ms: i64,
        waiter: W,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) {
        if !self.uncommitted {
            self.roll_if_aged(header, now_ms, answers);
        }
        let token = self.next_token;
        self.next_token += 1;
        self.waiting.insert(token, waiter);
        let input = Input::Append { token, batch: *header, acks, deadline_ms };
        self.handle(input, batch, now_ms, answers);
    }

    /// The end of a turn: syncs, unless the topic is content with less.
    pub fn commit(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.uncommitted = false;
        if self.replica.is_sync_due(now_ms) {
            self.sync(now_ms, answers);
        } else if self.failure.is_none() {
            let end = Offset(self.log.log_end());
            self.handle(Input::Written { end }, &[], now_ms, answers);
        }
        self.keep_snapshot_of_rolled(now_ms, answers);
    }

    /// Time has passed: see [`Replica::deadline_ms`].
    pub fn tick(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.handle(Input::Tick, &[], now_ms, answers);
        if self.replica.is_sync_due(now_ms) {
            self.sync(now_ms, answers);
        }
    }

    /// In force from the next batch on.
    pub fn configure(&mut self, settings: TopicSettings, now_ms: i64, answers: &mut Answers<W>) {
        self.log.set_sizes(settings.segment_bytes, settings.index_interval_bytes);
        self.open.settings = settings;
        self.handle(Input::Configure { rules: rules(&settings) }, &[], now_ms, answers);
        if self.replica.is_sync_due(now_ms) {
            self.sync(now_ms, answers);
        }
    }

    /// The topic is deleted: whoever waits is told. What is on the disk stays for its owner to remove.
    pub fn delete(mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.handle(Input::Deleted, &[], now_ms, answers);
        self.log.leave_folder();
    }

    /// Who will not be answered any more.
    pub fn into_waiters(self) -> impl Iterator<Item = W> {
        self.waiting.into_values()
    }

    /// Syncs and marks the log as cleanly closed.
    pub fn close(mut self) -> Result<(), LogError> {
        let kept = self.keep_snapshot();
        // Without it the next opening only takes longer.
        if self.log.is_stopped() {
            kept?;
        }
        self.log.close()
    }

    fn sync(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        match self.log.sync() {
            Ok(end) => self.handle(Input::Synced { end: Offset(end) }, &[], now_ms, answers),
            Err(error) => self.fail(error, now_ms, answers),
        }
    }

    fn handle(&mut self, input: Input, batch: &[u8], now_ms: i64, answers: &mut Answers<W>) {
        let mut actions = Vec::new();
        self.replica.handle(input, now_ms, &mut actions);
        let mut failure = None;
        for action in actions {
            match action {
                Action::Write { base_offset, leader_epoch, log_append_time_ms, .. } => {
                    let mut stamped = batch.to_vec();
                    record_batch::set_base_offset_and_epoch(&mut stamped, base_offset.0, leader_epoch.0);
                    if let Some(time_ms) = log_append_time_ms {
                        record_batch::set_log_append_time(&mut stamped, time_ms);
                    }
                    match self.log.append(&stamped) {
                        Ok(()) => self.uncommitted = true,
                        Err(error) => failure = Some(error),
                    }
                }
                Action::Answer { token, result } => {
                    // What follows a write that failed was decided as if it had not.
                    let result = if failure.is_some() { Err(AppendError::LogFailed) } else { result };
                    answers.extend(self.waiting.remove(&token).map(|waiter| (waiter, result)));
                }
                // The owner compares what the replica shows before and after.
                Action::HighWatermark { .. } => {}
            }
        }
        if let Some(error) = failure {
            self.fail(error, now_ms, answers);
        }
    }

    fn fail(&mut self, error: LogError, now_ms: i64, answers: &mut Answers<W>) {
        // A log that is stopped already is not told again, unless it is for more than a full disk.
        let is_known = matches!(error, LogError::Stopped { .. }) || error.is_disk_full();
        if !(self.replica.is_failed() && is_known) {
            self.failure = Some(error);
        }
        // The log answers nothing but its failure any more.
        self.uncommitted = false;
        self.handle(Input::LogFailed, &[], now_ms, answers);
    }

    /// Of something that the log can do without, unless it has stopped over it.
    fn complain(&mut self, error: LogError, now_ms: i64, answers: &mut Answers<W>) {
        if self.log.is_stopped() {
            self.fail(error, now_ms, answers);
        } else {
            self.complaint = Some(error);
        }
    }
}

fn rules(settings: &TopicSettings) -> Rules {
    Rules {
        min_in_sync: settings.min_insync_replicas.max(1),
        flush: FlushRule { messages: settings.flush_messages, ms: settings.flush_ms },
        log_append_time: settings.message_timestamp_type == TimestampType::LogAppendTime,
    }
}
