//! The 64 bits by which a re-sent publish is known: FNV-1a, because it is kept on disk and must be the
//! same in every version of the agent.

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of a topic and a payload. No topic holds the byte 0xff between them.
pub(super) fn publish_hash(topic: &str, payload: &[u8]) -> u64 {
    let bytes = topic.as_bytes().iter().chain(&[0xff]).chain(payload);
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::publish_hash;

    #[test]
    fn is_what_the_disk_remembers() {
        assert_eq!(publish_hash("", b""), 0xaf64_724c_8602_eb6e);
        assert_ne!(publish_hash("a", b"b"), publish_hash("ab", b""));
    }
}
