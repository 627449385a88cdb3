//! Writes one message at one version. Large byte strings are not copied: the message comes out as
//! a list of chunks, for a vectored write.

use bytes::{BufMut, Bytes, BytesMut};

use super::{EncodeError, MAX_STRING_BYTES};
use crate::frame::LENGTH_BYTES;
use crate::varint;

/// Below this a copy is cheaper than one more chunk.
const SHARE_FROM_BYTES: usize = 4096;

type Result<T> = std::result::Result<T, EncodeError>;

pub struct Writer {
    own: BytesMut,
    /// Byte strings to be put in, each with its place in `own`, in order.
    shared: Vec<(usize, Bytes)>,
    /// A tagged field is written after its size, and that needs all its bytes in `own`.
    in_tagged_field: bool,
    version: i16,
    flexible: bool,
}

impl Writer {
    pub fn new(version: i16, flexible: bool) -> Writer {
        Writer { own: BytesMut::new(), shared: Vec::new(), in_tagged_field: false, version, flexible }
    }

    pub fn version(&self) -> i16 {
        self.version
    }

    /// A frame: four bytes of size, and everything written after this call.
    pub fn framed(version: i16, flexible: bool) -> Writer {
        let mut writer = Writer::new(version, flexible);
        writer.own.put_i32(0);
        writer
    }

    /// The chunks of a writer made by [`Writer::framed`], the size filled in.
    pub fn into_frame(mut self) -> Result<Vec<Bytes>> {
        let size = self.len() - LENGTH_BYTES;
        let prefix = i32::try_from(size).map_err(|_| EncodeError::LongMessage(size))?;
        self.own[..LENGTH_BYTES].copy_from_slice(&prefix.to_be_bytes());
        Ok(self.into_chunks())
    }

    /// Everything written, in order; the large byte strings are chunks of their own.
    pub fn into_chunks(self) -> Vec<Bytes> {
        let mut own = self.own.freeze();
        let mut chunks = Vec::with_capacity(1 + 2 * self.shared.len());
        let mut written = 0;
        for (place, bytes) in self.shared {
            let before = own.split_to(place - written);
            written = place;
            chunks.extend([before, bytes].into_iter().filter(|chunk| !chunk.is_empty()));
        }
        chunks.extend(Some(own).filter(|chunk| !chunk.is_empty()));
        chunks
    }

    pub fn len(&self) -> usize {
        self.own.len() + self.shared.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.own.put_slice(bytes);
    }

    pub fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARE_FROM_BYTES || self.in_tagged_field {
            self.put(bytes);
        } else {
            self.shared.push((self.own.len(), bytes.clone()));
        }
    }

    pub fn put_unsigned_varint(&mut self, value: u32) {
        varint::write_unsigned(&mut self.own, value.into());
    }

    pub fn put_string(&mut self, text: Option<&str>) -> Result<()> {
        if !self.flexible {
            return self.put_plain_string(text);
        }
        let len = checked_len(text)?;
        self.put_unsigned_varint(len.map_or(0, |len| u32::from(len) + 1));
        self.put(text.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// A string as it was before flexible versions.
    pub fn put_plain_string(&mut self, text: Option<&str>) -> Result<()> {
        let len = checked_len(text)?;
        self.own.put_i16(len.map_or(-1, |len| len as i16));
        self.put(text.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// The length of a byte string or the count of an array; `None` is null.
    pub fn put_len(&mut self, len: Option<usize>) -> Result<()> {
        let Some(len) = len else {
            match self.flexible {
                true => self.put_unsigned_varint(0),
                false => self.own.put_i32(-1),
            }
            return Ok(());
        };
        let len = i32::try_from(len).map_err(|_| EncodeError::LongMessage(len))?;
        match self.flexible {
            true => self.put_unsigned_varint(len as u32 + 1),
            false => self.own.put_i32(len),
        }
        Ok(())
    }

    /// How many tagged fields end this structure. The fields follow, in ascending order.
    pub fn put_tag_count(&mut self, count: usize) {
        if self.flexible {
            self.put_unsigned_varint(count as u32);
        }
    }

    pub fn put_tagged(&mut self, tag: u32, write: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        self.put_unsigned_varint(tag);
        let start = self.own.len();
        let outer = std::mem::replace(&mut self.in_tagged_field, true);
        write(self)?;
        self.in_tagged_field = outer;
        // The size goes in front of what it counts.
        let end = self.own.len();
        self.put_unsigned_varint((end - start) as u32);
        let size_bytes = self.own.len() - end;
        self.own[start..].rotate_right(size_bytes);
        Ok(())
    }

    pub fn is_flexible(&self) -> bool {
        self.flexible
    }
}

fn checked_len(text: Option<&str>) -> Result<Option<u16>> {
    match text.map(str::len) {
        Some(len) if len > MAX_STRING_BYTES => Err(EncodeError::LongString(len)),
        len => Ok(len.map(|len| len as u16)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagged_field_holds_all_its_bytes() {
        let large = Bytes::from(vec![9; SHARE_FROM_BYTES]);
        let mut writer = Writer::new(0, true);
        writer.put_shared(&large);
        let tagged = writer.put_tagged(1, |writer| {
            writer.put_shared(&large);
            Ok(())
        });
        assert_eq!(tagged, Ok(()));
        writer.put_shared(&large);
        let expected = [&large[..], b"\x01\x80\x20", &large, &large].concat();
        assert_eq!(writer.len(), expected.len());
        assert_eq!(writer.into_chunks().concat(), expected);
    }
}
