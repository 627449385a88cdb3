//! Values for tests, here and of those who speak the protocol: any byte string is turned into a message, so
//! that proptest can generate and shrink it.

use bytes::Bytes;
use uuid::Uuid;

use crate::api::{ApiKey, Response, sample_request, sample_response};
use crate::codec::{decode_request, decode_response, encode_request, encode_response};
use crate::error_code::ErrorCode;
use crate::field::Field;
use crate::frame::LENGTH_BYTES;
use crate::records::Records;
use crate::table::Row;

pub fn each_version() -> impl Iterator<Item = (ApiKey, i16)> {
    ApiKey::ALL.iter().flat_map(|api| api.versions().map(|version| (*api, version)))
}

#[cfg(test)]
pub fn entropy(bytes: std::ops::Range<usize>) -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::prelude::any::<u8>(), bytes)
}

/// A request as it arrives, checked to come back as it was.
pub fn request_frame(api: ApiKey, version: i16, entropy: &[u8]) -> Bytes {
    let request = sample_request(api, &mut Source::new(entropy, version));
    let frame = joined(encode_request(&request, version, 77, Some("truck")).unwrap());
    let (header, back) = decode_request(frame.clone()).unwrap();
    assert_eq!((header.api, header.version, header.correlation_id), (api, version, 77));
    assert_eq!(header.client_id.as_deref(), Some("truck"));
    assert_eq!(back, request);
    frame
}

/// A response as it arrives, checked to come back as it was.
pub fn response_frame(api: ApiKey, version: i16, entropy: &[u8]) -> Bytes {
    let mut response = sample_response(api, &mut Source::new(entropy, version));
    // This error alone is always written in version 0, see `tests/traps`.
    if let Response::ApiVersions(answer) = &mut response
        && answer.error_code == ErrorCode::UnsupportedVersion
    {
        answer.error_code = ErrorCode::None;
    }
    let frame = joined(encode_response(&response, version, 77).unwrap());
    let back = decode_response(frame.clone(), api, version).unwrap();
    assert_eq!(back, (77, response));
    frame
}

/// What [`crate::frame::take_frame`] makes of the chunks that were sent.
pub fn joined(chunks: Vec<Bytes>) -> Bytes {
    Bytes::from(chunks.concat()).split_off(LENGTH_BYTES)
}

pub struct Source<'a> {
    bytes: &'a [u8],
    version: i16,
}

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8], version: i16) -> Source<'a> {
        Source { bytes, version }
    }

    /// Gives the field a value, if the version has it.
    pub(crate) fn fill<T: Field + Sample>(&mut self, row: &Row, value: &mut T) {
        if row.covers(self.version) {
            *value = T::sample(self, self.version >= row.null_from);
        }
    }

    /// Zeros at the end, which make small values.
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn is_null(&mut self, nullable: bool) -> bool {
        nullable && self.byte() % 4 == 1
    }
}

pub trait Sample {
    fn sample(source: &mut Source, nullable: bool) -> Self;
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Sample for $type {
            fn sample(source: &mut Source, _: bool) -> Self {
                match source.byte() {
                    0 => 0,
                    1 => -1,
                    2 => <$type>::MAX,
                    3 => <$type>::MIN,
                    _ => <$type>::from_be_bytes(source.bytes()),
                }
            }
        }
    )*};
}

integers!(i8 i16 i32 i64);

impl Sample for bool {
    fn sample(source: &mut Source, _: bool) -> Self {
        source.byte() % 2 == 1
    }
}

impl Sample for Uuid {
    fn sample(source: &mut Source, _: bool) -> Self {
        Uuid::from_bytes(source.bytes())
    }
}

impl Sample for ErrorCode {
    fn sample(source: &mut Source, _: bool) -> Self {
        ErrorCode::from_code(i16::from(source.byte()) - 1)
    }
}

impl Sample for String {
    fn sample(source: &mut Source, _: bool) -> Self {
        let len = [0, 1, 7, 130][usize::from(source.byte() % 4)];
        (0..len).map(|_| ['a', '.', 'ü', '東'][usize::from(source.byte() % 4)]).collect()
    }
}

impl Sample for Bytes {
    fn sample(source: &mut Source, _: bool) -> Self {
        // The longest is passed on as a chunk of its own.
        let len = [0, 1, 200, 5_000][usize::from(source.byte() % 4)];
        let byte = source.byte();
        vec![byte; len].into()
    }
}

impl Sample for Records {
    fn sample(source: &mut Source, nullable: bool) -> Self {
        vec![Bytes::sample(source, nullable), Bytes::sample(source, nullable)].into()
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(source: &mut Source, _: bool) -> Self {
        let count = source.byte() % 4;
        (0..count).map(|_| T::sample(source, false)).collect()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(source: &mut Source, nullable: bool) -> Self {
        if source.is_null(nullable) { None } else { Some(T::sample(source, false)) }
    }
}
