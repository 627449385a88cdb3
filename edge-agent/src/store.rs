//! The outbox store's thread: one commit at a time, each synced before it is reported. The one file that
//! knows both the logic's words and the store's.

use anyhow::{Context, bail};
use edge_logic::{
    agent::Stored,
    downlink::StoredDownlink,
    lane::{Block, BlockNumber, LaneId, LaneKey, StoredLane},
    outbox::{Change, Commit},
    uplink,
};
use kafka_wire::record_batch::{Compression, RecordSet};
use outbox_store::{
    Committed, Lane, Loaded, Op, OpenError, Producer, ReadBlock, Reader, Store, StoreConfig, StoreError,
};
use tokio::sync::mpsc;
use tracing::{error, warn};
use uplink_wire::{Class, StampedProducer};

use crate::config::Config;

/// One read for the uplink: a few whole blocks.
const READ_BYTES: usize = 512 << 10;

/// An open store, and what it said.
pub struct Opened {
    pub store: Store,
    pub stored: Stored,
}

pub fn open(config: &Config, verify: bool) -> anyhow::Result<Opened> {
    let path = config.data().join("outbox.redb");
    let store_config = StoreConfig {
        cache_bytes: config.outbox.cache.0 as usize,
        agent_id: config.uplink.agent_id(),
        verify,
    };
    let (store, loaded) = match Store::open(&path, &store_config) {
        Ok(opened) => opened,
        Err(OpenError::InUse(_)) => bail!(
            "another edge-agent uses {}: stop it, or give another folder with --data DIR",
            config.data().display()
        ),
        Err(error) => return Err(error).with_context(|| format!("the outbox {}", path.display())),
    };
    if let Some(quarantined) = &loaded.quarantined {
        error!(kept = %quarantined.path.display(), why = quarantined.why,
            "the outbox could not be understood and was moved aside: what it held was not forwarded");
    }
    for damaged in &loaded.damaged {
        error!(record = damaged, "a damaged record of the outbox was left out");
    }
    let (stored, unreadable) = stored(&store, loaded);
    for client_id in unreadable {
        warn!(client_id, "a session could not be read and begins anew");
    }
    Ok(Opened { store, stored })
}

/// In the logic's words; second the clients whose sessions could not be read.
pub fn stored(store: &Store, loaded: Loaded) -> (Stored, Vec<String>) {
    let lanes = loaded.lanes.iter().filter_map(|lane| {
        Some(StoredLane {
            id: LaneId(lane.id),
            key: LaneKey {
                topic: lane.lane.topic.clone(),
                partition: lane.lane.partition,
                class: *Class::ALL.get(usize::from(lane.lane.class))?,
            },
            producer: lane
                .producer
                .map(|producer| StampedProducer { id: producer.id, epoch: producer.epoch }),
            next_sequence: lane.next_sequence,
            first_block: BlockNumber(lane.first_block),
            next_block: BlockNumber(lane.next_block),
        })
    });
    let lanes = lanes.collect();
    let (sessions, unreadable) = Stored::sessions(&loaded.sessions, &loaded.windows);
    let stored = Stored {
        boot: loaded.boot,
        lanes,
        stored_bytes: store.stored().stored_bytes,
        sessions,
        downlink: StoredDownlink { pending: loaded.downlink, offsets: loaded.offsets, facts: loaded.facts },
    };
    (stored, unreadable)
}

/// The way to the store's thread, and its answers: one for each commit.
type Started = (std::sync::mpsc::Sender<Commit>, mpsc::Receiver<Result<Committed, StoreError>>);

