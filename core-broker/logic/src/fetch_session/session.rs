//! One consumer's session.

use std::collections::BTreeMap;

use super::{Key, Told, Wanted, next_epoch};
use crate::ids::Offset;

#[derive(Debug)]
pub struct Session {
    pub by_id: bool,
    /// Of the request that comes next.
    pub epoch: i32,
    pub created_ms: i64,
    pub last_used_ms: i64,
    partitions: BTreeMap<Key, Watched>,
    /// In the order of reading: who had records goes to the end, so that none starves behind another.
    order: BTreeMap<u64, Key>,
    next_turn: u64,
}

#[derive(Debug)]
struct Watched {
    turn: u64,
    wanted: Wanted,
    /// What the consumer knows; -1 for nothing.
    high_watermark: Offset,
    log_start: Offset,
}

const NOTHING: Offset = Offset(-1);

impl Session {
    pub fn new(by_id: bool, partitions: Vec<(Key, Wanted)>, told: &[Told], now_ms: i64) -> Session {
        let mut session = Session {
            by_id,
            epoch: next_epoch(super::INITIAL_EPOCH),
            created_ms: now_ms,
            last_used_ms: now_ms,
            partitions: BTreeMap::new(),
            order: BTreeMap::new(),
            next_turn: 0,
        };
        session.change(partitions.clone(), Vec::new());
        session.tell(&partitions, told);
        session
    }

    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    pub fn change(&mut self, wanted: Vec<(Key, Wanted)>, forgotten: Vec<Key>) {
        for (key, wanted) in wanted {
            if let Some(watched) = self.partitions.get_mut(&key) {
                watched.wanted = wanted;
                continue;
            }
            let turn = self.take_turn(&key);
            let watched = Watched { turn, wanted, high_watermark: NOTHING, log_start: NOTHING };
            self.partitions.insert(key, watched);
        }
        for key in forgotten {
            if let Some(watched) = self.partitions.remove(&key) {
                self.order.remove(&watched.turn);
            }
        }
    }

    /// All partitions in the order of reading.
    pub fn wanted(&self) -> Vec<(Key, Wanted)> {
        let in_order = self.order.values();
        in_order.filter_map(|key| Some((key.clone(), self.partitions.get(key)?.wanted))).collect()
    }

    /// Remembers what the consumer is told, and says which partitions it must be told of.
    pub fn tell(&mut self, partitions: &[(Key, Wanted)], told: &[Told]) -> Vec<bool> {
        partitions.iter().zip(told).map(|((key, _), told)| self.tell_of(key, told)).collect()
    }

    fn tell_of(&mut self, key: &Key, told: &Told) -> bool {
        let turn = told.has_records.then(|| self.take_turn(key));
        let Some(watched) = self.partitions.get_mut(key) else { return true };
        if let Some(turn) = turn {
            self.order.remove(&watched.turn);
            watched.turn = turn;
        }
        let changed = watched.high_watermark != told.high_watermark || watched.log_start != told.log_start;
        // That an error is over is news too.
        watched.high_watermark = if told.is_error { NOTHING } else { told.high_watermark };
        watched.log_start = told.log_start;
        changed || told.has_records || told.is_error
    }

    fn take_turn(&mut self, key: &Key) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.order.insert(turn, key.clone());
        turn
    }
}
