//! One partition: its log, its replica, and who waits for an answer, wired as the broker's writer does it.

use std::{collections::BTreeMap, path::PathBuf};

use broker_logic::{
    ids::{BrokerId, LeaderEpoch, Offset},
    replica::{Acks, Action, AppendError, InSync, Input, Opened, Producers, Replica},
};
use bytes::Bytes;
use commit_log::{Log, LogConfig, LogError, LogReader, MemDisk};
use kafka_wire::record_batch::{self, BatchHeader, batches, decode_records};

use crate::{
    network::WireId,
    observation::{Observation, Place},
    plan::Sabotage,
    scene::Scene,
    trace::hash_of,
};

const ME: BrokerId = BrokerId(1);
const EPOCH: LeaderEpoch = LeaderEpoch(0);
const MAX_DECOMPRESSED_BYTES: usize = 8 << 20;

/// Who asked for an append.
#[derive(Debug, Clone, Copy)]
pub enum Waiter {
    Agent { wire: WireId, stream: u64, block: u64 },
    App { alert: usize },
}

#[derive(Debug)]
pub struct Answer {
    pub waiter: Waiter,
    pub result: Result<(), AppendError>,
}

pub struct Hosted {
    place: Place,
    log: Log<MemDisk>,
    pub reader: LogReader<MemDisk>,
    replica: Replica,
    waiters: BTreeMap<u64, Waiter>,
    next_token: u64,
    unsynced: bool,
    /// Consumers were shown all before this.
    shown: i64,
}

impl Hosted {
    pub fn open(disk: &MemDisk, place: Place, scene: &mut Scene) -> Result<Hosted, LogError> {
        let (topic, partition) = place;
        let config = LogConfig { segment_bytes: scene.plan.segment_bytes, ..LogConfig::new([7; 16]) };
        let folder = PathBuf::from(format!("/{topic}-{partition}"));
        let (log, recovered) = Log::open(disk.clone(), &folder, config)?;
        let mut producers = Producers::default();
        if scene.plan.sabotage != Some(Sabotage::ProducersForgotten) {
            for header in log.reader().headers(recovered.log_start) {
                let header = header?;
                producers.remember(&header, Offset(header.base_offset), header.max_timestamp);
            }
        }
        let opened =
            Opened { log_start: Offset(recovered.log_start), log_end: Offset(recovered.log_end), producers };
        let replica = Replica::leader(ME, EPOCH, InSync::new(ME, [ME], 1), opened);
        let reader = log.reader();
        let mut hosted = Hosted {
            place,
            log,
            reader,
            replica,
            waiters: BTreeMap::new(),
            next_token: 0,
            unsynced: false,
            shown: 0,
        };
        hosted.show_again(scene);
        Ok(hosted)
    }

    pub fn high_watermark(&self) -> i64 {
        self.replica.high_watermark().0
    }

    pub fn deadline_ms(&self) -> Option<i64> {
        self.replica.deadline_ms()
    }

    pub fn append(
        &mut self,
        header: BatchHeader,
        batch: &Bytes,
        waiter: Waiter,
        scene: &mut Scene,
        answers: &mut Vec<Answer>,
    ) {
        const TIMEOUT_MS: i64 = 30_000;
        let token = self.next_token;
        self.next_token += 1;
        self.waiters.insert(token, waiter);
        let deadline_ms = scene.wall_ms() + TIMEOUT_MS;
        let input = Input::Append { token, batch: header, acks: Acks::All, deadline_ms };
        self.handle(input, Some(batch), scene, answers);
    }

    pub fn sync(&mut self, scene: &mut Scene, answers: &mut Vec<Answer>) {
        if !std::mem::take(&mut self.unsynced) {
            return;
        }
        let lies = scene.plan.sabotage == Some(Sabotage::SyncedWithoutSync);
        let synced = if lies { Ok(self.log.log_end()) } else { self.log.sync() };
        match synced {
            Ok(end) => self.handle(Input::Synced { end: Offset(end) }, None, scene, answers),
            Err(error) => self.failed(&error, scene, answers),
        }
    }

