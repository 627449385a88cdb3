//! A small value and the checksum that redb does not check for us.

use bytes::Bytes;

const SEAL: u8 = 1;
const HEADER_BYTES: usize = 5;

pub fn seal(payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER_BYTES + payload.len());
    value.push(SEAL);
    value.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    value.extend_from_slice(payload);
    value
}

/// `None`: these are not the bytes that were sealed.
pub fn unseal(value: &[u8]) -> Option<Bytes> {
    let (header, payload) = value.split_first_chunk::<HEADER_BYTES>()?;
    let [seal, crc @ ..] = header;
    let whole = *seal == SEAL && u32::from_le_bytes(*crc) == crc32c::crc32c(payload);
    whole.then(|| Bytes::copy_from_slice(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_breaks_the_seal() {
        let value = seal(b"next offset 42");
        assert_eq!(unseal(&value).as_deref(), Some(&b"next offset 42"[..]));
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(&damaged), None, "bit {bit}");
        }
        assert_eq!(unseal(&value[..4]), None);
    }
}