/// Starts the thread. It ends, and closes the file, when the sender is dropped or a commit has failed.
pub fn start(mut store: Store) -> anyhow::Result<Started> {
    // The outbox has one commit under way: neither channel ever holds more than one.
    let (commits, queue) = std::sync::mpsc::channel::<Commit>();
    let (answers, receiver) = mpsc::channel(1);
    std::thread::Builder::new().name("outbox".into()).spawn(move || {
        while let Ok(commit) = queue.recv() {
            let result = store.commit(&operations(commit));
            let failed = result.is_err();
            if answers.blocking_send(result).is_err() || failed {
                break;
            }
        }
        if let Err(error) = store.close() {
            warn!(%error, "the outbox was not closed cleanly: the next start takes longer");
        }
    })?;
    Ok((commits, receiver))
}

/// What one commit of the logic is for the store.
pub fn operations(commit: Commit) -> Vec<Op> {
    let mut operations = Vec::new();
    for (lane, key) in commit.created {
        let class = Class::ALL.iter().position(|class| *class == key.class).unwrap_or_default() as u8;
        let what = Lane { topic: key.topic, partition: key.partition, class };
        operations.push(Op::CreateLane { lane: lane.0, what });
    }
    for (lane, producer) in commit.producers {
        let producer = Producer { id: producer.id, epoch: producer.epoch };
        operations.push(Op::SetProducer { lane: lane.0, producer });
    }
    for (lane, block) in commit.blocks {
        operations.push(Op::Append { lane: lane.0, block: stored_block(block) });
    }
    for (lane, through) in commit.forgotten {
        operations.push(Op::Forget { lane: lane.0, through_block: through.0 });
    }
    operations.extend(commit.changes.into_iter().map(|change| match change {
        Change::PutSession { client_id, record } => Op::PutSession { client_id, record },
        Change::PutWindow { client_id, slot, entry } => Op::PutWindow { client_id, slot, entry },
        Change::DeleteSession { client_id } => Op::DeleteSession { client_id },
        Change::PutDownlink { delivery, message } => Op::PutDownlink { delivery, message },
        Change::DeleteDownlink { delivery } => Op::DeleteDownlink { delivery },
        Change::PutOffset { topic, partition, next_offset } => {
            Op::PutOffset { topic, partition, next_offset }
        }
        Change::PutFact { kind, key, value } => Op::PutFact { kind: kind.into(), key, value },
        Change::DeleteFact { kind, key } => Op::DeleteFact { kind: kind.into(), key },
    }));
    operations
}

fn stored_block(block: Block) -> outbox_store::Block {
    outbox_store::Block {
        base_sequence: block.base_sequence,
        count: block.records.count as u32,
        codec: block.records.compression.to_attributes() as u8,
        base_timestamp_ms: block.records.base_timestamp,
        max_timestamp_ms: block.records.max_timestamp,
        raw_bytes: block.raw_bytes,
        section: block.records.bytes,
    }
}

/// The lane's blocks from `from` on, for the uplink. Blocks: call it where that is allowed.
pub fn read_blocks(
    reader: &Reader,
    lane: LaneId,
    from: BlockNumber,
    max_blocks: usize,
) -> Result<Vec<uplink::ReadBlock>, StoreError> {
    let blocks = reader.read_blocks(lane.0, from.0, max_blocks, READ_BYTES)?;
    Ok(blocks.into_iter().map(sendable_block).collect())
}

fn sendable_block(block: ReadBlock) -> uplink::ReadBlock {
    match block {
        ReadBlock::Damaged { number } => uplink::ReadBlock::Damaged(BlockNumber(number)),
        ReadBlock::Block { number, block } => {
            let number = BlockNumber(number);
            let (Ok(compression), Ok(count)) =
                (Compression::from_attributes(block.codec.into()), i32::try_from(block.count))
            else {
                return uplink::ReadBlock::Damaged(number);
            };
            let records = RecordSet {
                bytes: block.section,
                compression,
                count,
                base_timestamp: block.base_timestamp_ms,
                max_timestamp: block.max_timestamp_ms,
            };
            let (base_sequence, raw_bytes) = (block.base_sequence, block.raw_bytes);
            uplink::ReadBlock::Block(Block { number, base_sequence, raw_bytes, records })
        }
    }
}