    pub fn tick(&mut self, scene: &mut Scene, answers: &mut Vec<Answer>) {
        if self.replica.deadline_ms().is_some_and(|at| at <= scene.wall_ms()) {
            self.handle(Input::Tick, None, scene, answers);
        }
    }

    /// Nobody will be answered any more.
    pub fn into_waiters(self) -> impl Iterator<Item = Waiter> {
        self.waiters.into_values()
    }

    fn failed(&mut self, error: &LogError, scene: &mut Scene, answers: &mut Vec<Answer>) {
        scene.say(&("the log failed", self.place, error.to_string()));
        self.handle(Input::LogFailed, None, scene, answers);
    }

    fn handle(&mut self, input: Input, batch: Option<&Bytes>, scene: &mut Scene, answers: &mut Vec<Answer>) {
        let mut actions = Vec::new();
        self.replica.handle(input, scene.wall_ms(), &mut actions);
        let mut failure = None;
        for action in actions {
            match action {
                Action::Write { base_offset, leader_epoch, .. } => {
                    let mut stamped = batch.expect("a write follows an append").to_vec();
                    record_batch::set_base_offset_and_epoch(&mut stamped, base_offset.0, leader_epoch.0);
                    match self.log.append(&stamped) {
                        Ok(()) => self.unsynced = true,
                        Err(error) => failure = Some(error),
                    }
                }
                Action::Answer { token, result } => {
                    let result = if failure.is_some() { Err(AppendError::LogFailed) } else { result };
                    if let Some(waiter) = self.waiters.remove(&token) {
                        answers.push(Answer { waiter, result: result.map(|_| ()) });
                    }
                }
                Action::HighWatermark { offset } => self.show(offset.0, scene),
            }
        }
        if let Some(error) = failure {
            self.failed(&error, scene, answers);
        }
    }

    /// A consumer reads up to the high watermark.
    fn show(&mut self, high_watermark: i64, scene: &mut Scene) {
        for (header, batch) in self.batches(self.shown, high_watermark) {
            self.show_batch(&header, batch, scene);
        }
        self.shown = self.shown.max(high_watermark);
    }

    /// A consumer that begins anew after a start of the broker.
    fn show_again(&mut self, scene: &mut Scene) {
        let (place, high_watermark) = (self.place, self.high_watermark());
        let all = self.batches(self.replica.log_start().0, high_watermark);
        let batches = all.iter().map(|(header, batch)| (header.base_offset, hash_of(batch))).collect();
        scene.observe(Observation::ReadAgain { place, high_watermark, batches });
        // What was synced as the broker died was never shown to anybody.
        for (header, batch) in all {
            if header.base_offset >= scene.invariants.shown(place) {
                self.show_batch(&header, batch, scene);
            }
        }
        self.shown = high_watermark;
    }

    fn show_batch(&self, header: &BatchHeader, batch: Bytes, scene: &mut Scene) {
        let (place, base_offset, hash) = (self.place, header.base_offset, hash_of(&batch));
        scene.observe(Observation::BatchVisible { place, base_offset, hash });
        for record in decode_records(batch, MAX_DECOMPRESSED_BYTES).expect("a batch of the log") {
            let (offset, value) = (record.offset, record.value.unwrap_or_default());
            scene.observe(Observation::Visible { place, offset, value });
        }
    }

    fn batches(&self, from: i64, end: i64) -> Vec<(BatchHeader, Bytes)> {
        let (mut found, mut next) = (Vec::new(), from);
        while next < end {
            let bytes =
                self.reader.read(next, end, 1 << 20, true).expect("what is below the watermark reads");
            for batch in batches(&bytes) {
                let (header, range) = batch.expect("whole batches");
                next = header.next_offset();
                found.push((header, bytes.slice(range)));
            }
        }
        found
    }
}
