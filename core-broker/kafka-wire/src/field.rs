//! How each type of field is written: the rows of a message table are made of these.

use bytes::Bytes;
use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::primitives::{DecodeError, EncodeError, Problem, Reader, Writer};
use crate::records::Records;

/// A value that can be a field, or an element of an array.
pub trait Field: Sized {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError>;

    fn is_null(&self) -> bool {
        false
    }

    /// Every error code in the value, for those who count them.
    fn each_error(&self, _found: &mut impl FnMut(ErrorCode)) {}

    /// What a null becomes in a version that has no null, where the table asks for that.
    fn write_empty(writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_len(Some(0))
    }
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Field for $type {
            fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
                reader.array().map(Self::from_be_bytes)
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                writer.put(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

integers!(i8 i16 i32 i64);

impl Field for bool {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.array().map(|[byte]| byte != 0)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put(&[u8::from(*self)]);
        Ok(())
    }
}

impl Field for Uuid {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.array().map(Uuid::from_bytes)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put(self.as_bytes());
        Ok(())
    }
}

impl Field for ErrorCode {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        i16::read(reader).map(ErrorCode::from_code)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        self.code().write(writer)
    }

    fn each_error(&self, found: &mut impl FnMut(ErrorCode)) {
        if *self != ErrorCode::None {
            found(*self);
        }
    }
}

impl Field for Option<String> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.string_len()?.map(|len| reader.string(len)).transpose()
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_string(self.as_deref())
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }

    fn write_empty(writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_string(Some(""))
    }
}

impl Field for String {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        not_null(Option::<String>::read(reader)?)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_string(Some(self))
    }
}

impl Field for Option<Bytes> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.len()?.map(|len| reader.bytes(len)).transpose()
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_len(self.as_ref().map(Bytes::len))?;
        if let Some(bytes) = self {
            writer.put_shared(bytes);
        }
        Ok(())
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

impl Field for Bytes {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        not_null(Option::<Bytes>::read(reader)?)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_len(Some(self.len()))?;
        writer.put_shared(self);
        Ok(())
    }
}

/// Null is read as empty, because other brokers send it; it is never written.
impl Field for Records {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let bytes = Option::<Bytes>::read(reader)?;
        Ok(bytes.map(Records::from).unwrap_or_default())
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_len(Some(self.len()))?;
        for chunk in self.chunks() {
            writer.put_shared(chunk);
        }
        writer.put_elsewhere(self.bytes_elsewhere());
        Ok(())
    }
}

impl<T: Field> Field for Option<Vec<T>> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.len()?.map(|count| reader.elements(count, T::read)).transpose()
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_len(self.as_ref().map(Vec::len))?;
        self.iter().flatten().try_for_each(|element| element.write(writer))
    }

    fn each_error(&self, found: &mut impl FnMut(ErrorCode)) {
        self.iter().flatten().for_each(|element| element.each_error(found));
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        not_null(Option::<Vec<T>>::read(reader)?)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put_len(Some(self.len()))?;
        self.iter().try_for_each(|element| element.write(writer))
    }

    fn each_error(&self, found: &mut impl FnMut(ErrorCode)) {
        self.iter().for_each(|element| element.each_error(found));
    }
}

/// What a `message!` table makes: it may be null as a whole, where a row says `Option`.
pub trait Structure: Field {}

impl<T: Structure> Field for Option<T> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        match i8::read(reader)? {
            ..0 => Ok(None),
            _ => T::read(reader).map(Some),
        }
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        match self {
            None => (-1i8).write(writer),
            Some(structure) => {
                1i8.write(writer)?;
                structure.write(writer)
            }
        }
    }

    fn each_error(&self, found: &mut impl FnMut(ErrorCode)) {
        self.iter().for_each(|structure| structure.each_error(found));
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

fn not_null<T>(value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or_else(|| Problem::UnexpectedNull.into())
}
