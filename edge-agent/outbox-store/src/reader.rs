//! Reads for the uplink, on any thread, while the writer writes.

use std::sync::Weak;

use redb::{Database, ReadableDatabase};

use crate::{Block, StoreError, store::guarded, tables::BLOCKS};

/// A block on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBlock {
    Block {
        number: u64,
        block: Block,
    },
    /// It was acknowledged to a device and its bytes are damaged: say so loudly and go on.
    Damaged {
        number: u64,
    },
}

impl ReadBlock {
    pub fn number(&self) -> u64 {
        match self {
            ReadBlock::Block { number, .. } | ReadBlock::Damaged { number } => *number,
        }
    }
}

/// Holds no file open: a store that was dropped answers [`StoreError::Closed`].
#[derive(Debug, Clone)]
pub struct Reader {
    db: Weak<Database>,
}

impl Reader {
    pub(crate) fn new(db: Weak<Database>) -> Self {
        Reader { db }
    }

    /// The lane's blocks in order, beginning at `from_block` or the first one after it: at least one
    /// if there is one, then as many as fit in `max_bytes`, and at most `max_blocks`.
    pub fn read_blocks(
        &self,
        lane: u32,
        from_block: u64,
        max_blocks: usize,
        max_bytes: usize,
    ) -> Result<Vec<ReadBlock>, StoreError> {
        let db = self.db.upgrade().ok_or(StoreError::Closed)?;
        guarded(|| {
            let txn = db.begin_read()?;
            let table = txn.open_table(BLOCKS)?;
            let mut blocks = Vec::new();
            let mut bytes = 0;
            for entry in table.range((lane, from_block)..=(lane, u64::MAX))? {
                let (key, value) = entry?;
                let (number, value) = (key.value().1, value.value());
                bytes += value.len();
                if blocks.len() == max_blocks || (bytes > max_bytes && !blocks.is_empty()) {
                    break;
                }
                blocks.push(match Block::decode(lane, number, value) {
                    Some(block) => ReadBlock::Block { number, block },
                    None => ReadBlock::Damaged { number },
                });
            }
            Ok(blocks)
        })
    }
}
