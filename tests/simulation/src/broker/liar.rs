//! A disk that may say "synced" without a sync, to prove that an invariant sees it.

use std::{io, path::Path};

use commit_log::{Disk, DiskFile, MemDisk};

#[derive(Clone)]
pub struct LiarDisk {
    pub disk: MemDisk,
    pub lies: bool,
}

pub struct LiarFile {
    file: <MemDisk as Disk>::File,
    lies: bool,
}

impl Disk for LiarDisk {
    type File = LiarFile;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<LiarFile> {
        Ok(LiarFile { file: self.disk.create(path)?, lies: self.lies })
    }

    fn open(&self, path: &Path) -> io::Result<LiarFile> {
        Ok(LiarFile { file: self.disk.open(path)?, lies: self.lies })
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

impl DiskFile for LiarFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
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
        if self.lies { Ok(()) } else { self.file.sync_data() }
    }
}
