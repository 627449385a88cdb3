//! The metadata log, and what its records made. It is kept short by snapshots: of its beginning only the image is
//! left, and the records since the snapshot before the newest one, in case that one is damaged.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use broker_logic::{
    cluster::{ClusterImage, Command, Limits, Record},
    ids::TopicId,
};
use bytes::Bytes;
use commit_log::{Corruption, Disk, DiskFile, Log, LogConfig, LogError, RealDisk};
use kafka_wire::record_batch::{self, Compression, Producer, RecordsEncoder};
use tracing::warn;

use super::{ControllerError, removed_topic};
use crate::clock;

/// The metadata log is no topic that a client could name.
const METADATA_TOPIC_ID: [u8; 16] = [0; 16];

const METADATA_READ_BYTES: usize = 1 << 20;

/// In the folder of the log: what was found damaged in it. No start goes on while it is there.
const DAMAGED: &str = "damaged";
/// What an operator makes of it who has no copy: what is missing stays missing.
const ACCEPTED: &str = "damaged-accepted";
const DAMAGED_BYTES: u64 = 4_096;

/// A snapshot is taken when the records since the last one take this much, and as much as itself: so the log is
/// never much longer than what it tells, and nothing is written more than about twice.
const SNAPSHOT_AFTER_BYTES: u64 = 1 << 20;

/// The metadata as the log has it, before anybody is served.
pub struct Metadata<D: Disk = RealDisk> {
    disk: D,
    folder: PathBuf,
    log: Log<D>,
    pub image: ClusterImage,
    /// Topics that were deleted, as far back as the log goes.
    pub(super) removed: BTreeSet<TopicId>,
    limits: Limits,
    /// The log was closed before.
    pub after_clean_stop: bool,
    /// An operator goes on without what is missing.
    pub is_accepted_damage: bool,
    /// The newest snapshot; 0 before there is one.
    snapshot_offset: i64,
    /// When the records since then take so much, the next one is due.
    snapshot_due: u64,
    snapshot_after: u64,
}

impl Metadata {
    pub fn open(folder: &Path, limits: Limits) -> anyhow::Result<Self> {
        Self::open_on(RealDisk, folder, limits)
    }
}

impl<D: Disk> Metadata<D> {
    /// Reads the newest snapshot and the log behind it.
    fn open_on(disk: D, folder: &Path, limits: Limits) -> anyhow::Result<Self> {
        load(disk, folder, limits).with_context(|| format!("the metadata log in {}", folder.display()))
    }

    /// Plans, makes durable, applies.
    pub fn execute(&mut self, command: &Command) -> Result<Vec<Record>, ControllerError> {
        let records = self.image.plan(command, &self.limits)?;
        if records.is_empty() {
            return Ok(records);
        }
        if self.log.is_stopped() {
            self.open_again().map_err(|error| ControllerError::Log(format!("{error:#}")))?;
        }
        self.write(&records).map_err(|error| ControllerError::Log(format!("{error:#}")))?;
        for record in &records {
            self.image.apply(record).map_err(|error| ControllerError::Log(error.to_string()))?;
            self.removed.extend(removed_topic(record));
        }
        Ok(records)
    }

    /// Once there is enough of it, the log's beginning gives way to a snapshot. A crash at any instant leaves
    /// enough to make the image from.
    pub fn shorten(&mut self) -> anyhow::Result<()> {
        let since = self.bytes_since_snapshot();
        if since < self.snapshot_due || self.log.is_stopped() {
            return Ok(());
        }
        // A disk that refuses is not asked with every command.
        self.snapshot_due = since + self.snapshot_after;
        let state = self.image.encode();
        // So that the log can be cut there when this snapshot is the older one.
        self.log.roll()?;
        let offset = self.log.log_end();
        self.log.write_snapshot(offset, &state)?;
        let older = std::mem::replace(&mut self.snapshot_offset, offset);
        self.snapshot_due = self.snapshot_after.max(state.len() as u64);
        self.removed.clear();
        self.log.delete_segments_before(older)?;
        Ok(())
    }

    pub fn close(self) -> Result<(), LogError> {
        self.log.close()
    }

