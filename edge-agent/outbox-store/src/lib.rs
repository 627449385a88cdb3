//! The outbox on disk: one redb file that keeps every acknowledged event until the broker has it.
//!
//! ```text
//! table      key                          value
//! blocks     lane u32, block number u64   36 bytes of header + Kafka v2 records section (block.rs)
//! lanes      lane u32                     sealed: topic, partition, class, producer, next sequence ...
//! sessions   client id                    sealed: what the session logic says
//! windows    client id, slot u16          sealed: one of the client's last publishes, to know it again
//! downlink   delivery u64                 sealed: a message that waits for its device
//! offsets    topic, partition i32         sealed: i64, next offset to ask the broker for
//! facts      kind, key                    sealed: small things the logic keeps (devices, counts, ids)
//! meta       "format" "boot" "agent"      sealed: u32, u64, string
//!
//! sealed:    0      1        5
//!            +------+--------+--- ... ---+
//!            | seal | crc32c | payload   |      all integers little endian, as in redb's own pages
//!            | = 1  | u32    |           |
//!            +------+--------+--- ... ---+
//! ```
//!
//! * One [`Store::commit`] is one redb transaction and one sync: a block, the lane's next sequence,
//!   the sessions it came from and the heads that were acknowledged change together or not at all.
//! * redb does not check its page checksums on reads, so every value carries its own CRC32C. A
//!   damaged block is reported as a gap, a damaged session is left out and named; a file that cannot
//!   be understood is renamed to `*.quarantine-<n>` and a fresh one started. Never a crash loop.
//! * A block is at most [`MAX_BLOCK_BYTES`]: redb rounds a value up to a power of two pages, and one
//!   of 64 KiB would cost two and a half times its size.
//! * Commits are one-phase with redb's checksummed slots; every [`QUICK_REPAIR_EVERY`]th and the last
//!   one also save the allocator state, so that a reopen after a cut need not walk the file.
//! * What compresses, what is in a session and when to forget is the logic's to decide.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // storage: this crate owns its file

mod backend;
mod batch;
mod block;
mod error;
mod lane;
mod mem_disk;
mod open;
mod reader;
mod sealed;
mod store;
mod tables;

pub use backend::Written;
pub use batch::{Batch, Committed, Op};
pub use block::{Block, MAX_BLOCK_BYTES, MAX_SECTION_BYTES};
pub use error::{OpenError, StoreError};
pub use lane::{Lane, Producer};
pub use mem_disk::{Cut, MemDisk};
pub use open::{Loaded, LoadedLane, Quarantined, StoreConfig};
pub use reader::{ReadBlock, Reader};
pub use store::{QUICK_REPAIR_EVERY, Store};
