//! Which topic names are legal, as Kafka has it.

use thiserror::Error;

const MAX_NAME_BYTES: usize = 249;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicNameError {
    #[error("Topic name is invalid: the empty string is not allowed")]
    Empty,
    #[error(
        "Topic name is invalid: the length of '{name}' is longer than the max allowed length {MAX_NAME_BYTES}"
    )]
    TooLong { name: String },
    #[error("Topic name is invalid: '{name}' is not allowed")]
    Dots { name: String },
    #[error(
        "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', \
         '_' and '-'"
    )]
    BadCharacter { name: String },
}

pub fn validate_topic_name(name: &str) -> Result<(), TopicNameError> {
    if name.is_empty() {
        return Err(TopicNameError::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(TopicNameError::TooLong { name: shortened(name) });
    }
    if name == "." || name == ".." {
        return Err(TopicNameError::Dots { name: name.to_owned() });
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(TopicNameError::BadCharacter { name: name.to_owned() });
    }
    Ok(())
}

/// A name of 32 KiB is not said back whole.
fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME_BYTES + 1).collect()
}

/// Metric names write '.' as '_', so two topics that differ only there would share their metrics.
pub fn names_collide(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).all(|(a, b)| a == b || (is_dot(a) && is_dot(b)))
}

fn is_dot(byte: u8) -> bool {
    byte == b'.' || byte == b'_'
}

/// Topics the broker keeps for itself; Metadata answers mark them.
pub fn is_internal_topic(name: &str) -> bool {
    name == "__consumer_offsets" || name == "__transaction_state"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kafka_judges_them() {
        let longest = "a".repeat(249);
        for (name, legal) in [
            ("trucks_gps", true),
            ("A.b-c_9", true),
            ("...", true),
            (longest.as_str(), true),
            ("", false),
            (".", false),
            ("..", false),
            ("a b", false),
            ("fleet/1", false),
            ("gps\u{e9}", false),
            ("a\0", false),
        ] {
            assert_eq!(validate_topic_name(name).is_ok(), legal, "{name:?}");
        }
        let too_long = validate_topic_name(&"a".repeat(250));
        assert_eq!(too_long, Err(TopicNameError::TooLong { name: "a".repeat(250) }));
    }

    #[test]
    fn dot_and_underscore_collide() {
        assert!(names_collide("trucks.gps", "trucks_gps"));
        assert!(names_collide("same", "same"));
        assert!(!names_collide("trucks-gps", "trucks_gps"));
        assert!(!names_collide("a.b", "a.bc"));
    }
}
