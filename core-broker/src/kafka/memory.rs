//! Memory that all connections share: taken before bytes are read, given back when the last of them is gone.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Memory is given out in pieces of this size.
const PIECE_BYTES: u64 = 1 << 10;

pub struct Memory {
    free: Arc<Semaphore>,
    pieces: u32,
    /// How many wait for some.
    waiting: watch::Sender<usize>,
}

/// A part of it, in use.
#[derive(Debug)]
pub struct Share(OwnedSemaphorePermit);

impl Memory {
    pub fn new(bytes: u64) -> Self {
        let pieces = u32::try_from(bytes / PIECE_BYTES).unwrap_or(u32::MAX).max(1);
        let (waiting, _) = watch::channel(0);
        Self { free: Arc::new(Semaphore::new(pieces as usize)), pieces, waiting }
    }

    /// A share for so many bytes, waited for in turn. What is larger than all of the memory gets all of it.
    pub async fn share(&self, bytes: usize) -> Share {
        if let Some(share) = self.try_share(bytes) {
            return share;
        }
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _waiting = Waiting(&self.waiting);
        let permit = self.free.clone().acquire_many_owned(self.pieces_of(bytes)).await;
        Share(permit.expect("the semaphore is never closed"))
    }

    /// A share that is there, or none.
    pub fn try_share(&self, bytes: usize) -> Option<Share> {
        self.free.clone().try_acquire_many_owned(self.pieces_of(bytes)).ok().map(Share)
    }

    /// Until somebody waits: those who hold memory and make no use of it are in their way.
    pub async fn shortage(&self) {
        // The sender is here, so the channel is open.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    pub fn bytes_in_use(&self) -> u64 {
        (u64::from(self.pieces) - self.free.available_permits() as u64) * PIECE_BYTES
    }

    fn pieces_of(&self, bytes: usize) -> u32 {
        let pieces = (bytes as u64).div_ceil(PIECE_BYTES);
        u32::try_from(pieces).unwrap_or(u32::MAX).min(self.pieces)
    }
}

struct Waiting<'a>(&'a watch::Sender<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl Share {
    /// The bytes with as much of the share as they need; it is given back with the last slice of them.
    pub fn holding(mut self, bytes: Bytes) -> Bytes {
        let needed = (bytes.len() as u64).div_ceil(PIECE_BYTES) as usize;
        drop(self.0.split(self.0.num_permits().saturating_sub(needed)));
        if bytes.is_empty() {
            return bytes;
        }
        Bytes::from_owner(Held { bytes, _share: self })
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_lives_as_long_as_the_last_slice_of_its_bytes() {
        let memory = Memory::new(10 << 10);
        let bytes = memory.share(8 << 10).await.holding(Bytes::from(vec![7; 3_000]));
        assert_eq!(memory.bytes_in_use(), 3 << 10, "what is not needed is given back at once");
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert_eq!((memory.bytes_in_use(), &slice[..]), (3 << 10, &[7; 10][..]));
        drop(slice);
        assert_eq!(memory.bytes_in_use(), 0);
    }

    #[tokio::test]
    async fn who_waits_is_seen_and_gets_what_is_given_back() {
        let memory = Memory::new(10 << 10);
        let first = memory.share(usize::MAX).await;
        assert!(memory.try_share(1).is_none());
        let (second, ()) = tokio::join!(memory.share(1), async {
            memory.shortage().await;
            drop(first);
        });
        assert_eq!((memory.bytes_in_use(), *memory.waiting.borrow()), (1 << 10, 0));
        drop(second);
    }
}
