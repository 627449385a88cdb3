//! Memory that all connections share: taken before bytes are read, given back when the last of them is gone.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Memory is given out in pieces of this size.
const PIECE_BYTES: u64 = 1 << 10;

/// What takes more than this part of all is large.
const LARGE_PART: u32 = 64;

pub struct Memory {
    free: Arc<Semaphore>,
    pieces: u32,
    /// Half of it may be in large shares: a few of these never keep everybody else waiting.
    free_for_large: Arc<Semaphore>,
    most_for_large: u32,
    /// How many wait for some.
    waiting: watch::Sender<usize>,
}

/// A part of it, in use.
#[derive(Debug)]
pub struct Share {
    permit: OwnedSemaphorePermit,
    _large: Option<OwnedSemaphorePermit>,
}

impl Memory {
    pub fn new(bytes: u64) -> Self {
        let pieces = u32::try_from(bytes / PIECE_BYTES).unwrap_or(u32::MAX).max(1);
        let (waiting, _) = watch::channel(0);
        let most_for_large = pieces.div_ceil(2);
        let semaphore = |pieces: u32| Arc::new(Semaphore::new(pieces as usize));
        let (free, free_for_large) = (semaphore(pieces), semaphore(most_for_large));
        Self { free, pieces, free_for_large, most_for_large, waiting }
    }

    /// For large shares alone: none of it is kept for others.
    pub fn for_large(bytes: u64) -> Self {
        let memory = Self::new(bytes);
        let free_for_large = Arc::new(Semaphore::new(memory.pieces as usize));
        Self { most_for_large: memory.pieces, free_for_large, ..memory }
    }

    /// A share for so many bytes, waited for in turn. What is larger than the half for large ones gets all of that.
    pub async fn share(&self, bytes: usize) -> Share {
        if let Some(share) = self.try_share(bytes) {
            return share;
        }
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _waiting = Waiting(&self.waiting);
        let acquire = async |from: &Arc<Semaphore>, pieces| {
            from.clone().acquire_many_owned(pieces).await.expect("the semaphore is never closed")
        };
        let (pieces, is_large) = self.pieces_of(bytes);
        let large = if is_large { Some(acquire(&self.free_for_large, pieces).await) } else { None };
        Share { permit: acquire(&self.free, pieces).await, _large: large }
    }

    /// A share that is there, or none.
    pub fn try_share(&self, bytes: usize) -> Option<Share> {
        let acquire = |from: &Arc<Semaphore>, pieces| from.clone().try_acquire_many_owned(pieces).ok();
        let (pieces, is_large) = self.pieces_of(bytes);
        let large = if is_large { Some(acquire(&self.free_for_large, pieces)?) } else { None };
        Some(Share { permit: acquire(&self.free, pieces)?, _large: large })
    }

    /// Until somebody waits: those who hold memory and make no use of it are in their way.
    pub async fn shortage(&self) {
        // The sender is here, so the channel is open.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    pub fn bytes_in_use(&self) -> u64 {
        (u64::from(self.pieces) - self.free.available_permits() as u64) * PIECE_BYTES
    }

    /// And whether that is a large share, which is never more than the half that is for large ones.
    fn pieces_of(&self, bytes: usize) -> (u32, bool) {
        let pieces = (bytes as u64).div_ceil(PIECE_BYTES);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let is_large = pieces > self.pieces / LARGE_PART;
        (if is_large { pieces.min(self.most_for_large) } else { pieces }, is_large)
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
        drop(self.permit.split(self.permit.num_permits().saturating_sub(needed)));
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
    async fn large_shares_leave_half_of_it_to_the_others() {
        let memory = Memory::new(1 << 20);
        let large: Vec<Share> = (0..10).map_while(|_| memory.try_share(100 << 10)).collect();
        assert_eq!((large.len(), memory.bytes_in_use()), (5, 500 << 10));
        assert!(memory.try_share(16 << 10).is_some());
        drop(large);
        let largest = memory.try_share(usize::MAX);
        assert!(largest.is_some() && memory.try_share(100 << 10).is_none());
        assert_eq!(memory.bytes_in_use(), 512 << 10, "and leaves the other half");
    }

    #[tokio::test]
    async fn who_waits_is_seen_and_gets_what_is_given_back() {
        let memory = Memory::new(10 << 10);
        let first = memory.share(usize::MAX).await;
        assert!(memory.try_share(6 << 10).is_none());
        let (second, ()) = tokio::join!(memory.share(6 << 10), async {
            memory.shortage().await;
            drop(first);
        });
        assert_eq!((memory.bytes_in_use(), *memory.waiting.borrow()), (5 << 10, 0));
        drop(second);
    }
}
