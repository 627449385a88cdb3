use std::{fs, path::Path};

use broker_logic::{
    cluster::{CleanupPolicy, ClusterImage, Configs, Record, StaticConfigs, TopicSettings},
    ids::{BrokerId, LeaderEpoch, TopicPartition},
    replica::Acks,
};
use kafka_wire::record_batch::{self, BatchHeader, Compression, Producer, RecordsEncoder};

use super::*;
use crate::{
    clock,
    hosted::{Hosted, OpenPartition},
    metrics::Metrics,
    writer::Writers,
};

const ME: BrokerId = BrokerId(1);

/// With several writers, both of these have the first place of theirs.
#[tokio::test]
async fn a_log_whose_compaction_fails_keeps_no_other_from_its_own() {
    let logs = tempfile::tempdir().unwrap();
    let (partitions, counts) = (Partitions::default(), Arc::new(UpkeepCounts::default()));
    let writers = Writers::start(Duration::from_secs(3600), &counts, &Arc::new(Metrics::default()));
    for index in 0..2 {
        let partition = host(&writers, logs.path(), index).await;
        for _ in 0..12 {
            append(&partition).await;
        }
        partitions.insert(partition);
    }
    damage(&logs.path().join("t-0/00000000000000000000.log"));
    let backoff = Duration::from_millis(1);
    let work = Work { partitions, counts: counts.clone(), backoff, max_bytes_per_second: u64::MAX };
    let (_, mut nothing_to_scrub) = mpsc::channel(1);
    work.run(&mut nothing_to_scrub, &mut LeftAlone::new()).await;
    let totals = counts.totals();
    assert_eq!((totals.compactions_failed, totals.compactions), (1, 1));
    writers.stop().await;
}

async fn host(writers: &Writers, logs: &Path, index: i32) -> Partition {
    let id = TopicPartition::new("t", index);
    let open = OpenPartition {
        topic_id: TopicId::default(),
        folder: logs.join(id.to_string()),
        leader_epoch: LeaderEpoch(0),
        in_sync: vec![ME],
        settings: settings(),
        id: id.clone(),
    };
    let (hosted, _) = Hosted::open(RealDisk, ME, open, clock::now_ms(), |_| ()).unwrap();
    writers.host(hosted).await.unwrap()
}

/// Compacted, in segments of two batches.
fn settings() -> TopicSettings {
    let mut image = ClusterImage::new();
    image.apply(&Record::Topic { name: "t".into(), topic_id: TopicId::default() }).unwrap();
    let topic = image.topic("t").unwrap();
    let defaults = Configs::new(&image, ME, &StaticConfigs::default()).topic_settings(topic);
    let cleanup_policy = CleanupPolicy { delete: false, compact: true };
    TopicSettings { segment_bytes: 200, cleanup_policy, min_cleanable_dirty_ratio: 0.0, ..defaults }
}

async fn append(partition: &Partition) {
    let mut records = RecordsEncoder::new();
    records.push(1_000, Some(b"always the same"), Some(b"v"), &[]);
    let records = records.finish(Compression::None).unwrap();
    let batch = record_batch::assemble(&records, Producer::NONE).freeze();
    let header = BatchHeader::validate(&batch).unwrap();
    let answer = partition.submit(header, batch, Acks::All, clock::now_ms() + 60_000).await;
    answer.await.unwrap().unwrap();
}

fn damage(log: &Path) {
    let mut bytes = fs::read(log).unwrap();
    let last = bytes.last_mut().unwrap();
    *last ^= 1;
    fs::write(log, bytes).unwrap();
}
