//! Opening: what the file says, and what to do with a file that says nonsense.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use redb::{Builder, Database, DatabaseError, ReadableTable, StorageBackend, Table, backends::FileBackend};

use crate::{
    Lane, OpenError, Producer, Store, StoreError,
    backend::{Counters, Counting},
    lane::LaneRecord,
    sealed::{seal, unseal},
    store::guarded,
    tables::Tables,
};

const FORMAT: u32 = 1;

/// More than this and something else is wrong with the disk.
const MAX_QUARANTINED: u32 = 100;

#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// redb's page cache; its own default of 1 GiB is more than a gateway has.
    pub cache_bytes: usize,
    /// Kept in the file when it is made.
    pub agent_id: String,
    /// Check every page of the file first, and quarantine it if one is wrong: for the reopen after
    /// [`StoreError::Corrupted`]. Not for every start, because it gives up a whole file for one bad
    /// page, where the checksums of the blocks give up one block.
    pub verify: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig { cache_bytes: 8 << 20, agent_id: String::new(), verify: false }
    }
}

/// All that the file says, but for the blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Counts the opens of this file; 1 is the first.
    pub boot: u64,
    /// Whose file it was when it was made.
    pub agent_id: String,
    pub lanes: Vec<LoadedLane>,
    pub sessions: Vec<(String, Bytes)>,
    /// (client id, slot, entry)
    pub windows: Vec<(String, u16, Bytes)>,
    pub downlink: Vec<(u64, Bytes)>,
    /// (topic, partition, next offset)
    pub offsets: Vec<(String, i32, i64)>,
    /// (kind, key, value)
    pub facts: Vec<(String, String, Bytes)>,
    /// The file that was there could not be understood. An alarm: a human must look at it.
    pub quarantined: Option<Quarantined>,
    /// Records left out because their checksum does not match, as "table key".
    pub damaged: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedLane {
    pub id: u32,
    pub lane: Lane,
    pub producer: Option<Producer>,
    pub next_sequence: i32,
    /// The first block that is not forgotten; equal to `next_block` when there is none.
    pub first_block: u64,
    pub next_block: u64,
    pub stored_bytes: u64,
    pub stored_events: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub path: PathBuf,
    pub why: String,
}

impl Store {
    /// Opens the file, or makes it. A damaged one is renamed to `*.quarantine-<n>` with the first
    /// free n, a fresh one is started, and [`Loaded::quarantined`] says so.
    pub fn open(path: &Path, config: &StoreConfig) -> Result<(Store, Loaded), OpenError> {
        match open_file(path, config) {
            Err(OpenError::Damaged(why)) => {
                let aside = move_aside(path)?;
                let (store, mut loaded) = open_file(path, config)?;
                loaded.quarantined = Some(Quarantined { path: aside, why });
                Ok((store, loaded))
            }
            result => result,
        }
    }

    /// Opens on a disk of the caller's own; damage is an error, there being nothing to rename.
    pub fn open_on(backend: impl StorageBackend, config: &StoreConfig) -> Result<(Store, Loaded), OpenError> {
        let counters = Arc::new(Counters::default());
        let backend = Counting { inner: backend, counters: counters.clone() };
        guarded(|| Ok(open_database(backend, counters, config))).map_err(OpenError::from)?
    }
}

fn open_file(path: &Path, config: &StoreConfig) -> Result<(Store, Loaded), OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    if path.try_exists().map_err(failed)? {
        return open_at(path, config);
    }
    // Made under another name: a power cut while the file is made leaves no file, not half of one.
    let unfinished = with_suffix(path, ".new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let made = open_at(&unfinished, config)?;
    std::fs::rename(&unfinished, path).map_err(failed)?;
    // A file whose name is not on disk is gone after a power cut, however well it was synced.
    sync_folder_of(path).map_err(failed)?;
    Ok(made)
}

fn open_at(path: &Path, config: &StoreConfig) -> Result<(Store, Loaded), OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    let backend = FileBackend::new(file).map_err(StoreError::from)?;
    match Store::open_on(backend, config) {
        Err(OpenError::InUse(_)) => Err(OpenError::InUse(path.to_owned())),
        result => result,
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn move_aside(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let mut aside = path.to_owned();
    for n in 1..=MAX_QUARANTINED {
        aside = with_suffix(path, &format!(".quarantine-{n}"));
        if !aside.try_exists().map_err(failed)? {
            std::fs::rename(path, &aside).map_err(failed)?;
            sync_folder_of(path).map_err(failed)?;
            return Ok(aside);
        }
    }
    Err(OpenError::File { path: aside, source: io::ErrorKind::AlreadyExists.into() })
}

fn open_database(
    backend: impl StorageBackend,
    counters: Arc<Counters>,
    config: &StoreConfig,
) -> Result<(Store, Loaded), OpenError> {
    let db = Builder::new()
        .set_cache_size(config.cache_bytes)
        .set_check_integrity_on_open(config.verify)
        .create_with_backend(backend)?;
    let (loaded, lanes) = start(&db, config)?;
    Ok((Store { db: Arc::new(db), counters, lanes, commits: 0, poisoned: false }, loaded))
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(PathBuf::new()),
            DatabaseError::Storage(error) => StoreError::from(error).into(),
            other => OpenError::Damaged(other.to_string()),
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupted(why) => OpenError::Damaged(why),
            other => OpenError::Disk(other),
        }
    }
}

