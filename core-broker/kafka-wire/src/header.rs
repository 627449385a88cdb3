//! What stands in front of every request and response.

use crate::api::ApiKey;
use crate::field::Field;
use crate::primitives::{DecodeError, EncodeError, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    pub api: ApiKey,
    pub version: i16,
    /// Chosen by the client, repeated in the answer.
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

impl RequestHeader {
    pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        self.api.code().write(writer)?;
        self.version.write(writer)?;
        self.correlation_id.write(writer)?;
        // The client id keeps its plain form in flexible versions.
        writer.put_plain_string(self.client_id.as_deref())?;
        writer.put_tag_count(0);
        Ok(())
    }
}

/// Whether tagged fields follow the correlation id of a response. Never in ApiVersions: its client
/// may not know yet which version the broker could answer in.
pub(crate) fn response_header_has_tags(api: ApiKey, version: i16) -> bool {
    api != ApiKey::ApiVersions && api.is_flexible(version)
}

pub(crate) fn skip_tagged_fields(reader: &mut Reader) -> Result<(), DecodeError> {
    reader.tagged_fields(|_, _| Ok(false))
}