    fn bytes_since_snapshot(&self) -> u64 {
        let segments = self.log.segments();
        let since = segments.iter().filter(|segment| segment.base_offset >= self.snapshot_offset);
        since.map(|segment| segment.bytes).sum()
    }

    /// A disk that was full may have room again. What was refused must not have come to the disk all the same.
    fn open_again(&mut self) -> anyhow::Result<()> {
        let found = load(self.disk.clone(), &self.folder, self.limits.clone())?;
        if found.image != self.image {
            bail!("the metadata log holds what could not be confirmed: start the broker again");
        }
        self.log = found.log;
        self.snapshot_offset = found.snapshot_offset;
        Ok(())
    }

    /// One batch: all of a command's records or none survive a crash.
    fn write(&mut self, records: &[Record]) -> anyhow::Result<()> {
        let mut encoder = RecordsEncoder::new();
        for record in records {
            encoder.push(clock::now_ms(), None, Some(&record.encode()), &[]);
        }
        let mut batch = record_batch::assemble(&encoder.finish(Compression::None)?, Producer::NONE);
        record_batch::set_base_offset_and_epoch(&mut batch, self.log.log_end(), 0);
        self.log.append(&batch)?;
        self.log.sync()?;
        Ok(())
    }
}

fn load<D: Disk>(disk: D, folder: &Path, limits: Limits) -> anyhow::Result<Metadata<D>> {
    if let Some(told) = damage_of(&disk, folder)? {
        let mark = folder.join(DAMAGED);
        bail!("{told}; to go on with what is left of it, rename {} to {ACCEPTED}", mark.display());
    }
    let (log, recovered) = Log::open(disk.clone(), folder, LogConfig::new(METADATA_TOPIC_ID))?;
    if let Some(damage) = recovered.corruption {
        let Corruption { file, position, reason, .. } = damage;
        let told = format!("{file} is damaged at byte {position} ({reason}): restore the folder from a copy");
        // The log is in order again, without what stood behind: no later start may take it for whole.
        mark_damaged(&disk, folder, &told).with_context(|| told.clone())?;
        bail!(told);
    }
    if recovered.truncated_bytes > 0 {
        warn!(bytes = recovered.truncated_bytes, "cut an unfinished write off the end of the metadata log");
    }
    let (snapshot_offset, mut image) = match log.latest_snapshot()? {
        Some((offset, state)) => (offset, ClusterImage::decode(state.into())?),
        None => (0, ClusterImage::new()),
    };
    let reader = log.reader();
    let mut removed = BTreeSet::new();
    let accepted = is_there(&disk, &folder.join(ACCEPTED))?;
    // Without a gap: a hole that an earlier start has found stays one, until somebody says otherwise.
    let mut offset = snapshot_offset;
    while offset < recovered.log_end {
        let is_gone = offset < recovered.log_start;
        let bytes = match is_gone {
            true => Bytes::new(),
            false => reader.read(offset, recovered.log_end, METADATA_READ_BYTES, true)?,
        };
        if bytes.is_empty() {
            if accepted && !is_gone {
                break;
            }
            bail!("the records from offset {offset} on are missing: restore the folder from a copy");
        }
        for batch in record_batch::batches(&bytes) {
            let (header, range) = batch.with_context(|| damaged(offset))?;
            if header.base_offset > offset && !accepted {
                bail!("the records from offset {offset} on are missing: restore the folder from a copy");
            }
            let records = record_batch::decode_records(bytes.slice(range), METADATA_READ_BYTES);
            for record in records.with_context(|| damaged(offset))? {
                let value = record.value.context("a metadata record without a value")?;
                let record = Record::decode(value)?;
                image.apply(&record)?;
                removed.extend(removed_topic(&record));
            }
            offset = header.next_offset();
        }
    }
    let after_clean_stop = recovered.clean_shutdown;
    let (folder, snapshot_after) = (folder.to_owned(), SNAPSHOT_AFTER_BYTES);
    let snapshot_due = snapshot_after;
    Ok(Metadata {
        disk,
        folder,
        log,
        image,
        removed,
        limits,
        after_clean_stop,
        is_accepted_damage: accepted,
        snapshot_offset,
        snapshot_due,
        snapshot_after,
    })
}

