//! Topics chosen by a regular expression, as `--topic` and its like choose them.

use regex_lite::Regex;

use super::failure::Exception;

/// One or more expressions with commas between them; a topic is chosen when one matches its whole name.
#[derive(Debug)]
pub struct TopicFilter(Regex);

impl TopicFilter {
    pub fn new(expression: &str) -> Result<Self, Exception> {
        let quotes = ['"', '\''];
        let plain = expression.trim().replace(',', "|").replace(' ', "");
        let plain = plain.trim_start_matches(quotes).trim_end_matches(quotes);
        match Regex::new(&format!("^(?:{plain})$")) {
            Ok(regex) if Regex::new(plain).is_ok() => Ok(Self(regex)),
            _ => Err(Exception::new("java.lang.RuntimeException", format!("{plain} is an invalid regex."))),
        }
    }

    pub fn chooses(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_chosen_by_their_whole_name() {
        for (expression, chosen, not) in [
            ("gps", "gps", "gps.v2"),
            ("gps.*", "gps.v2", "a-gps"),
            ("gps,alerts", "alerts", "gps,alerts"),
            ("gps, alerts", "alerts", "alert"),
            (".", "x", "xy"),
        ] {
            let filter = TopicFilter::new(expression).unwrap();
            assert!(filter.chooses(chosen), "{expression}");
            assert!(!filter.chooses(not), "{expression}");
        }
        for broken in ["(", "a)b(", "*"] {
            assert_eq!(
                TopicFilter::new(broken).unwrap_err().message,
                format!("{broken} is an invalid regex.")
            );
        }
    }
}
