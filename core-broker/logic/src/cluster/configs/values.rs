//! What a config accepts, and how Kafka says that it does not.

use kafka_wire::configs::value_type;
use thiserror::Error;

/// The values a config accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values {
    Boolean,
    Int {
        min: i64,
        max: i64,
    },
    /// From `min` to `max`, or this one.
    IntOr {
        or: i64,
        min: i64,
        max: i64,
    },
    Long {
        min: i64,
    },
    Double {
        min: f64,
        max: f64,
    },
    Text,
    OneOf(&'static [&'static str]),
    /// A comma-separated list of anything.
    List,
    /// A comma-separated list of these.
    ListOf(&'static [&'static str]),
    /// A list of `partition:broker`, or `*`.
    Replicas,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("Unknown topic config name: {key}")]
    UnknownTopicConfig { key: String },
    #[error("Unknown broker config name: {key}")]
    UnknownBrokerConfig { key: String },
    #[error("Cannot update these configs dynamically: [{}]", keys.join(", "))]
    NotDynamic { keys: Vec<String> },
    #[error("Can't {operation} to key {key} because its type is not LIST.")]
    NotAList { operation: &'static str, key: String },
    #[error("Invalid value {value} for configuration {key}: {expected}")]
    BadValue { key: String, value: String, expected: String },
    #[error("{reason}")]
    Conflict { reason: String },
}

/// What is not accepted, and what would be.
struct Refusal {
    value: String,
    expected: String,
}

impl Values {
    pub fn check(&self, key: &str, value: &str) -> Result<(), ConfigError> {
        self.refusal(key, value.trim()).map_or(Ok(()), |Refusal { value, expected }| {
            Err(ConfigError::BadValue { key: key.to_owned(), value, expected })
        })
    }

    pub fn accept(&self, value: &str) -> bool {
        self.refusal("", value.trim()).is_none()
    }

    /// The value as Kafka shows it: without the spaces around, lists without what stands in them twice.
    pub fn canonical(&self, value: &str) -> String {
        if self.is_list() {
            return join(elements(value));
        }
        match self {
            Values::Boolean => value.trim().to_ascii_lowercase(),
            _ => value.trim().to_owned(),
        }
    }

    /// Appending and subtracting make sense.
    pub fn is_list(&self) -> bool {
        matches!(self, Values::List | Values::ListOf(_) | Values::Replicas)
    }

    /// As `kafka_wire::configs::value_type` has it.
    pub fn type_code(&self) -> i8 {
        match self {
            Values::Boolean => value_type::BOOLEAN,
            Values::Int { .. } | Values::IntOr { .. } => value_type::INT,
            Values::Long { .. } => value_type::LONG,
            Values::Double { .. } => value_type::DOUBLE,
            Values::Text | Values::OneOf(_) => value_type::STRING,
            Values::List | Values::ListOf(_) | Values::Replicas => value_type::LIST,
        }
    }

    fn refusal(&self, key: &str, value: &str) -> Option<Refusal> {
        let refuse = |expected: String| Some(Refusal { value: value.to_owned(), expected });
        match self {
            Values::Boolean => {
                let legal = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
                if legal { None } else { refuse("Expected value to be either true or false".to_owned()) }
            }
            Values::Int { min, max } => match value.parse::<i32>() {
                Err(_) => refuse("Not a number of type INT".to_owned()),
                Ok(number) => outside(&number.into(), min, max).and_then(refuse),
            },
            Values::IntOr { or, min, max } => match value.parse::<i32>().map(i64::from) {
                Err(_) => refuse("Not a number of type INT".to_owned()),
                Ok(number) if number == *or || (*min..=*max).contains(&number) => None,
                Ok(_) => refuse(format!("Value must be between {min} and {max} or equal to {or}")),
            },
            Values::Long { min } => match value.parse::<i64>() {
                Err(_) => refuse("Not a number of type LONG".to_owned()),
                Ok(number) => outside(&number, min, &i64::MAX).and_then(refuse),
            },
            Values::Double { min, max } => match value.parse::<f64>() {
                Err(_) => refuse("Not a number of type DOUBLE".to_owned()),
                Ok(number) if number.is_nan() => refuse("Not a number of type DOUBLE".to_owned()),
                // Java writes a double with its fraction.
                Ok(number) => outside(&number, min, max)
                    .map(|expected| Refusal { value: format!("{number:?}"), expected }),
            },
            Values::Text | Values::List => None,
            Values::OneOf(words) if words.contains(&value) => None,
            Values::OneOf(words) => refuse(one_of(words)),
            Values::ListOf(words) => {
                let unknown = elements(value).find(|element| !words.contains(element))?;
                Some(Refusal { value: unknown.to_owned(), expected: one_of(words) })
            }
            Values::Replicas => {
                if value == "*" || elements(value).all(is_replica) {
                    return None;
                }
                let expected = format!(
                    "{key} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],..."
                );
                Some(Refusal { value: format!("[{value}]"), expected })
            }
        }
    }
}

/// Those of a comma-separated list; none of an empty text.
pub fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|element| !element.is_empty())
}

/// A list of what is in `elements`, each once.
pub fn join<'a>(elements: impl Iterator<Item = &'a str>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    elements.filter(|element| seen.insert(*element)).collect::<Vec<_>>().join(",")
}

fn outside<T: PartialOrd + std::fmt::Display>(number: &T, min: &T, max: &T) -> Option<String> {
    if number < min {
        Some(format!("Value must be at least {min}"))
    } else if number > max {
        Some(format!("Value must be no more than {max}"))
    } else {
        None
    }
}

fn one_of(words: &[&str]) -> String {
    format!("String must be one of: {}", words.join(", "))
}

/// `partition:broker`
fn is_replica(text: &str) -> bool {
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    text.split_once(':').is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_kafka_shows_it() {
        for (values, given, shown) in [
            (Values::Long { min: 0 }, " 5 ", "5"),
            (Values::Boolean, "TRUE", "true"),
            (Values::List, "a, b,,a", "a,b"),
            (Values::Text, " as it is ", "as it is"),
        ] {
            assert_eq!(values.canonical(given), shown);
        }
    }

    #[test]
    fn a_list_is_refused_by_the_element_that_is_wrong() {
        let told = Values::ListOf(&["compact", "delete"]).check("cleanup.policy", "compact,shred");
        let expected =
            "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete";
        assert_eq!(told.map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
}