fn damaged(offset: i64) -> String {
    format!("the records from offset {offset} on are damaged: restore the folder from a copy")
}

fn damage_of<D: Disk>(disk: &D, folder: &Path) -> io::Result<Option<String>> {
    let file = match disk.open(&folder.join(DAMAGED)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut told = vec![0; file.len()?.min(DAMAGED_BYTES) as usize];
    let read = file.read_full_at(&mut told, 0)?;
    Ok(Some(String::from_utf8_lossy(&told[..read]).trim_end().to_owned()))
}

fn is_there<D: Disk>(disk: &D, path: &Path) -> io::Result<bool> {
    match disk.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        file => file.map(|_| true),
    }
}

fn mark_damaged<D: Disk>(disk: &D, folder: &Path, told: &str) -> io::Result<()> {
    let file = disk.create(&folder.join(DAMAGED))?;
    file.write_at(told.as_bytes(), 0)?;
    file.sync_data()?;
    disk.sync_dir(folder)
}

#[cfg(test)]
mod tests {
    use broker_logic::{
        cluster::{Endpoint, Layout},
        ids::BrokerId,
    };
    use commit_log::MemDisk;
    use uuid::Uuid;

    use super::*;

    const SMALL: u64 = 300;
    const NO_SPACE: i32 = 28;

