//! One partition of the simulated broker: the broker's own [`core_broker::hosted::Hosted`] on a disk in
//! memory, and a consumer that looks at all it shows.

use std::path::PathBuf;

use broker_logic::{
    cluster::{ClusterImage, Configs, Record, StaticConfigs, TopicSettings},
    ids::{BrokerId, LeaderEpoch, TopicId, TopicPartition},
    replica::{Acks, AppendError, Appended},
};
use bytes::Bytes;
use commit_log::{LogError, LogReader, MemDisk};
use core_broker::hosted::{Answers, Hosted as Partition, OpenPartition};
use kafka_wire::record_batch::{BatchHeader, batches, decode_records};

use super::liar::LiarDisk;
use crate::{
    network::WireId,
    observation::{Observation, Place},
    plan::Sabotage,
    scene::Scene,
    trace::hash_of,
};

const ME: BrokerId = BrokerId(1);
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
    pub result: Result<Appended, AppendError>,
}

pub struct Hosted {
    place: Place,
    partition: Partition<LiarDisk, Waiter>,
    /// Consumers were shown all before this.
    shown: i64,
}

impl Hosted {
    pub fn open(disk: &MemDisk, place: Place, scene: &mut Scene) -> Result<Hosted, LogError> {
        let (topic, partition) = place;
        let lies = scene.plan.sabotage == Some(Sabotage::SyncedWithoutSync);
        let open = OpenPartition {
            id: TopicPartition::new(topic, partition),
            topic_id: TopicId::default(),
            folder: PathBuf::from(format!("/{topic}-{partition}")),
            leader_epoch: LeaderEpoch(0),
            in_sync: vec![ME],
            settings: TopicSettings { segment_bytes: scene.plan.segment_bytes, ..default_settings() },
        };
        let disk = LiarDisk { disk: disk.clone(), lies };
        let (partition, _) = Partition::open(disk, ME, open, scene.wall_ms(), |_| ())?;
        let mut hosted = Hosted { place, partition, shown: 0 };
        hosted.show_again(scene);
        Ok(hosted)
    }

    pub fn reader(&self) -> LogReader<LiarDisk> {
        self.partition.reader()
    }

    pub fn high_watermark(&self) -> i64 {
        self.partition.replica().high_watermark().0
    }

    pub fn deadline_ms(&self) -> Option<i64> {
        self.partition.replica().deadline_ms()
    }

    pub fn append(
        &mut self,
        mut header: BatchHeader,
        batch: &Bytes,
        waiter: Waiter,
        scene: &mut Scene,
        answers: &mut Vec<Answer>,
    ) {
        const TIMEOUT_MS: i64 = 30_000;
        if scene.plan.sabotage == Some(Sabotage::ProducersForgotten) {
            header.producer_id = -1;
        }
        let (now_ms, mut told) = (scene.wall_ms(), Vec::new());
        let deadline_ms = now_ms + TIMEOUT_MS;
        self.partition.append(&header, batch, Acks::All, deadline_ms, waiter, now_ms, &mut told);
        self.tell(told, scene, answers);
    }

    pub fn commit(&mut self, scene: &mut Scene, answers: &mut Vec<Answer>) {
        if self.partition.is_uncommitted() {
            let mut told = Vec::new();
            self.partition.commit(scene.wall_ms(), &mut told);
            self.tell(told, scene, answers);
        }
    }

    /// In order: the log is closed.
    pub fn stop(mut self, scene: &mut Scene, answers: &mut Vec<Answer>) {
        self.commit(scene, answers);
        let place = self.place;
        if let Err(error) = self.partition.close() {
            scene.say(&("the log was not closed", place, error.to_string()));
        }
    }

    pub fn tick(&mut self, scene: &mut Scene, answers: &mut Vec<Answer>) {
        if self.deadline_ms().is_some_and(|at| at <= scene.wall_ms()) {
            let mut told = Vec::new();
            self.partition.tick(scene.wall_ms(), &mut told);
            self.tell(told, scene, answers);
        }
    }

    /// Nobody will be answered any more.
    pub fn into_waiters(self) -> impl Iterator<Item = Waiter> {
        self.partition.into_waiters()
    }

    fn tell(&mut self, told: Answers<Waiter>, scene: &mut Scene, answers: &mut Vec<Answer>) {
        self.show(self.high_watermark(), scene);
        let told = told.into_iter().map(|(waiter, result)| Answer { waiter, result });
        answers.extend(told);
        if let Some(error) = self.partition.take_failure() {
            scene.say(&("the log failed", self.place, error.to_string()));
        }
        if let Some(error) = self.partition.take_complaint() {
            scene.say(&("the log's upkeep failed", self.place, error.to_string()));
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
        let all = self.batches(self.partition.replica().log_start().0, high_watermark);
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
            let bytes = self
                .partition
                .reader()
                .read(next, end, 1 << 20, true)
                .expect("what is below the watermark reads");
            for batch in batches(&bytes) {
                let (header, range) = batch.expect("whole batches");
                next = header.next_offset();
                found.push((header, bytes.slice(range)));
            }
        }
        found
    }
}

/// Of a topic of which nothing is said.
fn default_settings() -> TopicSettings {
    let (mut image, name) = (ClusterImage::new(), "any");
    let record = Record::Topic { name: name.into(), topic_id: TopicId::default() };
    image.apply(&record).expect("the first topic");
    let topic = image.topic(name).expect("the topic that was made");
    Configs::new(&image, ME, &StaticConfigs::default()).topic_settings(topic)
}
