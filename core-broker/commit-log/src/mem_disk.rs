//! A disk in memory that tells what is live (the process sees it) from what is durable (a power cut spares
//! it), and that fails where a test says.
//!
//! A write is durable after `sync_data` of its file, a name after `sync_dir` of its folder. What was not
//! synced may be lost whole, kept whole, or torn at any byte or 512-byte sector, later writes without earlier
//! ones: disks and kernels write back in any order.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::disk::{Disk, DiskFile};

const SECTOR_BYTES: usize = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[derive(Debug, Clone, Default)]
pub struct MemDisk(Arc<Mutex<State>>);

#[derive(Debug)]
pub struct MemFile {
    disk: MemDisk,
    inode: u64,
}

#[derive(Debug, Default)]
struct State {
    dirs: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    unsynced_names: Vec<NameChange>,
    inodes: BTreeMap<u64, Inode>,
    operations: u64,
    writes: u64,
    syncs: u64,
    cut_power_at: Option<u64>,
    power_is_cut: bool,
    fail_write: Option<(u64, i32)>,
    fail_sync: Option<(u64, i32)>,
    capacity: Option<u64>,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf, u64),
}

/// How an operation ends, decided before it has an effect.
enum Fate {
    Done,
    /// The call fails with this error.
    Fails(io::Error),
    /// The power goes during the call: its effect may or may not be found afterwards.
    PowerCut,
}

impl MemDisk {
    pub fn new() -> MemDisk {
        MemDisk::default()
    }

    /// Files of more than `bytes` in sum fail with ENOSPC; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Every operation so far that changes or syncs something: the instants at which power can be cut.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Syncs of files and folders so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Cuts the power during operation number `operation` (the first is 1): it and all later calls fail.
    pub fn cut_power_at(&self, operation: u64) {
        self.state().cut_power_at = Some(operation);
    }

    /// As if not the power had gone at [`cut_power_at`](MemDisk::cut_power_at) but only the process: all it
    /// wrote is there, and what it did not sync can still be lost.
    pub fn restart_process(&self) {
        let mut state = self.state();
        (state.cut_power_at, state.power_is_cut) = (None, false);
    }

    /// Fails the `nth` write from here on (1 is the next), half done, with an OS error number.
    pub fn fail_write(&self, nth: u64, errno: i32) {
        let mut state = self.state();
        state.fail_write = Some((state.writes + nth, errno));
    }

    /// Fails the `nth` sync from here on. As on a real kernel, the bytes it was asked for stay visible, are
    /// not durable, and a later sync that succeeds does not make them so.
    pub fn fail_sync(&self, nth: u64, errno: i32) {
        let mut state = self.state();
        state.fail_sync = Some((state.syncs + nth, errno));
    }

    /// The disk as it is found after a power cut at this instant; this one is unchanged. Seed 0 loses all
    /// that was not synced, seed 1 keeps it all, any other tears it.
    pub fn crash(&self, seed: u64) -> MemDisk {
        let state = self.state();
        let mut chance = Chance(seed);
        let mut names = state.durable_names.clone();
        for change in &state.unsynced_names {
            if seed == 1 || (seed > 1 && chance.below(2) == 0) {
                change.apply(&mut names);
            }
        }
        let inodes = state
            .inodes
            .iter()
            .filter(|(inode, _)| names.values().any(|named| named == *inode))
            .map(|(&number, inode)| {
                let bytes = inode.after_crash(seed, &mut chance);
                (number, Inode { live: bytes.clone(), durable: bytes, unsynced: Vec::new() })
            })
            .collect();
        let dirs = state.dirs.clone();
        let durable_names = names.clone();
        MemDisk(Arc::new(Mutex::new(State { dirs, names, durable_names, inodes, ..State::default() })))
    }

