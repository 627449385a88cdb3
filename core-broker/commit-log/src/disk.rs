//! What the log asks of a disk: a few calls, so that a test can cut the power between any two of them.

use std::{io, path::Path};

/// A place for files. [`RealDisk`](crate::RealDisk) is the operating system's,
/// [`MemDisk`](crate::MemDisk) the one that tests crash.
pub trait Disk: Clone + Send + Sync + 'static {
    type File: DiskFile;

    /// Makes the folder and those above it; durable when it returns.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// The names of the files in `dir`, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// An empty file for reading and writing; what stood there is emptied. Its name is durable after
    /// [`sync_dir`](Disk::sync_dir).
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// An existing file, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Takes the place of a file that has the name `to`. Durable after [`sync_dir`](Disk::sync_dir).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Durable after [`sync_dir`](Disk::sync_dir). An open file can still be read.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file, read and written by position so that readers and the writer share it without a cursor.
pub trait DiskFile: Send + Sync + 'static {
    /// Reads at most `buffer.len()` bytes; 0 is the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// As [`read_at`](DiskFile::read_at), unless it might have to wait for the disk: then `None`.
    fn read_cached_at(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>> {
        let _ = (buffer, position); // a disk that cannot tell
        Ok(None)
    }

    /// Writes all of `bytes`. After an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;

    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file to `len` bytes; durable, with everything before the cut, when it returns.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes what was written durable (fdatasync). After an error nothing is known of any write since the
    /// last success, and asking again proves nothing: the kernel may have dropped the dirty pages.
    fn sync_data(&self) -> io::Result<()>;

    /// Reads until `buffer` is full or the file ends; returns how much.
    fn read_full_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