/// Reads everything and counts the boot, in one transaction.
fn start(db: &Database, config: &StoreConfig) -> Result<(Loaded, BTreeMap<u32, LaneRecord>), OpenError> {
    let mut txn = db.begin_write().map_err(StoreError::from)?;
    txn.set_quick_repair(true);
    let mut loaded = Loaded::default();
    let mut lanes = BTreeMap::new();
    {
        let mut tables = Tables::open(&txn)?;
        read_meta(&mut tables.meta, config, &mut loaded)?;
        for entry in tables.lanes.iter().map_err(StoreError::from)? {
            let (id, value) = entry.map_err(StoreError::from)?;
            // Without its lane a block is nobody's: this is not a file to go on with.
            let record = unseal(value.value())
                .and_then(|payload| LaneRecord::decode(&payload))
                .ok_or_else(|| OpenError::Damaged(format!("the record of lane {}", id.value())))?;
            loaded.lanes.push(loaded_lane(id.value(), &record));
            lanes.insert(id.value(), record);
        }
        read_rest(&tables, &mut loaded)?;
    }
    txn.commit().map_err(StoreError::from)?;
    Ok((loaded, lanes))
}

fn read_meta(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    config: &StoreConfig,
    loaded: &mut Loaded,
) -> Result<(), OpenError> {
    let get = |key: &str| -> Result<Option<Bytes>, OpenError> {
        match meta.get(key).map_err(StoreError::from)? {
            None => Ok(None),
            Some(value) => match unseal(value.value()) {
                Some(payload) => Ok(Some(payload)),
                None => Err(OpenError::Damaged(format!("meta {key}"))),
            },
        }
    };
    let fixed = |key: &str, payload: &[u8]| OpenError::Damaged(format!("meta {key} has {}", payload.len()));
    if let Some(payload) = get("format")? {
        let found = payload.as_ref().try_into().map(u32::from_le_bytes);
        let found = found.map_err(|_| fixed("format", &payload))?;
        if found != FORMAT {
            return Err(OpenError::LaterFormat { found, known: FORMAT });
        }
    }
    if let Some(payload) = get("boot")? {
        let boot = payload.as_ref().try_into().map(u64::from_le_bytes);
        loaded.boot = boot.map_err(|_| fixed("boot", &payload))?;
    }
    loaded.boot += 1;
    loaded.agent_id = match get("agent")? {
        Some(payload) => String::from_utf8_lossy(&payload).into_owned(),
        None => config.agent_id.clone(),
    };
    let values = [
        ("format", FORMAT.to_le_bytes().to_vec()),
        ("boot", loaded.boot.to_le_bytes().to_vec()),
        ("agent", loaded.agent_id.clone().into_bytes()),
    ];
    for (key, payload) in values {
        meta.insert(key, seal(&payload).as_slice()).map_err(StoreError::from)?;
    }
    Ok(())
}

fn loaded_lane(id: u32, record: &LaneRecord) -> LoadedLane {
    LoadedLane {
        id,
        lane: record.lane.clone(),
        producer: record.producer,
        next_sequence: record.next_sequence,
        first_block: record.first_block,
        next_block: record.next_block,
        stored_bytes: record.stored_bytes,
        stored_events: record.stored_events,
    }
}

fn read_rest(tables: &Tables<'_>, loaded: &mut Loaded) -> Result<(), StoreError> {
    for entry in tables.sessions.iter()? {
        let (key, value) = entry?;
        match unseal(value.value()) {
            Some(record) => loaded.sessions.push((key.value().to_owned(), record)),
            None => loaded.damaged.push(format!("sessions {}", key.value())),
        }
    }
    for entry in tables.windows.iter()? {
        let (key, value) = entry?;
        let (client_id, slot) = key.value();
        match unseal(value.value()) {
            Some(entry) => loaded.windows.push((client_id.to_owned(), slot, entry)),
            None => loaded.damaged.push(format!("windows {client_id} {slot}")),
        }
    }
    for entry in tables.downlink.iter()? {
        let (key, value) = entry?;
        match unseal(value.value()) {
            Some(message) => loaded.downlink.push((key.value(), message)),
            None => loaded.damaged.push(format!("downlink {}", key.value())),
        }
    }
    for entry in tables.offsets.iter()? {
        let (key, value) = entry?;
        let (topic, partition) = key.value();
        match unseal(value.value()).and_then(|payload| payload.as_ref().try_into().ok()) {
            Some(offset) => loaded.offsets.push((topic.to_owned(), partition, i64::from_le_bytes(offset))),
            None => loaded.damaged.push(format!("offsets {topic}-{partition}")),
        }
    }
    for entry in tables.facts.iter()? {
        let (key, value) = entry?;
        let (kind, name) = key.value();
        match unseal(value.value()) {
            Some(fact) => loaded.facts.push((kind.to_owned(), name.to_owned(), fact)),
            None => loaded.damaged.push(format!("facts {kind} {name}")),
        }
    }
    Ok(())
}
