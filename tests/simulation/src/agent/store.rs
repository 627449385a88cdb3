//! Between the logic's words and the store's, as the edge agent's shell does it.

use edge_logic::{
    agent::Stored,
    downlink::StoredDownlink,
    lane::{Block, BlockNumber, LaneId, LaneKey, StoredLane},
    outbox::{Change, Commit},
    uplink,
};
use kafka_wire::record_batch::{Compression, RecordSet};
use outbox_store::{Lane, Loaded, Op, Producer, ReadBlock, Reader, Store, StoreError};
use uplink_wire::{Class, StampedProducer};

const READ_BYTES: usize = 512 << 10;

/// A record that cannot be read would be damage, and nothing damages this disk.
pub fn translated(store: &Store, loaded: Loaded) -> Stored {
    assert!(loaded.damaged.is_empty(), "damaged without damage: {:?}", loaded.damaged);
    let lanes = loaded.lanes.iter().map(|lane| StoredLane {
        id: LaneId(lane.id),
        key: LaneKey {
            topic: lane.lane.topic.clone(),
            partition: lane.lane.partition,
            class: Class::ALL[usize::from(lane.lane.class)],
        },
        producer: lane.producer.map(|producer| StampedProducer { id: producer.id, epoch: producer.epoch }),
        next_sequence: lane.next_sequence,
        first_block: BlockNumber(lane.first_block),
        next_block: BlockNumber(lane.next_block),
    });
    let (sessions, unreadable) = Stored::sessions(&loaded.sessions, &loaded.windows);
    assert!(unreadable.is_empty(), "sessions that cannot be read: {unreadable:?}");
    Stored {
        boot: loaded.boot,
        lanes: lanes.collect(),
        stored_bytes: store.stored().stored_bytes,
        sessions,
        downlink: StoredDownlink { pending: loaded.downlink, offsets: loaded.offsets, facts: loaded.facts },
    }
}

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
            let records = RecordSet {
                bytes: block.section,
                compression: Compression::from_attributes(block.codec.into()).expect("a codec"),
                count: block.count as i32,
                base_timestamp: block.base_timestamp_ms,
                max_timestamp: block.max_timestamp_ms,
            };
            let (base_sequence, raw_bytes) = (block.base_sequence, block.raw_bytes);
            uplink::ReadBlock::Block(Block { number: BlockNumber(number), base_sequence, raw_bytes, records })
        }
    }
}
