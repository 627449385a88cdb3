//! Readers on other threads beside the writer.
#![allow(clippy::disallowed_methods)] // the threads are what is tested

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use commit_log::{Disk, DiskFile, Log, LogReader, MemDisk, MemFile, RealDisk};

use kafka_wire::record_batch::{Compression, Producer};

use crate::support::*;

fn expected(offset: i64) -> Vec<u8> {
    batch(offset, 0, offset, 1, 100)
}

#[test]
fn a_reader_sees_whole_batches_in_order_while_they_are_appended() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(RealDisk, &folder.path().join("p"), small()).unwrap();
    const LAST: i64 = 600;
    thread::scope(|scope| {
        for max_bytes in [1, 350, 5000] {
            let reader = log.reader();
            scope.spawn(move || {
                let mut next = 0;
                while next < LAST {
                    let piece = reader.read(next, reader.log_end(), max_bytes, true).unwrap();
                    for header in headers(&piece) {
                        assert_eq!(header.base_offset, next);
                        next += 1;
                    }
                    if piece.is_empty() {
                        thread::yield_now();
                    }
                }
                let found = reader.offset_for_timestamp(LAST / 2).unwrap().unwrap();
                assert_eq!(found.base_offset, LAST / 2);
            });
        }
        for offset in 0..LAST {
            log.append(&expected(offset)).unwrap();
        }
    });
}

#[test]
fn readers_and_the_writer_go_on_while_segments_are_compacted() {
    const LAST: i64 = 400;
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(RealDisk, &folder.path().join("p"), small()).unwrap();
    let reader = log.reader();
    let log = Mutex::new(log);
    let done = AtomicBool::new(false);
    let compact_on = || {
        let mut installed = 0;
        loop {
            let is_last = done.load(SeqCst);
            let mut compaction = {
                let log = log.lock().unwrap();
                log.begin_compaction(order(&log, 0))
            };
            // The long part holds no lock.
            while let Some(rewritten) = compaction.rewrite_next().unwrap() {
                assert!(log.lock().unwrap().install(rewritten).unwrap());
                installed += 1;
            }
            log.lock().unwrap().finish_compaction(compaction).unwrap();
            if is_last {
                return installed;
            }
        }
    };
    let read_on = |reader: LogReader<RealDisk>| {
        while !done.load(SeqCst) {
            let (mut next, end) = (0, reader.log_end());
            while next < end {
                let piece = reader.read(next, end, 700, true).unwrap();
                let Some(last) = headers(&piece).last().copied() else { break };
                assert!(last.next_offset() > next);
                next = last.next_offset();
            }
            let offsets: Vec<i64> = reader.headers(0).map(|header| header.unwrap().base_offset).collect();
            assert!(offsets.is_sorted_by(|a, b| a < b) && offsets.len() as i64 >= end.min(7));
        }
    };
    thread::scope(|scope| {
        let compactor = scope.spawn(compact_on);
        for _ in 0..2 {
            let reader = reader.clone();
            scope.spawn(|| read_on(reader));
        }
        for n in 0..LAST {
            let record = (Some(format!("k{}", n % 7)), Some(n.to_string().repeat(20)));
            let bytes = keyed(n, n, Producer::NONE, Compression::None, &[record]);
            log.lock().unwrap().append(&bytes).unwrap();
        }
        done.store(true, SeqCst);
        assert!(compactor.join().unwrap() > 0);
    });
    let log = log.into_inner().unwrap();
    assert!(log.cleaned_to() > LAST / 2);
    let latest: Vec<i64> = records(&log).iter().rev().take(7).map(|record| record.offset).collect();
    assert_eq!(latest, (LAST - 7..LAST).rev().collect::<Vec<_>>());
}

type Interruption = Box<dyn FnOnce() + Send>;

/// A disk that does something else in the middle of a read.
#[derive(Clone, Default)]
struct Interrupted {
    disk: MemDisk,
    at_read: Arc<Mutex<Option<(u32, Interruption)>>>,
}

struct InterruptedFile {
    file: MemFile,
    at_read: Arc<Mutex<Option<(u32, Interruption)>>>,
}

impl Interrupted {
    fn file(&self, file: MemFile) -> InterruptedFile {
        InterruptedFile { file, at_read: Arc::clone(&self.at_read) }
    }
}

impl Disk for Interrupted {
    type File = InterruptedFile;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<InterruptedFile> {
        Ok(self.file(self.disk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<InterruptedFile> {
        Ok(self.file(self.disk.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
}

impl DiskFile for InterruptedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let waiting = self.at_read.lock().unwrap().take();
        match waiting {
            Some((1, interruption)) => interruption(),
            Some((n, interruption)) => *self.at_read.lock().unwrap() = Some((n - 1, interruption)),
            None => {}
        }
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.file.write_at(bytes, position)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[test]
fn a_cut_in_the_middle_of_a_read_leads_to_a_second_look() {
    for read in 1..=3 {
        let disk = Interrupted::default();
        let (mut log, _) = open(&disk);
        for offset in 0..4 {
            log.append(&batch(offset, 1, 0, 1, 60)).unwrap();
        }
        let reader = log.reader();
        let others: Vec<_> = (1..4).map(|offset| batch(offset, 2, 0, 1, 90)).collect();
        let appended = others.clone();
        let interruption = move || {
            log.truncate_to(1).unwrap();
            appended.iter().for_each(|batch| log.append(batch).unwrap());
        };
        *disk.at_read.lock().unwrap() = Some((read, Box::new(interruption)));
        let seen = reader.read(2, 4, 1000, true).unwrap();
        let happened = disk.at_read.lock().unwrap().is_none();
        let expected = if happened { others[1..].concat() } else { seen.to_vec() };
        assert_eq!(seen, expected, "at read {read}");
        assert_eq!(happened, read <= 2, "a read of the active segment looks at the disk twice");
    }
}

#[test]
fn a_reader_never_sees_both_sides_of_a_cut() {
    let (mut log, _) = open(&MemDisk::new());
    let done = AtomicBool::new(false);
    let read_on = |reader: LogReader<MemDisk>| {
        while !done.load(SeqCst) {
            // What is out of range after a cut is an error; what is answered is whole and in order.
            if let Ok(piece) = reader.read(10, i64::MAX, 2000, true) {
                for (n, header) in headers(&piece).iter().enumerate() {
                    assert_eq!(header.base_offset, 10 + n as i64);
                }
            }
        }
    };
    thread::scope(|scope| {
        let reader = log.reader();
        scope.spawn(|| read_on(reader));
        for round in 0..300 {
            for offset in log.log_end()..16 {
                // Other lengths each time, so that batches begin elsewhere than before the cut.
                let bytes =
                    batch(offset, round, 0, 1, 50 + (round as usize * 37 + offset as usize * 11) % 200);
                log.append(&bytes).unwrap();
            }
            log.truncate_to(i64::from(round) % 7 + 8).unwrap();
        }
        done.store(true, SeqCst);
    });
}
