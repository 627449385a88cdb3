//! Writes one message at one version. Large byte strings are not copied: the message comes out as
//! a list of parts.

use bytes::{BufMut, Bytes, BytesMut};

use super::{EncodeError, MAX_STRING_BYTES};
use crate::frame::LENGTH_BYTES;
use crate::varint;

/// Below this a copy is cheaper than one more chunk.
const SHARE_FROM_BYTES: usize = 4096;

type Result<T> = std::result::Result<T, EncodeError>;

/// A piece of an encoded message, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Bytes(Bytes),
    /// The place of [`Records::elsewhere`](crate::Records::elsewhere).
    Elsewhere {
        bytes: usize,
    },
}

impl Part {
    pub fn len(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::Elsewhere { bytes } => *bytes,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

pub struct Writer {
    own: BytesMut,
    /// What is to be put in, each with its place in `own`, in order.
    shared: Vec<(usize, Part)>,
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

    /// The parts of a writer made by [`Writer::framed`], the size filled in.
    pub fn into_frame(mut self) -> Result<Vec<Part>> {
        let size = self.len() - LENGTH_BYTES;
        let prefix = i32::try_from(size).map_err(|_| EncodeError::LongMessage(size))?;
        self.own[..LENGTH_BYTES].copy_from_slice(&prefix.to_be_bytes());
        Ok(self.into_parts())
    }

    /// Everything written, in order; the large byte strings are parts of their own.
    pub fn into_parts(self) -> Vec<Part> {
        let mut own = self.own.freeze();
        let mut parts = Vec::with_capacity(1 + 2 * self.shared.len());
        let mut written = 0;
        for (place, part) in self.shared {
            let before = own.split_to(place - written);
            written = place;
            parts.extend([Part::Bytes(before), part].into_iter().filter(|part| !part.is_empty()));
        }
        parts.extend(Some(Part::Bytes(own)).filter(|part| !part.is_empty()));
        parts
    }

    pub fn len(&self) -> usize {
        self.own.len() + self.shared.iter().map(|(_, part)| part.len()).sum::<usize>()
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
            self.shared.push((self.own.len(), Part::Bytes(bytes.clone())));
        }
    }

    /// Nothing that may stand elsewhere is tagged.
    pub fn put_elsewhere(&mut self, bytes: usize) {
        assert!(bytes == 0 || !self.in_tagged_field, "a tagged field holds all its bytes");
        if bytes > 0 {
            self.shared.push((self.own.len(), Part::Elsewhere { bytes }));
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

/// The parts of a message that has nothing elsewhere.
pub fn in_memory(parts: Vec<Part>) -> Result<Vec<Bytes>> {
    let bytes = parts.into_iter().map(|part| match part {
        Part::Bytes(bytes) => Ok(bytes),
        Part::Elsewhere { .. } => Err(EncodeError::RecordsElsewhere),
    });
    bytes.collect()
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
        assert_eq!(in_memory(writer.into_parts()).unwrap().concat(), expected);
    }

    #[test]
    fn records_that_are_elsewhere_leave_their_place_and_count_in_the_length() {
        let mut writer = Writer::framed(0, true);
        writer.put(b"before");
        writer.put_elsewhere(5000);
        writer.put(b"after");
        let before = Part::Bytes(Bytes::from_static(b"\0\0\x13\x93before"));
        let parts = vec![before, Part::Elsewhere { bytes: 5000 }, Part::Bytes(Bytes::from_static(b"after"))];
        let frame = writer.into_frame().unwrap();
        assert_eq!(frame, parts);
        assert_eq!(in_memory(frame), Err(EncodeError::RecordsElsewhere));
    }
}