    fn folder() -> &'static Path {
        Path::new("/metadata")
    }

    fn open(disk: &MemDisk) -> Metadata<MemDisk> {
        let metadata = Metadata::open_on(disk.clone(), folder(), Limits::default()).unwrap();
        Metadata { snapshot_due: SMALL, snapshot_after: SMALL, ..metadata }
    }

    fn begin(disk: &MemDisk) -> Metadata<MemDisk> {
        let mut metadata = open(disk);
        let id = BrokerId(1);
        let endpoints = vec![Endpoint { listener: "KAFKA".into(), host: "localhost".into(), port: 9092 }];
        for command in [
            Command::FormatCluster { cluster_id: "c".into() },
            Command::RegisterBroker { id, incarnation: Uuid::nil(), endpoints, rack: None, missing: 0 },
        ] {
            metadata.execute(&command).unwrap();
        }
        metadata
    }

    /// A topic comes, and the third from last goes.
    fn commands(count: u128) -> impl Iterator<Item = Command> {
        (1..=count).map(|number| match number % 2 {
            1 => Command::CreateTopic {
                name: format!("t-{number}"),
                topic_id: topic(number),
                layout: Layout::Automatic { partitions: Some(2), replication_factor: None },
                configs: vec![("retention.ms".into(), Some("1000".into()))],
            },
            _ if number < 6 => Command::AllocateProducerIds { broker: BrokerId(1) },
            _ => Command::DeleteTopic { topic_id: topic(number - 5) },
        })
    }

    fn topic(number: u128) -> TopicId {
        TopicId(Uuid::from_u128(number))
    }

    fn files(disk: &MemDisk, ending: &str) -> Vec<PathBuf> {
        let names = disk.list(folder()).unwrap();
        names.iter().filter(|name| name.ends_with(ending)).map(|name| folder().join(name)).collect()
    }

    #[test]
    fn the_log_is_about_as_long_as_what_it_tells() {
        let disk = MemDisk::new();
        let mut metadata = begin(&disk);
        for command in commands(400) {
            metadata.execute(&command).unwrap();
            metadata.shorten().unwrap();
            let bytes: usize =
                files(&disk, ".log").iter().filter_map(|path| disk.bytes(path)).map(|it| it.len()).sum();
            let told = metadata.image.encode().len();
            assert!(bytes < 2 * (SMALL as usize).max(2 * told) + 1_000, "{bytes} bytes of log for {told}");
        }
        let (image, removed) = (metadata.image.clone(), metadata.removed.clone());
        assert!(image.topics().count() < 5 && removed.len() < 10, "{image:?} {removed:?}");
        drop(metadata);
        assert_eq!(open(&disk).image, image);
    }

    #[test]
    fn whenever_the_power_goes_what_was_confirmed_is_there() {
        let whole = MemDisk::new();
        let mut metadata = begin(&whole);
        let began = whole.operations();
        let run = |metadata: &mut Metadata<MemDisk>| {
            let mut images = vec![metadata.image.clone()];
            for command in commands(24) {
                if metadata.execute(&command).is_err() {
                    break;
                }
                images.push(metadata.image.clone());
                let _ = metadata.shorten();
            }
            images
        };
        let images = run(&mut metadata);
        assert!(
            files(&whole, ".snapshot").len() == 2 && metadata.log.log_start() > 0,
            "snapshots were taken"
        );
        for operation in began + 1..=whole.operations() {
            let disk = MemDisk::new();
            let mut metadata = begin(&disk);
            disk.cut_power_at(operation);
            let confirmed = run(&mut metadata).len();
            for seed in 0..4 {
                let disk = disk.crash(seed);
                let found = open(&disk).image;
                let at = images.iter().position(|image| *image == found);
                // The command during which the power went may have come to the disk.
                assert!(
                    at.is_some_and(|at| at + 1 == confirmed || at == confirmed),
                    "operation {operation}, seed {seed}: {confirmed} confirmed, found {at:?}"
                );
            }
        }
    }

    #[test]
    fn a_disk_that_refuses_a_snapshot_takes_nothing_away() {
        for failing in 1..30 {
            for sync in [false, true] {
                let disk = MemDisk::new();
                let mut metadata = begin(&disk);
                if sync {
                    disk.fail_sync(failing, NO_SPACE);
                } else {
                    disk.fail_write(failing, NO_SPACE);
                }
                let mut refused = 0;
                for command in commands(24) {
                    refused += usize::from(metadata.execute(&command).is_err());
                    let _ = metadata.shorten();
                }
                assert!(refused <= 2, "after failure {failing} (sync: {sync}) the log is usable again");
                let image = metadata.image.clone();
                drop(metadata);
                assert_eq!(open(&disk.crash(0)).image, image, "failure {failing} (sync: {sync})");
            }
        }
    }

    #[test]
    fn a_damaged_log_is_refused_by_every_start_until_somebody_says_otherwise() {
        for closed in [false, true] {
            let disk = MemDisk::new();
            let mut metadata = begin(&disk);
            for command in commands(5) {
                metadata.execute(&command).unwrap();
            }
            if closed {
                metadata.close().unwrap();
            }
            let log = &files(&disk, ".log")[0];
            let mut bytes = disk.bytes(log).unwrap();
            // Of a closed log the end is known; of another one what stands behind the damage tells of it.
            let at = if closed { bytes.len() - 1 } else { bytes.len() / 2 };
            bytes[at] ^= 1;
            disk.overwrite(log, bytes);
            for _ in 0..2 {
                let refused = Metadata::open_on(disk.clone(), folder(), Limits::default()).err().unwrap();
                assert!(format!("{refused:#}").contains("restore the folder from a copy"), "{refused:#}");
            }
            if closed {
                continue; // nothing was cut, so nothing is marked
            }
            disk.rename(&folder().join(DAMAGED), &folder().join(ACCEPTED)).unwrap();
            let mut left = open(&disk);
            assert_eq!(left.image.cluster_id(), Some("c"), "what is left");
            left.execute(&commands(9).nth(8).unwrap()).unwrap();
            drop(left);
            assert!(open(&disk).image.topic("t-9").is_some(), "behind what is missing");
        }
    }

    #[test]
    fn the_older_snapshot_serves_when_the_newest_is_damaged_and_without_any_the_start_is_refused() {
        let disk = MemDisk::new();
        let mut metadata = begin(&disk);
        for command in commands(24) {
            metadata.execute(&command).unwrap();
            metadata.shorten().unwrap();
        }
        let image = metadata.image.clone();
        drop(metadata);
        let snapshots = files(&disk, ".snapshot");
        disk.overwrite(&snapshots[1], b"garbage".to_vec());
        assert_eq!(open(&disk).image, image);
        disk.overwrite(&snapshots[0], b"garbage".to_vec());
        let refused = Metadata::open_on(disk, folder(), Limits::default()).err().unwrap();
        assert!(
            format!("{refused:#}").contains("are missing: restore the folder from a copy"),
            "{refused:#}"
        );
    }
}
