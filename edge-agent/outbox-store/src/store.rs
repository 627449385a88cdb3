//! The writer: one owner, one thread, one transaction per commit.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use redb::Database;

use crate::{
    Committed, Op, Reader, StoreError, Written,
    backend::Counters,
    block::{MAX_SECTION_BYTES, count_of},
    lane::LaneRecord,
    sealed::seal,
    tables::Tables,
};

/// How many commits a reopen after a power cut may have to walk the file for.
pub const QUICK_REPAIR_EVERY: u64 = 100;

/// The outbox file, open for writing. Dropping it closes the file; [`Store::close`] also says
/// whether that went well.
#[derive(Debug)]
pub struct Store {
    pub(crate) db: Arc<Database>,
    pub(crate) counters: Arc<Counters>,
    /// The `lanes` table as it is on disk, so that a batch is checked before anything is written.
    pub(crate) lanes: BTreeMap<u32, LaneRecord>,
    pub(crate) commits: u64,
    pub(crate) poisoned: bool,
}

impl Store {
    /// Writes the batch and syncs it. When this returns `Ok` the batch survives a power cut; on an
    /// error none of it is on disk, or all of it is and the caller does not know: reopen and look.
    pub fn commit(&mut self, batch: &[Op]) -> Result<Committed, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let mut touched = self.plan(batch)?;
        let quick_repair = (self.commits + 1).is_multiple_of(QUICK_REPAIR_EVERY);
        match guarded(|| write(&self.db, batch, &self.lanes, &mut touched, quick_repair)) {
            Ok(()) => {
                self.lanes.append(&mut touched);
                self.commits += 1;
                Ok(self.stored())
            }
            Err(error) => {
                // What a failed write left behind is unknown to redb as well.
                self.poisoned = true;
                Err(error)
            }
        }
    }

    /// The lanes after the batch, but for the bytes that are forgotten: only the file knows those.
    fn plan(&self, batch: &[Op]) -> Result<BTreeMap<u32, LaneRecord>, StoreError> {
        let mut touched: BTreeMap<u32, LaneRecord> = BTreeMap::new();
        for op in batch {
            match op {
                Op::CreateLane { lane, what } => {
                    if self.lanes.contains_key(lane) || touched.contains_key(lane) {
                        return Err(StoreError::BadBatch(format!("lane {lane} exists")));
                    }
                    touched.insert(*lane, LaneRecord::new(what.clone()));
                }
                Op::SetProducer { lane, producer } => {
                    self.touch(&mut touched, *lane)?.producer = Some(*producer);
                }
                Op::Append { lane, block } => {
                    let record = self.touch(&mut touched, *lane)?;
                    if block.base_sequence != record.next_sequence {
                        let (next, base) = (record.next_sequence, block.base_sequence);
                        return Err(StoreError::BadBatch(format!(
                            "lane {lane} goes on at sequence {next}, not {base}"
                        )));
                    }
                    if block.section.len() > MAX_SECTION_BYTES || block.count == 0 {
                        let (bytes, count) = (block.section.len(), block.count);
                        return Err(StoreError::BadBatch(format!("block of {bytes} bytes, {count} events")));
                    }
                    record.next_sequence = block.next_sequence();
                    record.next_block += 1;
                }
                Op::Forget { lane, through_block } => {
                    let record = self.touch(&mut touched, *lane)?;
                    if *through_block >= record.next_block {
                        return Err(StoreError::BadBatch(format!(
                            "lane {lane} has no block {through_block}"
                        )));
                    }
                }
                _ => {}
            }
        }
        Ok(touched)
    }

    fn touch<'a>(
        &self,
        touched: &'a mut BTreeMap<u32, LaneRecord>,
        lane: u32,
    ) -> Result<&'a mut LaneRecord, StoreError> {
        use std::collections::btree_map::Entry;
        match touched.entry(lane) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => match self.lanes.get(&lane) {
                Some(record) => Ok(entry.insert(record.clone())),
                None => Err(StoreError::BadBatch(format!("there is no lane {lane}"))),
            },
        }
    }

    /// What waits for an acknowledgement.
    pub fn stored(&self) -> Committed {
        self.lanes.values().fold(Committed { stored_bytes: 0, stored_events: 0 }, |sum, lane| Committed {
            stored_bytes: sum.stored_bytes.saturating_add(lane.stored_bytes),
            stored_events: sum.stored_events.saturating_add(lane.stored_events),
        })
    }

    /// A handle for reads on other threads, which see whole commits only and never wait for one.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::downgrade(&self.db))
    }

    /// What went to the disk since the store was opened.
    pub fn written(&self) -> Written {
        self.counters.written(self.commits)
    }

    /// Closes the file and leaves it so that the next open is instant. Reads under way on other
    /// threads only delay this until they end.
    pub fn close(self) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        guarded(|| {
            write(&self.db, &[], &self.lanes, &mut BTreeMap::new(), true)?;
            match Arc::try_unwrap(self.db) {
                Ok(db) => Ok(db.close()?),
                // A reader holds it; the last one to let go closes it, and the commit above is enough.
                Err(_) => Ok(()),
            }
        })
    }
}

