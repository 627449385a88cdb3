//! A disk in memory that can lose power, run full or break.

use std::{
    io,
    sync::{Arc, Mutex},
};

use redb::StorageBackend;

use crate::chance::Chance;

/// When the power goes, counted in syncs from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Some of what was written since the last sync is on the plate, torn at sectors.
    Before(u64),
    /// All of it is, but nobody was told.
    After(u64),
}

const SECTOR: usize = 512;

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

#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    pub fn new(durable: Vec<u8>, cut: Option<Cut>, seed: u64) -> Self {
        Disk(Arc::new(Mutex::new(State { live: durable.clone(), durable, cut, seed, ..State::default() })))
    }

    pub fn durable(&self) -> Vec<u8> {
        self.0.lock().unwrap().durable.clone()
    }

    pub fn syncs(&self) -> u64 {
        self.0.lock().unwrap().syncs
    }

    pub fn length(&self) -> usize {
        self.0.lock().unwrap().live.len()
    }

    /// No room for more than this.
    pub fn limit(&self, capacity: Option<usize>) {
        self.0.lock().unwrap().capacity = capacity;
    }

    /// Every write and sync fails from here on.
    pub fn fail_writes(&self, broken: bool) {
        self.0.lock().unwrap().broken = broken;
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

    fn tear(&mut self) {
        let mut chance = Chance(self.seed ^ self.syncs);
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Length(length) => {
                    if chance.below(2) == 0 {
                        self.durable.resize(length.max(self.durable.len()), 0);
                    }
                }
                Pending::Write(offset, data) => {
                    for (n, sector) in data.chunks(SECTOR).enumerate() {
                        if chance.below(3) != 0 {
                            continue;
                        }
                        let at = offset + n * SECTOR;
                        if self.durable.len() < at + sector.len() {
                            self.durable.resize(at + sector.len(), 0);
                        }
                        self.durable[at..at + sector.len()].copy_from_slice(sector);
                    }
                }
            }
        }
        self.dead = true;
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let state = self.0.lock().unwrap();
        state.alive()?;
        Ok(state.live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        state.alive()?;
        let from = offset as usize;
        let bytes = state.live.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.writable()?;
        if state.capacity.is_some_and(|capacity| len as usize > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.live.resize(len as usize, 0);
        state.pending.push(Pending::Length(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.writable()?;
        state.syncs += 1;
        if state.cut == Some(Cut::Before(state.syncs)) {
            state.tear();
        }
        state.alive()?;
        state.durable = state.live.clone();
        state.pending.clear();
        if state.cut == Some(Cut::After(state.syncs)) {
            state.dead = true;
        }
        state.alive()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
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
