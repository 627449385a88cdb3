//! One packet onto the end of a write buffer.

use bytes::{BufMut, BytesMut};

use crate::primitives::put_with_length;
use crate::{EncodeError, Packet, ProtocolVersion};

/// Appends a packet in the words of `version`. What an older version cannot say (properties, reason
/// codes of acknowledgements) is left out, so that a caller builds one packet for all versions.
/// After an error `out` is as it was.
pub fn encode(packet: &Packet, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_u8(packet.first_byte());
    let result = put_with_length(out, |out| packet.encode_body(version, out));
    if result.is_err() {
        out.truncate(start);
    }
    result
}
