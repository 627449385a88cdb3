//! Why a command ends without doing what it was asked, in the words of Apache Kafka's tools, which people
//! and scripts know: the exceptions of its Java clients are part of what the tools print.

use std::fmt;

use kafka_wire::ErrorCode;

/// A line per error code: the code, its exception below `org.apache.kafka.common`, and what it says of itself.
const EXCEPTIONS: &str = include_str!("exceptions.txt");

const TERSE: &str = "org.apache.kafka.tools.TerseException";
const NETWORK: &str = "org.apache.kafka.common.errors.NetworkException";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The words make no sense together: a sentence, and after it the usage.
    Usage(String),
    /// `--version`: not a failure, but the end.
    Version,
    Exception(Exception),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    pub class: String,
    pub message: String,
}

impl Exception {
    pub fn new(class: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class: class.into(), message: message.into() }
    }

    /// What a broker answered. Without a message of its own the code speaks for itself.
    pub fn of(error: ErrorCode, message: Option<String>) -> Self {
        let code = error.code().to_string();
        let line = EXCEPTIONS.lines().find(|line| line.split_whitespace().next() == Some(&code));
        let (class, own) = line
            .and_then(|line| line.trim_start_matches(&code).trim_start().split_once(' '))
            .unwrap_or(("errors.UnknownServerException", "An unknown error."));
        Self {
            class: format!("org.apache.kafka.common.{class}"),
            message: message.filter(|message| !message.is_empty()).unwrap_or_else(|| own.to_owned()),
        }
    }

    /// What the tools find wrong with their words before a broker is asked.
    pub fn illegal_argument(message: impl Into<String>) -> Self {
        Self::new("java.lang.IllegalArgumentException", message)
    }

    /// A refusal that is one sentence, with nothing behind it to look into.
    pub fn terse(message: impl Into<String>) -> Self {
        Self::new(TERSE, message)
    }

    /// Between here and the broker.
    pub fn network(error: &anyhow::Error) -> Self {
        Self::new(NETWORK, format!("{error:#}"))
    }

    pub fn is_terse(&self) -> bool {
        self.class == TERSE
    }

    pub fn is_network(&self) -> bool {
        self.class == NETWORK
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl From<Exception> for Failure {
    fn from(exception: Exception) -> Self {
        Self::Exception(exception)
    }
}

/// Whatever goes wrong with a connection.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Exception::network(&error).into()
    }
}

impl Failure {
    pub fn illegal_argument(message: impl Into<String>) -> Self {
        Exception::illegal_argument(message).into()
    }

    pub fn terse(message: impl Into<String>) -> Self {
        Exception::terse(message).into()
    }
}

/// `Ok` when the broker answered without an error.
pub fn accepted(error: ErrorCode, message: Option<String>) -> Result<(), Exception> {
    match error {
        ErrorCode::None => Ok(()),
        error => Err(Exception::of(error, message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_exception_and_its_words() {
        for error in ErrorCode::ALL {
            let code = format!("{} ", error.code());
            assert!(EXCEPTIONS.lines().any(|line| line.starts_with(&code)), "{error}");
        }
        let exception = Exception::of(ErrorCode::TopicAlreadyExists, None);
        assert_eq!(exception.class, "org.apache.kafka.common.errors.TopicExistsException");
        assert_eq!(exception.message, "Topic with this name already exists.");
        let said = Exception::of(ErrorCode::InvalidConfig, Some("retention.ms is too small".to_owned()));
        assert_eq!(said.message, "retention.ms is too small");
    }
}
