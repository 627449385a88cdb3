//! Which partition of `__consumer_offsets` holds a group: the rule Kafka's brokers and tools share.

/// Java's `String.hashCode` over UTF-16 units, its absolute value modulo `partitions` (at least 1).
pub fn group_partition(group_id: &str, partitions: i32) -> i32 {
    let hash =
        group_id.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    // Kafka's abs: the one number without a positive twin becomes 0.
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_java() {
        for (group_id, hash) in [
            ("", 0),
            ("a", 97),
            ("hello", 99_162_322),
            ("driver-break", 1_247_262_950),
            ("caf\u{e9}", 3_045_921),
            ("\u{1f69a}", 1_773_053),  // two UTF-16 units
            ("polygenelubricants", 0), // hashes to i32::MIN
        ] {
            assert_eq!(group_partition(group_id, i32::MAX), hash, "{group_id}");
        }
        assert_eq!(group_partition("hello", 50), 22);
        assert_eq!(group_partition("hello", 0), 0);
    }
}
