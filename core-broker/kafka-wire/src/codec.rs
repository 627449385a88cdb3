//! Whole messages. Encoding gives frames, size included, as chunks for a vectored write; decoding
//! takes what [`crate::frame::take_frame`] gave.

use bytes::Bytes;

use crate::api::{ApiKey, Request, Response};
use crate::error_code::ErrorCode;
use crate::field::Field;
use crate::header::{RequestHeader, response_header_has_tags, skip_tagged_fields};
use crate::primitives::{DecodeError, EncodeError, Part, Problem, Reader, Writer, in_memory};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Kafka closes the connection.
    #[error("API key {key} is not served")]
    UnknownApi { key: i16, version: i16, correlation_id: i32 },
    /// Kafka closes the connection, except for ApiVersions: that is answered in version 0 with
    /// `UNSUPPORTED_VERSION` and the versions there are, and the client tries again.
    #[error("version {} of {:?} is not served", .header.version, .header.api)]
    UnsupportedVersion { header: RequestHeader },
    #[error("malformed request header: {0}")]
    MalformedHeader(DecodeError),
    #[error("malformed {:?} request in version {}: {source}", .header.api, .header.version)]
    Malformed { header: RequestHeader, source: DecodeError },
}

/// A request of which only the header was read: what follows takes the memory of its frame and no more.
#[derive(Debug, Clone)]
pub struct Undecoded {
    pub header: RequestHeader,
    body: Bytes,
}

impl Undecoded {
    /// Bytes after its end are ignored, as Kafka does.
    pub fn decode(self) -> Result<(RequestHeader, Request), RequestError> {
        let Self { header, body } = self;
        let mut reader = Reader::new(body, header.version, header.api.is_flexible(header.version));
        let malformed = |error: DecodeError| RequestError::MalformedHeader(error.at("RequestHeader"));
        skip_tagged_fields(&mut reader).map_err(malformed)?;
        match Request::read(header.api, &mut reader) {
            Ok(request) => Ok((header, request)),
            Err(source) => Err(RequestError::Malformed { header, source }),
        }
    }
}

/// Reads a whole request.
pub fn decode_request(frame: Bytes) -> Result<(RequestHeader, Request), RequestError> {
    decode_header(frame)?.decode()
}

/// Reads what says how to read the rest.
pub fn decode_header(frame: Bytes) -> Result<Undecoded, RequestError> {
    let malformed = |error: DecodeError| RequestError::MalformedHeader(error.at("RequestHeader"));
    let mut start = Reader::new(frame, 0, false);
    let key = i16::read(&mut start).map_err(malformed)?;
    let version = i16::read(&mut start).map_err(malformed)?;
    let correlation_id = i32::read(&mut start).map_err(malformed)?;
    let Some(api) = ApiKey::from_code(key) else {
        return Err(RequestError::UnknownApi { key, version, correlation_id });
    };
    // The client id keeps its plain form in flexible versions.
    let client_id = Option::<String>::read(&mut start).map_err(malformed)?;
    let header = RequestHeader { api, version, correlation_id, client_id };
    if !api.supports(version) {
        return Err(RequestError::UnsupportedVersion { header });
    }

    Ok(Undecoded { header, body: start.into_rest() })
}

pub fn encode_request(
    request: &Request,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Vec<Bytes>, EncodeError> {
    let api = request.api();
    let mut writer = framed(api, version)?;
    RequestHeader { api, version, correlation_id, client_id: client_id.map(str::to_owned) }
        .write(&mut writer)?;
    request.write(&mut writer)?;
    in_memory(writer.into_frame()?)
}

/// The answer to a request that came in `version`.
pub fn encode_response(
    response: &Response,
    version: i16,
    correlation_id: i32,
) -> Result<Vec<Bytes>, EncodeError> {
    in_memory(encode_response_parts(response, version, correlation_id)?)
}

/// As [`encode_response`], for an answer whose records may be [elsewhere](crate::Records::elsewhere).
pub fn encode_response_parts(
    response: &Response,
    version: i16,
    correlation_id: i32,
) -> Result<Vec<Part>, EncodeError> {
    let api = response.api();
    let mut writer = framed(api, version)?;
    correlation_id.write(&mut writer)?;
    if response_header_has_tags(api, version) {
        writer.put_tag_count(0);
    }
    response.write(&mut writer)?;
    writer.into_frame()
}

/// Reads the answer to a request sent in `version`, and its correlation id.
pub fn decode_response(frame: Bytes, api: ApiKey, version: i16) -> Result<(i32, Response), DecodeError> {
    if !api.supports(version) {
        return Err(Problem::UnsupportedVersion(version).into());
    }
    let mut start = Reader::new(frame, 0, false);
    let correlation_id = i32::read(&mut start).map_err(|error| error.at("ResponseHeader"))?;
    let body = start.into_rest();

    // A broker that lacks the version we asked ApiVersions in answers in version 0.
    let refused = ErrorCode::UnsupportedVersion.code().to_be_bytes();
    let version = if api == ApiKey::ApiVersions && body.starts_with(&refused) { 0 } else { version };

    let mut reader = Reader::new(body, version, api.is_flexible(version));
    if response_header_has_tags(api, version) {
        skip_tagged_fields(&mut reader).map_err(|error| error.at("ResponseHeader"))?;
    }
    Ok((correlation_id, Response::read(api, &mut reader)?))
}

fn framed(api: ApiKey, version: i16) -> Result<Writer, EncodeError> {
    match api.supports(version) {
        true => Ok(Writer::framed(version, api.is_flexible(version))),
        false => Err(EncodeError::UnsupportedVersion(version)),
    }
}
