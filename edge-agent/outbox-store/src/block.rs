//! One block: the events of one lane and one commit, as they will be sent.
//!
//! ```text
//!  0       2     3       4       8           12               20              28        32        36
//!  +-------+-----+-------+-------+-----------+----------------+---------------+---------+---------+--- ...
//!  | magic | ver | codec | count | base      | base           | max           | raw     | crc32c  | records
//!  | "OB"  | u8  | u8    | u32   | sequence  | timestamp ms   | timestamp ms  | length  | u32     | section
//!  | u16   | = 1 |       |       | i32       | i64            | i64           | u32     |         |
//!  +-------+-----+-------+-------+-----------+----------------+---------------+---------+---------+--- ...
//! ```
//! The CRC covers the key (lane, number), everything before it, and the section: a block that turns
//! up under another key is as damaged as one with a flipped bit.

use bytes::Bytes;

const MAGIC: u16 = u16::from_le_bytes(*b"OB");
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 36;
const CRC_AT: usize = 32;

/// Largest stored block, header included.
pub const MAX_BLOCK_BYTES: usize = 65_000;

/// Largest records section of a block.
pub const MAX_SECTION_BYTES: usize = MAX_BLOCK_BYTES - HEADER_BYTES;

/// What a Kafka batch needs besides its producer: it never changes once committed, so that a block
/// that is sent again is the same block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Sequence of the first event, as Kafka counts them.
    pub base_sequence: i32,
    /// Events in the section.
    pub count: u32,
    /// Kafka's compression code (0 none, 4 zstd ...).
    pub codec: u8,
    pub base_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    /// Bytes of the section before compression.
    pub raw_bytes: u32,
    /// The records section, compressed.
    pub section: Bytes,
}

impl Block {
    pub(crate) fn encode(&self, lane: u32, number: u64) -> Vec<u8> {
        let mut value = Vec::with_capacity(HEADER_BYTES + self.section.len());
        value.extend_from_slice(&MAGIC.to_le_bytes());
        value.extend_from_slice(&[VERSION, self.codec]);
        value.extend_from_slice(&self.count.to_le_bytes());
        value.extend_from_slice(&self.base_sequence.to_le_bytes());
        value.extend_from_slice(&self.base_timestamp_ms.to_le_bytes());
        value.extend_from_slice(&self.max_timestamp_ms.to_le_bytes());
        value.extend_from_slice(&self.raw_bytes.to_le_bytes());
        let crc = checksum(lane, number, &value, &self.section);
        value.extend_from_slice(&crc.to_le_bytes());
        value.extend_from_slice(&self.section);
        value
    }

    /// `None`: these are not the bytes of that block.
    pub(crate) fn decode(lane: u32, number: u64, value: &[u8]) -> Option<Block> {
        let (header, section) = value.split_first_chunk::<HEADER_BYTES>()?;
        let (fields, crc) = header.split_at(CRC_AT);
        if crc != checksum(lane, number, fields, section).to_le_bytes() {
            return None;
        }
        let mut fields = Fields(fields);
        let magic = u16::from_le_bytes(fields.take()?);
        let [version, codec] = fields.take()?;
        if magic != MAGIC || version != VERSION {
            return None;
        }
        Some(Block {
            count: u32::from_le_bytes(fields.take()?),
            base_sequence: i32::from_le_bytes(fields.take()?),
            base_timestamp_ms: i64::from_le_bytes(fields.take()?),
            max_timestamp_ms: i64::from_le_bytes(fields.take()?),
            raw_bytes: u32::from_le_bytes(fields.take()?),
            codec,
            section: Bytes::copy_from_slice(section),
        })
    }

    /// Kafka's sequences run from 0 to `i32::MAX` and begin again at 0.
    pub(crate) fn next_sequence(&self) -> i32 {
        ((i64::from(self.base_sequence) + i64::from(self.count)) % (i64::from(i32::MAX) + 1)) as i32
    }
}

/// Events that a stored block says it has; good enough for a counter when the block is damaged.
pub fn count_of(value: &[u8]) -> u32 {
    value.get(4..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn checksum(lane: u32, number: u64, fields: &[u8], section: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&lane.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &number.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, fields);
    crc32c::crc32c_append(crc, section)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block() -> Block {
        Block {
            base_sequence: 7,
            count: 3,
            codec: 4,
            base_timestamp_ms: 1_700_000_000_000,
            max_timestamp_ms: 1_700_000_000_900,
            raw_bytes: 600,
            section: Bytes::from_static(b"records"),
        }
    }

    #[test]
    fn layout_is_frozen() {
        let golden = "4f42010403000000070000000068e5cf8b010000846be5cf8b01000058020000";
        let hex: String = block().encode(2, 9)[..CRC_AT].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden);
    }

    #[test]
    fn sequences_begin_again_at_zero() {
        let next = |base_sequence, count| Block { base_sequence, count, ..block() }.next_sequence();
        assert_eq!(next(7, 3), 10);
        assert_eq!(next(i32::MAX, 1), 0);
        assert_eq!(next(i32::MAX - 1, 3), 1);
    }

    #[test]
    fn a_block_under_another_key_is_damaged() {
        let value = block().encode(2, 9);
        assert_eq!(Block::decode(2, 9, &value), Some(block()));
        assert_eq!(Block::decode(2, 10, &value), None);
        assert_eq!(Block::decode(3, 9, &value), None);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(value in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Block::decode(1, 1, &value), None);
        }

        #[test]
        fn any_flipped_bit_is_seen(at in 0usize..43 * 8) {
            let mut value = block().encode(1, 1);
            value[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(Block::decode(1, 1, &value), None);
        }
    }
}
