//! A disk in memory that can lose power, run full or break: for tests and for the simulation, which open a
//! store on it with [`Store::open_on`](crate::Store::open_on).
//!
//! What was not synced when the power goes may be lost whole, kept whole, or torn at 512-byte sectors, later
//! writes without earlier ones. Which sectors survive depends on the seed and on their places alone, not on
//! the order in which they were written.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;

const SECTOR: usize = 512;

/// When the power goes, counted in syncs from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Some of what was written since the last sync is on the plate, torn at sectors.
    Before(u64),
    /// All of it is, but nobody was told.
    After(u64),
}

#[derive(Debug)]
enum Pending {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Default)]
struct State {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
    syncs: u64,
    cut: Option<Cut>,
    seed: u64,
    capacity: Option<usize>,
    broken: bool,
    dead: bool,
}

/// Cheap to clone; all clones are one disk.
#[derive(Debug, Clone, Default)]
pub struct MemDisk(Arc<Mutex<State>>);

impl MemDisk {
    pub fn new(durable: Vec<u8>, cut: Option<Cut>, seed: u64) -> Self {
        MemDisk(Arc::new(Mutex::new(State { live: durable.clone(), durable, cut, seed, ..State::default() })))
    }

    pub fn durable(&self) -> Vec<u8> {
        self.state().durable.clone()
    }

    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    pub fn length(&self) -> usize {
        self.state().live.len()
    }

    /// No room for more than this.
    pub fn limit(&self, capacity: Option<usize>) {
        self.state().capacity = capacity;
    }

    /// Every write and sync fails from here on.
    pub fn fail_writes(&self, broken: bool) {
        self.state().broken = broken;
    }

    /// The power goes at this sync.
    pub fn cut_power_at(&self, cut: Cut) {
        self.state().cut = Some(cut);
    }

    /// The disk as it is found after a power cut at this instant; this one answers nothing any more. Seed 0
    /// loses all that was not synced, seed 1 keeps it all, as when only the process died; any other tears it.
    pub fn crash(&self, seed: u64) -> MemDisk {
        let mut state = self.state();
        if !state.dead {
            match seed {
                0 => state.pending.clear(),
                1 => state.settle(),
                seed => state.tear(seed),
            }
            state.dead = true;
        }
        MemDisk::new(state.durable.clone(), None, state.seed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the power is out")) } else { Ok(()) }
    }

    fn writable(&self) -> io::Result<()> {
        self.alive()?;
        if self.broken { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }

    /// All that was written is durable.
    fn settle(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Length(length) => self.durable.resize(length, 0),
                Pending::Write(offset, data) => put(&mut self.durable, offset, &data),
            }
        }
    }

    /// Some of what was written is durable.
    fn tear(&mut self, seed: u64) {
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Length(length) => {
                    if mixed(seed, length).is_multiple_of(2) {
                        let length = length.max(self.durable.len());
                        self.durable.resize(length, 0);
                    }
                }
                Pending::Write(offset, data) => {
                    for (n, sector) in data.chunks(SECTOR).enumerate() {
                        let at = offset + n * SECTOR;
                        if mixed(seed, at).is_multiple_of(3) {
                            put(&mut self.durable, at, sector);
                        }
                    }
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// Chance without a state: splitmix64 of the seed and a place.
fn mixed(seed: u64, place: usize) -> u64 {
    let mut z = seed.wrapping_add((place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl StorageBackend for MemDisk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        Ok(state.live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        state.alive()?;
        let from = offset as usize;
        let bytes = state.live.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        if state.capacity.is_some_and(|capacity| len as usize > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.live.resize(len as usize, 0);
        state.pending.push(Pending::Length(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        state.syncs += 1;
        if state.cut == Some(Cut::Before(state.syncs)) {
            let seed = state.seed ^ state.syncs;
            state.tear(seed);
            state.dead = true;
        }
        state.alive()?;
        state.settle();
        if state.cut == Some(Cut::After(state.syncs)) {
            state.dead = true;
        }
        state.alive()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        let from = offset as usize;
        if state.live.len() < from + data.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        state.live[from..from + data.len()].copy_from_slice(data);
        state.pending.push(Pending::Write(from, data.to_vec()));
        Ok(())
    }
}
