//! What a config accepts, and how Kafka says that it does not.

use kafka_wire::configs::value_type;
use thiserror::Error;

/// The values a config accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values {
    Boolean,
    Short {
        min: i64,
    },
    Int {
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
    /// A comma-separated list of these, none twice.
    ListOf(&'static [&'static str]),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("Unknown topic config name: {key}")]
    UnknownTopicConfig { key: String },
    #[error("Unknown broker config name: {key}")]
    UnknownBrokerConfig { key: String },
    #[error("Cannot update these configs dynamically: Set({key})")]
    NotDynamic { key: String },
    #[error("Invalid value {value} for configuration {key}: {expected}")]
    BadValue { key: String, value: String, expected: String },
    #[error("{reason}")]
    Conflict { reason: String },
}

impl Values {
    pub fn check(&self, key: &str, value: &str) -> Result<(), ConfigError> {
        let refused = |expected: String| {
            Err(ConfigError::BadValue { key: key.to_owned(), value: value.to_owned(), expected })
        };
        match self.expected(value.trim()) {
            None => Ok(()),
            Some(expected) => refused(expected),
        }
    }

    pub fn accept(&self, value: &str) -> bool {
        self.expected(value.trim()).is_none()
    }

    /// Appending and subtracting make sense.
    pub fn is_list(&self) -> bool {
        matches!(self, Values::List | Values::ListOf(_))
    }

    /// As `kafka_wire::configs::value_type` has it.
    pub fn type_code(&self) -> i8 {
        match self {
            Values::Boolean => value_type::BOOLEAN,
            Values::Short { .. } => value_type::SHORT,
            Values::Int { .. } => value_type::INT,
            Values::Long { .. } => value_type::LONG,
            Values::Double { .. } => value_type::DOUBLE,
            Values::Text | Values::OneOf(_) => value_type::STRING,
            Values::List | Values::ListOf(_) => value_type::LIST,
        }
    }

    /// What would be legal, if `value` is not.
    fn expected(&self, value: &str) -> Option<String> {
        match self {
            Values::Boolean => {
                let legal = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
                (!legal).then(|| "Expected value to be either true or false".to_owned())
            }
            Values::Short { min } => integer(value, "SHORT", *min, i16::MAX.into()),
            Values::Int { min, max } => match value.parse::<i32>() {
                Ok(_) => integer(value, "INT", *min, *max),
                Err(_) => Some("Not a number of type INT".to_owned()),
            },
            Values::Long { min } => integer(value, "LONG", *min, i64::MAX),
            Values::Double { min, max } => match value.parse::<f64>() {
                Err(_) => Some("Not a number of type DOUBLE".to_owned()),
                Ok(number) if number < *min => Some(format!("Value must be at least {min}")),
                Ok(number) if number <= *max => None,
                Ok(_) => Some(format!("Value must be no more than {max}")),
            },
            Values::Text | Values::List => None,
            Values::OneOf(words) => (!words.contains(&value)).then(|| one_of(words)),
            Values::ListOf(words) => {
                let given: Vec<&str> = elements(value).collect();
                let known = given.iter().all(|word| words.contains(word));
                (!known).then(|| one_of(words))
            }
        }
    }
}

/// Those of a comma-separated list; none of an empty text.
pub fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|element| !element.is_empty())
}

fn integer(value: &str, type_name: &str, min: i64, max: i64) -> Option<String> {
    match value.parse::<i64>() {
        Err(_) => Some(format!("Not a number of type {type_name}")),
        Ok(number) if number < min => Some(format!("Value must be at least {min}")),
        Ok(number) if number > max => Some(format!("Value must be no more than {max}")),
        Ok(_) => None,
    }
}

fn one_of(words: &[&str]) -> String {
    format!("String must be one of: {}", words.join(", "))
}
