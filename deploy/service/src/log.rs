//! The log on standard error: what is written, and how.

use std::io::{self, IsTerminal};

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::{Flag, Mistakes};

/// The part `[log]` of every service's config.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: Format,
    /// A level, or one per module: `info,core_broker=debug`. `RUST_LOG` gives it as well.
    pub filter: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For eyes and for the journal; colours on a terminal.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// The flags of `[log]`.
#[derive(Debug, Default, clap::Args)]
pub struct LogFlags {
    /// What is logged: info, debug, MODULE=LEVEL,... [default: info]
    #[arg(long = "log", value_name = "FILTER", env = "LONGHAUL_LOG")]
    filter: Option<String>,
    /// How: text or json [default: text]
    #[arg(
        long = "log-format",
        value_name = "FORMAT",
        env = "LONGHAUL_LOG_FORMAT",
        hide_possible_values = true
    )]
    format: Option<Format>,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Text, filter: "info".into() }
    }
}

impl Log {
    pub fn check(&self, mistakes: &mut Mistakes) {
        if let Err(error) = self.filter() {
            mistakes.of_key("log.filter", format!("log.filter is \"{}\", but {error}", self.filter));
        }
    }

    /// Begins to log. Called once, before anything is worth a line.
    pub fn init(&self) {
        let filter = self.filter().unwrap_or_else(|_| EnvFilter::new("info"));
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            // A line that cannot be written is lost. To say so on the same standard error would panic.
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal());
        match self.format {
            Format::Json => logs.json().init(),
            Format::Text => logs.with_target(false).init(),
        }
    }

    fn filter(&self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        EnvFilter::try_new(&self.filter)
    }
}

impl LogFlags {
    pub fn flags(&self) -> [Flag; 2] {
        let format = self.format.map(|format| match format {
            Format::Text => "text",
            Format::Json => "json",
        });
        [Flag::new("log.filter", "log", self.filter.as_ref()), Flag::new("log.format", "log-format", format)]
    }

    /// For a program without a config.
    pub fn init(&self) {
        let default = Log::default();
        let filter = self.filter.clone().or_else(|| std::env::var("RUST_LOG").ok()).unwrap_or(default.filter);
        Log { filter, format: self.format.unwrap_or_default() }.init();
    }
}