/// redb asserts on some damage; a damaged file must not take the agent down with it.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Corrupted("redb gave up on what it read".into())))
}

fn write(
    db: &Database,
    batch: &[Op],
    before: &BTreeMap<u32, LaneRecord>,
    touched: &mut BTreeMap<u32, LaneRecord>,
    quick_repair: bool,
) -> Result<(), StoreError> {
    let mut txn = db.begin_write()?;
    txn.set_quick_repair(quick_repair);
    {
        let mut tables = Tables::open(&txn)?;
        // The records in `touched` are already past the batch.
        let mut next_blocks = before.iter().map(|(lane, record)| (*lane, record.next_block)).collect();
        for op in batch {
            apply(&mut tables, op, touched, &mut next_blocks)?;
        }
        for (lane, record) in touched.iter() {
            let payload = record.encode().map_err(|error| StoreError::BadBatch(error.to_string()))?;
            tables.lanes.insert(lane, seal(&payload).as_slice())?;
        }
    }
    Ok(txn.commit()?)
}

/// `next_blocks`: the number of each lane's next append, while the batch is being written.
fn apply(
    tables: &mut Tables<'_>,
    op: &Op,
    touched: &mut BTreeMap<u32, LaneRecord>,
    next_blocks: &mut BTreeMap<u32, u64>,
) -> Result<(), StoreError> {
    match op {
        Op::CreateLane { .. } | Op::SetProducer { .. } => {} // in `touched` already
        Op::Append { lane, block } => {
            let record = planned(touched, *lane)?;
            let next_block = next_blocks.entry(*lane).or_insert(0);
            let number = *next_block;
            *next_block += 1;
            let value = block.encode(*lane, number);
            record.stored_bytes += value.len() as u64;
            record.stored_events += u64::from(block.count);
            tables.blocks.insert((*lane, number), value.as_slice())?;
        }
        Op::Forget { lane, through_block } => {
            let record = planned(touched, *lane)?;
            for number in record.first_block..through_block.saturating_add(1) {
                let Some(value) = tables.blocks.remove((*lane, number))? else { continue };
                let value = value.value();
                record.stored_bytes = record.stored_bytes.saturating_sub(value.len() as u64);
                record.stored_events = record.stored_events.saturating_sub(u64::from(count_of(value)));
            }
            record.first_block = record.first_block.max(through_block.saturating_add(1));
        }
        Op::PutSession { client_id, record } => {
            tables.sessions.insert(client_id.as_str(), seal(record).as_slice())?;
        }
        Op::PutWindow { client_id, slot, entry } => {
            tables.windows.insert((client_id.as_str(), *slot), seal(entry).as_slice())?;
        }
        Op::DeleteSession { client_id } => {
            tables.sessions.remove(client_id.as_str())?;
            let client_id = client_id.as_str();
            tables.windows.retain_in((client_id, 0)..=(client_id, u16::MAX), |_, _| false)?;
        }
        Op::PutDownlink { delivery, message } => {
            tables.downlink.insert(delivery, seal(message).as_slice())?;
        }
        Op::DeleteDownlink { delivery } => {
            tables.downlink.remove(delivery)?;
        }
        Op::PutOffset { topic, partition, next_offset } => {
            tables
                .offsets
                .insert((topic.as_str(), *partition), seal(&next_offset.to_le_bytes()).as_slice())?;
        }
        Op::PutFact { kind, key, value } => {
            tables.facts.insert((kind.as_str(), key.as_str()), seal(value).as_slice())?;
        }
        Op::DeleteFact { kind, key } => {
            tables.facts.remove((kind.as_str(), key.as_str()))?;
        }
    }
    Ok(())
}

fn planned(touched: &mut BTreeMap<u32, LaneRecord>, lane: u32) -> Result<&mut LaneRecord, StoreError> {
    touched.get_mut(&lane).ok_or_else(|| StoreError::BadBatch(format!("lane {lane} was not planned")))
}
