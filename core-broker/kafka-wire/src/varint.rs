//! Variable-length integers: seven bits per byte, low bits first, the high bit says "more follows".
//! Signed values are zigzag-coded (records); unsigned ones are plain (compact lengths, tags).

use bytes::BufMut;

/// A varint of 64 bits never takes more bytes than this, one of 32 bits no more than five.
pub(crate) const MAX_BYTES_64: usize = 10;

/// Reads an unsigned varint from the front of `bytes`: the value, and how many bytes it took.
/// `None` if it is cut short, does not end, or does not fit in 64 bits.
pub(crate) fn read_unsigned(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(MAX_BYTES_64).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if i == MAX_BYTES_64 - 1 && bits > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

pub(crate) fn read_signed(bytes: &[u8]) -> Option<(i64, usize)> {
    let (raw, taken) = read_unsigned(bytes)?;
    Some(((raw >> 1) as i64 ^ -((raw & 1) as i64), taken))
}

pub(crate) fn write_unsigned(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

pub(crate) fn write_signed(out: &mut impl BufMut, value: i64) {
    write_unsigned(out, zigzag(value));
}

pub(crate) fn signed_len(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_comes_back(value: i64) {
            let mut out = Vec::new();
            write_signed(&mut out, value);
            prop_assert_eq!(out.len(), signed_len(value));
            prop_assert_eq!(read_signed(&out), Some((value, out.len())));
            for cut in 0..out.len() {
                prop_assert_eq!(read_signed(&out[..cut]), None);
            }
        }
    }

    #[test]
    fn known_encodings() {
        for (value, bytes) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (64, &[0x80, 0x01]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ] {
            let mut out = Vec::new();
            write_signed(&mut out, value);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn a_number_that_never_ends_is_refused() {
        assert_eq!(read_unsigned(&[0xff; 20]), None);
        assert_eq!(read_unsigned(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), None);
    }
}
