//! Whose the folder is: the log's until it is deleted or opened again, then perhaps another one's.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct Folder {
    is_left: Mutex<bool>,
}

impl Folder {
    pub fn new() -> Folder {
        Folder { is_left: Mutex::new(false) }
    }

    /// Nothing is made or removed in it any more, under a name that may soon be another folder's. Waits for
    /// the file at hand.
    pub fn leave(&self) {
        *self.lock() = true;
    }

    pub fn is_left(&self) -> bool {
        *self.lock()
    }

    /// Makes or removes a file, and the folder stays the log's for so long; `None`, and nothing is done, if it
    /// is left.
    pub fn with<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        let is_left = self.lock();
        (!*is_left).then(act)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
