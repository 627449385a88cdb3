//! The `message!` macro: a message is a table of fields that reads like Kafka's own schema files.
//!
//! ```text
//! message! {
//!     struct PartitionData {
//!         0+    index: i32,                                the versions that have it, its name, its type
//!         0-12  name: String,                              gone from version 13 on
//!         5+    log_start_offset: i64 = -1,                what it is where the version lacks it
//!         1+    topics: Option<Vec<Topic>> [null 2+],      an Option may be null, here from version 2 on
//!         7+    protocol: Option<String> [null 8+ else empty],   and is written empty below that
//!         12+   current_leader: Leader [tag 0],            a tagged field, not written at its default
//!     }
//! }
//! ```
//! A value set where the version has no such field is left out: the caller fills in what it knows
//! and each client gets what it understands.

use crate::field::Field;
use crate::primitives::{DecodeError, EncodeError, Problem, Reader, Writer};

/// One row of a table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub name: &'static str,
    pub first: i16,
    pub last: i16,
    pub tag: Option<u32>,
    pub null_from: i16,
    pub null_is_empty_below: bool,
}

impl Row {
    pub const fn new(name: &'static str, first: i16, last: i16) -> Row {
        Row { name, first, last, tag: None, null_from: first, null_is_empty_below: false }
    }

    pub const fn tagged(self, tag: u32) -> Row {
        Row { tag: Some(tag), ..self }
    }

    pub const fn nullable(self, null_from: i16, null_is_empty_below: bool) -> Row {
        Row { null_from, null_is_empty_below, ..self }
    }

    pub fn covers(&self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    /// Reads the field in its place, if it has one at this version.
    pub fn read<T: Field>(&self, reader: &mut Reader, value: &mut T) -> Result<(), DecodeError> {
        if self.tag.is_none() && self.covers(reader.version()) {
            self.read_value(reader, value).map_err(|error| error.at(self.name))?;
        }
        Ok(())
    }

    /// Reads the field if it is the one tagged `tag`. A tag from before its time is an unknown one:
    /// some client uses the number for something else.
    pub fn read_tagged<T: Field>(
        &self,
        reader: &mut Reader,
        tag: u32,
        value: &mut T,
    ) -> Result<bool, DecodeError> {
        let mine = self.tag == Some(tag) && self.covers(reader.version());
        if mine {
            self.read_value(reader, value).map_err(|error| error.at(self.name))?;
        }
        Ok(mine)
    }

    fn read_value<T: Field>(&self, reader: &mut Reader, value: &mut T) -> Result<(), DecodeError> {
        *value = T::read(reader)?;
        if value.is_null() && reader.version() < self.null_from {
            return Err(Problem::UnexpectedNull.into());
        }
        Ok(())
    }

    pub fn write<T: Field>(&self, writer: &mut Writer, value: &T) -> Result<(), EncodeError> {
        let version = writer.version();
        if self.tag.is_some() || !self.covers(version) {
            return Ok(());
        }
        if value.is_null() && version < self.null_from {
            return match self.null_is_empty_below {
                true => T::write_empty(writer),
                false => Err(EncodeError::Null { field: self.name, version }),
            };
        }
        value.write(writer)
    }

    /// Whether a tagged field is to be written: a default is left out, as the protocol demands.
    pub fn is_sent<T: PartialEq>(&self, writer: &Writer, value: &T, default: &T) -> bool {
        self.tag.is_some() && writer.is_flexible() && self.covers(writer.version()) && value != default
    }

    pub fn write_tagged<T: Field + PartialEq>(
        &self,
        writer: &mut Writer,
        value: &T,
        default: &T,
    ) -> Result<(), EncodeError> {
        match self.tag {
            Some(tag) if self.is_sent(writer, value, default) => {
                writer.put_tagged(tag, |writer| value.write(writer))
            }
            _ => Ok(()),
        }
    }
}

/// Tags go out in the order of the table, and the protocol wants them ascending.
pub(crate) const fn tags_ascend(rows: &[Row]) -> bool {
    let mut next = 0;
    let mut i = 0;
    while i < rows.len() {
        if let Some(tag) = rows[i].tag {
            if tag < next {
                return false;
            }
            next = tag + 1;
        }
        i += 1;
    }
    true
}

macro_rules! message {
    ($(
        $(#[$doc:meta])*
        struct $name:ident {$(
            $(#[$field_doc:meta])*
            $first:literal $(+)? $(- $last:literal)?
            $field:ident : $type:ty $([$($attribute:tt)+])? $(= $default:expr)?,
        )*}
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {$(
            $(#[$field_doc])*
            pub $field: $type,
        )*}

        impl $name {
            $(
                #[allow(non_upper_case_globals)] // One constant per field, under the field's name.
                const $field: $crate::table::Row = $crate::table::row!(
                    concat!(stringify!($name), ".", stringify!($field)),
                    $first, [$($last)?], [$($($attribute)+)?]
                );
            )*
        }

        const _: () = assert!($crate::table::tags_ascend(&[$($name::$field),*]));

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::table::default_value!($($default)?),)* }
            }
        }

        impl $crate::field::Field for $name {
            fn read(
                reader: &mut $crate::primitives::Reader,
            ) -> Result<Self, $crate::primitives::DecodeError> {
                let mut value = Self::default();
                $(Self::$field.read(reader, &mut value.$field)?;)*
                reader.tagged_fields(|_reader, _tag| {
                    Ok(false $(|| Self::$field.read_tagged(_reader, _tag, &mut value.$field)?)*)
                })?;
                Ok(value)
            }

            fn write(
                &self,
                writer: &mut $crate::primitives::Writer,
            ) -> Result<(), $crate::primitives::EncodeError> {
                $(Self::$field.write(writer, &self.$field)?;)*
                let _default = Self::default();
                writer.put_tag_count(
                    0 $(+ usize::from(Self::$field.is_sent(writer, &self.$field, &_default.$field)))*
                );
                $(Self::$field.write_tagged(writer, &self.$field, &_default.$field)?;)*
                Ok(())
            }

            fn each_error(&self, _found: &mut impl FnMut($crate::error_code::ErrorCode)) {
                $(self.$field.each_error(_found);)*
            }
        }

        impl $crate::field::Structure for $name {}

        #[cfg(any(test, feature = "samples"))]
        impl $crate::sample::Sample for $name {
            fn sample(_source: &mut $crate::sample::Source, _nullable: bool) -> Self {
                let mut _value = Self::default();
                $(_source.fill(&Self::$field, &mut _value.$field);)*
                _value
            }
        }
    )*};
}

macro_rules! row {
    ($name:expr, $first:literal, [$($last:literal)?], []) => {
        $crate::table::Row::new($name, $first, [$($last,)? i16::MAX][0])
    };
    ($name:expr, $first:literal, $last:tt, [tag $tag:literal]) => {
        $crate::table::row!($name, $first, $last, []).tagged($tag)
    };
    ($name:expr, $first:literal, $last:tt, [null $from:literal +]) => {
        $crate::table::row!($name, $first, $last, []).nullable($from, false)
    };
    ($name:expr, $first:literal, $last:tt, [null $from:literal + else empty]) => {
        $crate::table::row!($name, $first, $last, []).nullable($from, true)
    };
}

macro_rules! default_value {
    () => {
        Default::default()
    };
    ($value:expr) => {
        $value
    };
}

pub(crate) use {default_value, message, row};
