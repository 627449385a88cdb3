//! Topic names, topic filters, and which filter takes which name.

use crate::ProtocolVersion;

/// Why a string is no topic name or no topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    #[error("it is empty")]
    Empty,
    #[error("it holds a wildcard")]
    Wildcard,
    #[error("'#' is not alone on the last level")]
    MisplacedHash,
    #[error("'+' is not alone on its level")]
    MisplacedPlus,
    #[error("its share name is empty or holds '+' or '#', or no filter follows")]
    ShareName,
    #[error("it holds U+0000")]
    Nul,
    #[error("it is longer than 65535 bytes")]
    TooLong,
}

/// A topic name: what a message is published to. [MQTT-3.3.2-2], [MQTT-4.7.3-1]
pub fn check_topic_name(name: &str) -> Result<(), TopicError> {
    check_text(name)?;
    if name.contains(['+', '#']) { Err(TopicError::Wildcard) } else { Ok(()) }
}

/// A topic filter: what is subscribed to. [MQTT-4.7.1-2], [MQTT-4.7.1-3]; in version 5 also
/// `$share/NAME/FILTER`. [MQTT-4.8.2-1]
pub fn check_topic_filter(filter: &str, version: ProtocolVersion) -> Result<(), TopicError> {
    check_text(filter)?;
    let filter = match filter.strip_prefix("$share/") {
        Some(shared) if version == ProtocolVersion::V5 => match shared.split_once('/') {
            Some((name, rest)) if !name.is_empty() && !name.contains(['+', '#']) && !rest.is_empty() => rest,
            _ => return Err(TopicError::ShareName),
        },
        _ => filter,
    };
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(TopicError::MisplacedHash);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicError::MisplacedPlus);
        }
    }
    Ok(())
}

/// Whether a filter asks for a shared subscription, which only version 5 knows.
pub fn is_shared_filter(filter: &str) -> bool {
    filter.starts_with("$share/")
}

/// Whether a topic filter takes a topic name. Wildcards on the first level do not take names that
/// begin with `$`. [MQTT-4.7.2-1]
pub fn topic_matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut name_levels = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true; // also takes the parent level itself
        }
        match name_levels.next() {
            Some(name_level) if level == "+" || level == name_level => {}
            _ => return false,
        }
    }
    name_levels.next().is_none()
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        Err(TopicError::Empty)
    } else if text.len() > usize::from(u16::MAX) {
        Err(TopicError::TooLong)
    } else if text.contains('\0') {
        Err(TopicError::Nul)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_take_what_section_4_7_says() {
        let cases = [
            ("a/b", "a/b", true),
            ("a/b", "a/B", false),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("#", "a/b", true),
            ("#", "/a", true),
            ("+", "a", true),
            ("+", "/a", false),
            ("+/+", "/a", true),
            ("/+", "/a", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/+/c", "a//c", true),
            ("+/b/#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("$SYS/+", "$SYS/x", true),
        ];
        for (filter, name, expected) in cases {
            assert_eq!(topic_matches(filter, name), expected, "{filter} on {name}");
        }
    }
}