    /// The live bytes of a file.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        Some(state.inodes.get(state.names.get(path)?)?.live.clone())
    }

    /// Replaces a file behind the log's back, durably: bit rot, or a hand with an editor.
    pub fn overwrite(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        let inode = state.names.get(path).copied().unwrap_or_else(|| state.fresh_inode());
        state.names.insert(path.to_owned(), inode);
        state.durable_names.insert(path.to_owned(), inode);
        state.inodes.insert(inode, Inode { live: bytes.clone(), durable: bytes, unsynced: Vec::new() });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fresh_inode(&self) -> u64 {
        self.inodes.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    fn powered(&self) -> io::Result<()> {
        if self.power_is_cut { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn operation(&mut self) -> Fate {
        if let Err(error) = self.powered() {
            return Fate::Fails(error);
        }
        self.operations += 1;
        if self.cut_power_at == Some(self.operations) {
            self.power_is_cut = true;
            return Fate::PowerCut;
        }
        Fate::Done
    }

    fn write_operation(&mut self) -> Fate {
        let fate = self.operation();
        self.writes += 1;
        match (fate, self.fail_write) {
            (Fate::Done, Some((n, errno))) if n == self.writes => {
                Fate::Fails(io::Error::from_raw_os_error(errno))
            }
            (fate, _) => fate,
        }
    }

    fn sync_operation(&mut self) -> Fate {
        let fate = self.operation();
        self.syncs += 1;
        match (fate, self.fail_sync) {
            (Fate::Done, Some((n, errno))) if n == self.syncs => {
                Fate::Fails(io::Error::from_raw_os_error(errno))
            }
            (fate, _) => fate,
        }
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        let fate = self.operation();
        if let Fate::Fails(error) = fate {
            return Err(error);
        }
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
        self.ended(fate)
    }

    fn ended(&self, fate: Fate) -> io::Result<()> {
        match fate {
            Fate::Done => Ok(()),
            Fate::Fails(error) => Err(error),
            Fate::PowerCut => self.powered(),
        }
    }

    fn used_bytes(&self) -> u64 {
        let linked: BTreeSet<u64> = self.names.values().copied().collect();
        self.inodes.iter().filter(|(n, _)| linked.contains(n)).map(|(_, inode)| inode.live.len() as u64).sum()
    }

    fn inode(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(not_found)
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            NameChange::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            NameChange::Unlink(path) => {
                names.remove(path);
            }
            NameChange::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }

    fn is_in(&self, dir: &Path) -> bool {
        match self {
            NameChange::Link(path, _) | NameChange::Unlink(path) | NameChange::Rename(_, path, _) => {
                path.parent() == Some(dir)
            }
        }
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.unsynced.push(change);
    }

    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    fn after_crash(&self, seed: u64, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.unsynced {
            match seed {
                0 => {}
                1 => change.apply(&mut bytes),
                _ => change.apply_torn(&mut bytes, chance),
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Change::Truncate(len) => file.resize(*len, 0),
            Change::Write { at, bytes } => {
                file.resize(file.len().max(at + bytes.len()), 0);
                file[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    fn apply_torn(&self, file: &mut Vec<u8>, chance: &mut Chance) {
        let Change::Write { at, bytes } = self else {
            if chance.below(2) == 0 {
                self.apply(file);
            }
            return;
        };
        match chance.below(4) {
            0 => {}
            1 => self.apply(file),
            2 => {
                let kept = chance.below(bytes.len() as u64 + 1) as usize;
                Change::Write { at: *at, bytes: bytes[..kept].to_vec() }.apply(file);
            }
            _ => {
                // The size is there, some sectors are not: they read as zeros.
                file.resize(file.len().max(at + bytes.len()), 0);
                for (n, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if chance.below(2) == 0 {
                        Change::Write { at: at + n * SECTOR_BYTES, bytes: sector.to_vec() }.apply(file);
                    }
                }
            }
        }
    }
}

impl Disk for MemDisk {
    type File = MemFile;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.powered()?;
        state.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.powered()?;
        if !state.dirs.contains(dir) {
            return Err(not_found());
        }
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create(&self, path: &Path) -> io::Result<MemFile> {
        let mut state = self.state();
        if !path.parent().is_some_and(|dir| state.dirs.contains(dir)) {
            return Err(not_found());
        }
        if let Some(&inode) = state.names.get(path) {
            let fate = state.operation();
            state.inode(inode)?.change(Change::Truncate(0));
            state.ended(fate)?;
            return Ok(MemFile { disk: self.clone(), inode });
        }
        let inode = state.fresh_inode();
        state.inodes.insert(inode, Inode::default());
        state.change_name(NameChange::Link(path.to_owned(), inode))?;
        Ok(MemFile { disk: self.clone(), inode })
    }

    fn open(&self, path: &Path) -> io::Result<MemFile> {
        let state = self.state();
        state.powered()?;
        let inode = *state.names.get(path).ok_or_else(not_found)?;
        Ok(MemFile { disk: self.clone(), inode })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = *state.names.get(from).ok_or_else(not_found)?;
        state.change_name(NameChange::Rename(from.to_owned(), to.to_owned(), inode))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.names.get(path).ok_or_else(not_found)?;
        state.change_name(NameChange::Unlink(path.to_owned()))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.sync_operation();
        let State { unsynced_names, durable_names, .. } = &mut *state;
        if let Fate::Done = fate {
            for change in unsynced_names.iter().filter(|change| change.is_in(dir)) {
                change.apply(durable_names);
            }
            unsynced_names.retain(|change| !change.is_in(dir));
        }
        state.ended(fate)
    }
}

impl DiskFile for MemFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.powered()?;
        let live = &state.inode(self.inode)?.live;
        let rest = live.get(usize::try_from(position).unwrap_or(usize::MAX)..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let mut fate = state.write_operation();
        let at = usize::try_from(position).map_err(|_| io::Error::from_raw_os_error(ENOSPC))?;
        let mut written = bytes.len();
        if let Fate::Fails(_) = fate {
            state.powered()?;
            written /= 2;
        } else if let Some(capacity) = state.capacity {
            let grows = (at + bytes.len()).saturating_sub(state.inode(self.inode)?.live.len());
            let free = usize::try_from(capacity.saturating_sub(state.used_bytes())).unwrap_or(usize::MAX);
            if grows > free {
                written -= grows - free;
                fate = Fate::Fails(io::Error::from_raw_os_error(ENOSPC));
            }
        }
        let bytes = bytes[..written].to_vec();
        state.inode(self.inode)?.change(Change::Write { at, bytes });
        state.ended(fate)
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.powered()?;
        Ok(state.inode(self.inode)?.live.len() as u64)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let fate = state.sync_operation();
        if let Fate::Fails(error) = fate {
            return Err(error);
        }
        let inode = state.inode(self.inode)?;
        inode.change(Change::Truncate(usize::try_from(len).map_err(|_| not_found())?));
        if let Fate::Done = fate {
            inode.sync(); // what a failed sync dropped before stays dropped
        }
        state.ended(fate)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let fate = state.sync_operation();
        let powered = state.powered().is_ok();
        let inode = state.inode(self.inode)?;
        match fate {
            Fate::Done => inode.sync(),
            Fate::Fails(_) if powered => inode.unsynced.clear(),
            Fate::Fails(_) | Fate::PowerCut => {}
        }
        state.ended(fate)
    }
}

/// splitmix64: a seed's worth of chance.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}
