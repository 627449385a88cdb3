//! Big-endian fields as Kafka's classic (non-flexible) formats lay them out: the alphabet of the
//! records this crate persists. A length is checked against the bytes that are there before use.

use bytes::{Buf, BufMut, Bytes};
use thiserror::Error;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldError {
    #[error("the record ends {missing} bytes short of its {field}")]
    Short { field: &'static str, missing: usize },
    #[error("{field} has the impossible length {length}")]
    BadLength { field: &'static str, length: i64 },
    #[error("{field} is not UTF-8")]
    NotUtf8 { field: &'static str },
    #[error("{count} bytes follow the record's last field")]
    Trailing { count: usize },
}

/// Reads fields off the front of a record; every error names the field.
pub struct Reader {
    rest: Bytes,
}

impl Reader {
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    fn need(&self, count: usize, field: &'static str) -> Result<(), FieldError> {
        match count.checked_sub(self.rest.len()) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(FieldError::Short { field, missing }),
        }
    }

    pub fn u8(&mut self, field: &'static str) -> Result<u8, FieldError> {
        self.need(1, field)?;
        Ok(self.rest.get_u8())
    }

    pub fn i16(&mut self, field: &'static str) -> Result<i16, FieldError> {
        self.need(2, field)?;
        Ok(self.rest.get_i16())
    }

    pub fn i32(&mut self, field: &'static str) -> Result<i32, FieldError> {
        self.need(4, field)?;
        Ok(self.rest.get_i32())
    }

    pub fn i64(&mut self, field: &'static str) -> Result<i64, FieldError> {
        self.need(8, field)?;
        Ok(self.rest.get_i64())
    }

    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid, FieldError> {
        self.need(16, field)?;
        Ok(Uuid::from_u128(self.rest.get_u128()))
    }

    pub fn string(&mut self, field: &'static str) -> Result<String, FieldError> {
        self.nullable_string(field)?.ok_or(FieldError::BadLength { field, length: -1 })
    }

    pub fn nullable_string(&mut self, field: &'static str) -> Result<Option<String>, FieldError> {
        let length = self.i16(field)?;
        if length == -1 {
            return Ok(None);
        }
        let bytes = self.take(length.into(), field)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| FieldError::NotUtf8 { field })?;
        Ok(Some(text.to_owned()))
    }

    pub fn bytes(&mut self, field: &'static str) -> Result<Bytes, FieldError> {
        let length = self.i32(field)?;
        self.take(length.into(), field)
    }

    /// A count of elements that take at least `element_bytes` each: never more than could be there.
    pub fn count(&mut self, element_bytes: usize, field: &'static str) -> Result<usize, FieldError> {
        let length = self.i32(field)?;
        let bad = FieldError::BadLength { field, length: length.into() };
        let count = usize::try_from(length).map_err(|_| bad.clone())?;
        if count > self.rest.len() / element_bytes.max(1) { Err(bad) } else { Ok(count) }
    }

    fn take(&mut self, length: i64, field: &'static str) -> Result<Bytes, FieldError> {
        let count = usize::try_from(length).map_err(|_| FieldError::BadLength { field, length })?;
        self.need(count, field)?;
        Ok(self.rest.split_to(count))
    }

    pub fn finish(self) -> Result<(), FieldError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(FieldError::Trailing { count }),
        }
    }
}

/// Strings of Kafka's classic formats hold at most `i16::MAX` bytes. Whoever admits a string into
/// the state checks it (see [`fits`]); the writer asserts it, for a cut string would be a lie on disk.
pub fn put_string(out: &mut impl BufMut, text: &str) {
    assert!(fits(text), "a string of {} bytes was admitted into a record", text.len());
    out.put_i16(text.len() as i16);
    out.put_slice(text.as_bytes());
}

pub fn fits(text: &str) -> bool {
    text.len() <= i16::MAX as usize
}

pub fn put_nullable_string(out: &mut impl BufMut, text: Option<&str>) {
    match text {
        Some(text) => put_string(out, text),
        None => out.put_i16(-1),
    }
}

pub fn put_bytes(out: &mut impl BufMut, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.put_slice(bytes);
}

pub fn put_count(out: &mut impl BufMut, count: usize) {
    assert!(count <= i32::MAX as usize, "{count} elements in one record");
    out.put_i32(count as i32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_larger_than_the_record_is_refused_before_any_allocation() {
        let mut reader = Reader::new(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1]));
        assert_eq!(
            reader.count(4, "replicas"),
            Err(FieldError::BadLength { field: "replicas", length: i32::MAX.into() })
        );
    }

    #[test]
    fn a_short_string_says_how_short() {
        let mut reader = Reader::new(Bytes::from_static(&[0, 5, b'a', b'b']));
        assert_eq!(reader.string("name"), Err(FieldError::Short { field: "name", missing: 3 }));
    }
}
