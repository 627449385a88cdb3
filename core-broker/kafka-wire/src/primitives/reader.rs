//! Reads one message at one version. A length is checked against the bytes that are there before
//! anything is reserved for it.

use bytes::{Buf, Bytes};

use super::{DecodeError, MAX_STRING_BYTES, Problem};
use crate::varint;

/// The elements of all arrays of one message together may take this much memory. A field of one
/// byte can become a structure of a hundred, so the frame limit alone bounds nothing. The metadata
/// of 100,000 partitions takes a quarter of it.
const MAX_ELEMENT_BYTES: usize = 64 << 20;
/// How much one array reserves before its elements have been read.
const FIRST_ELEMENTS: usize = 64;

type Result<T> = std::result::Result<T, DecodeError>;

pub struct Reader {
    bytes: Bytes,
    version: i16,
    flexible: bool,
    room: usize,
}

impl Reader {
    pub fn new(bytes: Bytes, version: i16, flexible: bool) -> Reader {
        Reader { bytes, version, flexible, room: MAX_ELEMENT_BYTES }
    }

    pub fn version(&self) -> i16 {
        self.version
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub fn into_rest(self) -> Bytes {
        self.bytes
    }

    /// `len` bytes as a slice of the buffer that came from the socket: no copy.
    pub fn bytes(&mut self, len: usize) -> Result<Bytes> {
        self.check(len)?;
        Ok(self.bytes.split_to(len))
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.check(N)?;
        let mut array = [0; N];
        self.bytes.copy_to_slice(&mut array);
        Ok(array)
    }

    pub fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn unsigned_varint(&mut self) -> Result<u32> {
        let (value, taken) = varint::read_unsigned(&self.bytes).ok_or(Problem::BadVarint)?;
        let value = u32::try_from(value).map_err(|_| Problem::BadVarint)?;
        self.bytes.advance(taken);
        Ok(value)
    }

    /// The length of a string; `None` is null.
    pub fn string_len(&mut self) -> Result<Option<usize>> {
        let len = match self.flexible {
            true => self.compact_len()?,
            false => self.plain_string_len()?,
        };
        match len {
            Some(len) if len > MAX_STRING_BYTES => Err(Problem::BadLength(len as i64).into()),
            len => Ok(len),
        }
    }

    /// The length of a string as it was before flexible versions.
    pub fn plain_string_len(&mut self) -> Result<Option<usize>> {
        self.i16().and_then(|len| plain_len(len.into()))
    }

    /// The length of a byte string, or the count of an array; `None` is null. Either way at least
    /// so many bytes must follow, because no array element is written as nothing.
    pub fn len(&mut self) -> Result<Option<usize>> {
        let len = match self.flexible {
            true => self.compact_len()?,
            false => self.i32().and_then(|len| plain_len(len.into()))?,
        };
        self.check(len.unwrap_or(0))?;
        Ok(len)
    }

    pub fn string(&mut self, len: usize) -> Result<String> {
        let bytes = self.bytes(len)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Problem::BadString)?;
        Ok(text.to_owned())
    }

    pub fn elements<T>(
        &mut self,
        count: usize,
        mut read: impl FnMut(&mut Reader) -> Result<T>,
    ) -> Result<Vec<T>> {
        let cost = count.checked_mul(size_of::<T>()).ok_or(Problem::TooLarge)?;
        self.room = self.room.checked_sub(cost).ok_or(Problem::TooLarge)?;
        let mut elements = Vec::with_capacity(count.min(FIRST_ELEMENTS));
        for _ in 0..count {
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    /// The tagged fields at the end of a structure. `known` reads a tag it knows and says true; it
    /// sees only the bytes of that field. Any order is accepted, as Kafka does.
    pub fn tagged_fields(&mut self, mut known: impl FnMut(&mut Reader, u32) -> Result<bool>) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            let tag = self.unsigned_varint()?;
            let size = self.unsigned_varint()? as usize;
            let field = self.bytes(size)?;
            let rest = std::mem::replace(&mut self.bytes, field);
            if known(self, tag)? && !self.bytes.is_empty() {
                return Err(Problem::TagLeftover(self.bytes.len()).into());
            }
            self.bytes = rest;
        }
        Ok(())
    }

    fn compact_len(&mut self) -> Result<Option<usize>> {
        Ok((self.unsigned_varint()? as usize).checked_sub(1))
    }

    fn check(&self, needed: usize) -> Result<()> {
        let available = self.bytes.len();
        if needed > available {
            return Err(Problem::Truncated { needed, available }.into());
        }
        Ok(())
    }
}

fn plain_len(len: i64) -> Result<Option<usize>> {
    match len {
        -1 => Ok(None),
        len => usize::try_from(len).map(Some).map_err(|_| Problem::BadLength(len).into()),
    }
}
