//! What a store must say, as plain maps, and what a running agent might commit next.

use std::collections::BTreeMap;

use bytes::Bytes;
use outbox_store::{Block, Lane, Loaded, Op, Producer, ReadBlock, Store};

use crate::chance::Chance;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub lanes: BTreeMap<u32, ModelLane>,
    pub sessions: BTreeMap<String, Bytes>,
    pub windows: BTreeMap<(String, u16), Bytes>,
    pub downlink: BTreeMap<u64, Bytes>,
    pub offsets: BTreeMap<(String, i32), i64>,
    pub facts: BTreeMap<(String, String), Bytes>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLane {
    pub lane: Lane,
    pub producer: Option<Producer>,
    pub next_sequence: i32,
    pub next_block: u64,
    pub blocks: BTreeMap<u64, Block>,
}

impl Model {
    pub fn apply(&mut self, batch: &[Op]) {
        for op in batch.iter().cloned() {
            match op {
                Op::CreateLane { lane, what } => {
                    let blocks = BTreeMap::new();
                    let made =
                        ModelLane { lane: what, producer: None, next_sequence: 0, next_block: 0, blocks };
                    self.lanes.insert(lane, made);
                }
                Op::SetProducer { lane, producer } => {
                    self.lanes.get_mut(&lane).unwrap().producer = Some(producer)
                }
                Op::Append { lane, block } => {
                    let lane = self.lanes.get_mut(&lane).unwrap();
                    lane.next_sequence = block.base_sequence + block.count as i32;
                    lane.blocks.insert(lane.next_block, block);
                    lane.next_block += 1;
                }
                Op::Forget { lane, through_block } => {
                    self.lanes.get_mut(&lane).unwrap().blocks.retain(|number, _| *number > through_block)
                }
                Op::PutSession { client_id, record } => {
                    self.sessions.insert(client_id, record);
                }
                Op::PutWindow { client_id, slot, entry } => {
                    self.windows.insert((client_id, slot), entry);
                }
                Op::DeleteSession { client_id } => {
                    self.sessions.remove(&client_id);
                    self.windows.retain(|(client, _), _| *client != client_id);
                }
                Op::PutDownlink { delivery, message } => {
                    self.downlink.insert(delivery, message);
                }
                Op::DeleteDownlink { delivery } => {
                    self.downlink.remove(&delivery);
                }
                Op::PutOffset { topic, partition, next_offset } => {
                    self.offsets.insert((topic, partition), next_offset);
                }
                Op::PutFact { kind, key, value } => {
                    self.facts.insert((kind, key), value);
                }
                Op::DeleteFact { kind, key } => {
                    self.facts.remove(&(kind, key));
                }
            }
        }
    }

    /// What a store that was just opened says.
    pub fn of(store: &Store, loaded: &Loaded) -> Model {
        let reader = store.reader();
        let lanes = loaded.lanes.iter().map(|lane| {
            let blocks: BTreeMap<u64, Block> = reader
                .read_blocks(lane.id, 0, usize::MAX, usize::MAX)
                .unwrap()
                .into_iter()
                .map(|read| match read {
                    ReadBlock::Block { number, block } => (number, block),
                    ReadBlock::Damaged { number } => panic!("block {number} of lane {} is damaged", lane.id),
                })
                .collect();
            let events: u64 = blocks.values().map(|block| u64::from(block.count)).sum();
            assert_eq!(lane.stored_events, events, "lane {}", lane.id);
            assert_eq!(lane.first_block, blocks.keys().next().copied().unwrap_or(lane.next_block));
            let model = ModelLane {
                lane: lane.lane.clone(),
                producer: lane.producer,
                next_sequence: lane.next_sequence,
                next_block: lane.next_block,
                blocks,
            };
            (lane.id, model)
        });
        Model {
            lanes: lanes.collect(),
            sessions: loaded.sessions.iter().cloned().collect(),
            windows: loaded
                .windows
                .iter()
                .map(|(client, slot, entry)| ((client.clone(), *slot), entry.clone()))
                .collect(),
            downlink: loaded.downlink.iter().cloned().collect(),
            offsets: loaded
                .offsets
                .iter()
                .map(|(topic, partition, next)| ((topic.clone(), *partition), *next))
                .collect(),
            facts: loaded
                .facts
                .iter()
                .map(|(kind, key, value)| ((kind.clone(), key.clone()), value.clone()))
                .collect(),
        }
    }

    /// A batch that a running agent might commit in this state.
    pub fn next_batch(&self, chance: &mut Chance) -> Vec<Op> {
        let mut batch = Vec::new();
        let mut after = self.clone();
        for lane in 0..3 {
            let Some(known) = after.lanes.get(&lane) else {
                let what = Lane { topic: "trucks_gps".into(), partition: lane as i32, class: 1 };
                batch.push(Op::CreateLane { lane, what });
                after.apply(&batch[batch.len() - 1..]);
                continue;
            };
            if known.producer.is_none() {
                batch.push(Op::SetProducer {
                    lane,
                    producer: Producer { id: i64::from(lane) + 70, epoch: 0 },
                });
            }
            if chance.below(4) != 0 {
                batch.push(Op::Append { lane, block: block(known.next_sequence, chance) });
            }
            if let Some((first, _)) = known.blocks.first_key_value()
                && chance.below(2) == 0
            {
                let last = known.next_block - 1;
                let through_block = first + chance.below(last - first + 1);
                batch.push(Op::Forget { lane, through_block });
            }
        }
        let client_id = format!("truck-{}", chance.below(4));
        let value = Bytes::from(chance.below(u64::MAX).to_string());
        batch.push(match chance.below(8) {
            0 => Op::DeleteSession { client_id },
            1 => Op::PutDownlink { delivery: chance.below(5), message: value },
            2 => Op::DeleteDownlink { delivery: chance.below(5) },
            3 => Op::PutOffset {
                topic: "driver_alerts".into(),
                partition: chance.below(3) as i32,
                next_offset: chance.below(100) as i64,
            },
            4 => Op::PutFact { kind: "device".into(), key: client_id, value },
            5 => Op::DeleteFact { kind: "device".into(), key: client_id },
            6 => Op::PutSession { client_id, record: value },
            _ => Op::PutWindow { client_id, slot: chance.below(4) as u16, entry: value },
        });
        batch
    }
}

fn block(base_sequence: i32, chance: &mut Chance) -> Block {
    let section = vec![chance.below(256) as u8; 1 + chance.below(9000) as usize];
    Block {
        base_sequence,
        count: 1 + chance.below(50) as u32,
        codec: 4,
        base_timestamp_ms: 1_700_000_000_000,
        max_timestamp_ms: 1_700_000_000_000 + chance.below(1000) as i64,
        raw_bytes: section.len() as u32 * 6,
        section: section.into(),
    }
}
