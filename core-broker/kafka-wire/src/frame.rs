//! A stream of frames: four bytes of size, then one request or response.

use bytes::{Buf, Bytes, BytesMut};

pub const LENGTH_BYTES: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("frame size {0} is negative")]
    Negative(i32),
    #[error("frame of {size} bytes, {limit} are allowed")]
    TooLarge { size: usize, limit: usize },
}

/// Takes one whole frame, without its size, from the front of what has arrived. `None`: read on.
///
/// Nothing is reserved for a frame that has not arrived: the buffer grows with the bytes.
pub fn take_frame(arrived: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(prefix) = arrived.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let prefix = i32::from_be_bytes(*prefix);
    let size = usize::try_from(prefix).map_err(|_| FrameError::Negative(prefix))?;
    if size > limit {
        return Err(FrameError::TooLarge { size, limit });
    }
    if arrived.len() - LENGTH_BYTES < size {
        return Ok(None);
    }
    arrived.advance(LENGTH_BYTES);
    Ok(Some(arrived.split_to(size).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let stream = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01z";
        let mut arrived = BytesMut::new();
        let mut frames = Vec::new();
        for byte in stream {
            arrived.extend_from_slice(&[*byte]);
            while let Some(frame) = take_frame(&mut arrived, 3).unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames, [&b"abc"[..], b"", b"z"]);
        assert!(arrived.is_empty());
    }

    #[test]
    fn a_size_that_cannot_be_is_refused_at_once() {
        for (prefix, error) in [
            (-1, FrameError::Negative(-1)),
            (i32::MIN, FrameError::Negative(i32::MIN)),
            (101, FrameError::TooLarge { size: 101, limit: 100 }),
            (i32::MAX, FrameError::TooLarge { size: i32::MAX as usize, limit: 100 }),
        ] {
            let mut arrived = BytesMut::from(&prefix.to_be_bytes()[..]);
            assert_eq!(take_frame(&mut arrived, 100), Err(error));
        }
    }
}
