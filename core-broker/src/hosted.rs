//! One partition as its owner has it: the log and the replica that decides about it. Over any disk: the
//! writer drives it on real files, the simulation in memory.

use std::{collections::BTreeMap, path::PathBuf};

use broker_logic::{
    ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition},
    replica::{Acks, Action, AppendError, Appended, InSync, Input, Opened, Producers, Replica, Token},
};
use commit_log::{Disk, Log, LogConfig, LogError, LogReader, Recovered};
use kafka_wire::record_batch::{self, BatchHeader};

pub type AppendResult = Result<Appended, AppendError>;

/// What to host, as the cluster's image says.
#[derive(Debug, Clone)]
pub struct OpenPartition {
    pub id: TopicPartition,
    pub topic_id: TopicId,
    pub folder: PathBuf,
    pub segment_bytes: u64,
    pub leader_epoch: LeaderEpoch,
    pub in_sync: Vec<BrokerId>,
    pub min_in_sync: usize,
}

/// `W` is who waits for an answer.
pub struct Hosted<D: Disk, W> {
    me: BrokerId,
    open: OpenPartition,
    log: Log<D>,
    replica: Replica,
    waiting: BTreeMap<Token, W>,
    next_token: Token,
    unsynced: bool,
    /// Of the log; told once.
    failure: Option<LogError>,
}

/// Answers to producers, in the order in which they are due.
pub type Answers<W> = Vec<(W, AppendResult)>;

impl<D: Disk, W> Hosted<D, W> {
    /// Opens the log and takes stock: what it holds is synced, and its headers say what producers sent.
    pub fn open(
        disk: D,
        me: BrokerId,
        open: OpenPartition,
        now_ms: i64,
    ) -> Result<(Self, Recovered), LogError> {
        let (log, replica, recovered) = find(disk, me, &open, now_ms)?;
        let hosted = Self {
            me,
            open,
            log,
            replica,
            waiting: BTreeMap::new(),
            next_token: 0,
            unsynced: false,
            failure: None,
        };
        Ok((hosted, recovered))
    }

    /// As after a restart, for a log that has failed.
    pub fn open_again(&mut self, disk: D, now_ms: i64) -> Result<Recovered, LogError> {
        let (log, replica, recovered) = find(disk, self.me, &self.open, now_ms)?;
        (self.log, self.replica) = (log, replica);
        Ok(recovered)
    }

    pub fn id(&self) -> &TopicPartition {
        &self.open.id
    }

    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    pub fn reader(&self) -> LogReader<D> {
        self.log.reader()
    }

    /// Something was written since the last sync.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    pub fn take_failure(&mut self) -> Option<LogError> {
        self.failure.take()
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
        let token = self.next_token;
        self.next_token += 1;
        self.waiting.insert(token, waiter);
        let input = Input::Append { token, batch: *header, acks, deadline_ms };
        self.handle(input, batch, now_ms, answers);
    }

    pub fn sync(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.unsynced = false;
        match self.log.sync() {
            Ok(end) => self.handle(Input::Synced { end: Offset(end) }, &[], now_ms, answers),
            Err(error) => self.fail(error, now_ms, answers),
        }
    }

    /// Time has passed: see [`Replica::deadline_ms`].
    pub fn tick(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.handle(Input::Tick, &[], now_ms, answers);
    }

    /// Who will not be answered any more.
    pub fn into_waiters(self) -> impl Iterator<Item = W> {
        self.waiting.into_values()
    }

    /// Syncs and marks the log as cleanly closed.
    pub fn close(self) -> Result<(), LogError> {
        self.log.close()
    }

    fn handle(&mut self, input: Input, batch: &[u8], now_ms: i64, answers: &mut Answers<W>) {
        let mut actions = Vec::new();
        self.replica.handle(input, now_ms, &mut actions);
        let mut failure = None;
        for action in actions {
            match action {
                Action::Write { base_offset, leader_epoch, .. } => {
                    let mut stamped = batch.to_vec();
                    record_batch::set_base_offset_and_epoch(&mut stamped, base_offset.0, leader_epoch.0);
                    match self.log.append(&stamped) {
                        Ok(()) => self.unsynced = true,
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
        self.failure = Some(error);
        // The log answers nothing but its failure any more.
        self.unsynced = false;
        self.handle(Input::LogFailed, &[], now_ms, answers);
    }
}

fn find<D: Disk>(
    disk: D,
    me: BrokerId,
    open: &OpenPartition,
    now_ms: i64,
) -> Result<(Log<D>, Replica, Recovered), LogError> {
    let config =
        LogConfig { segment_bytes: open.segment_bytes, ..LogConfig::new(open.topic_id.0.into_bytes()) };
    let (log, recovered) = Log::open(disk, &open.folder, config)?;
    let mut producers = Producers::default();
    for header in log.reader().headers(recovered.log_start) {
        let header = header?;
        // Counted from the opening: how long a producer was silent before is not known.
        producers.remember(&header, Offset(header.base_offset), now_ms);
    }
    let opened =
        Opened { log_start: Offset(recovered.log_start), log_end: Offset(recovered.log_end), producers };
    let in_sync = InSync::new(me, open.in_sync.iter().copied(), open.min_in_sync);
    Ok((log, Replica::leader(me, open.leader_epoch, in_sync, opened), recovered))
}
