//! The commands that talk to a broker over the Kafka protocol. Each is one of Apache Kafka's tools: its flags,
//! its output, its exit codes. Called through a link named after the tool (`kafka-topics`, `kafka-topics.sh`)
//! it is that tool; as `core-broker topics` it also knows a default broker.

mod bootstrap;
mod client_properties;
mod cluster;
mod configs;
mod connection;
mod consume;
mod delete_records;
mod failure;
mod get_offsets;
mod groups;
mod interrupt;
mod leaders;
mod librdkafka;
mod log;
mod log_dirs;
mod options;
mod output;
mod produce;
mod properties;
mod topic_filter;
mod topics;

use std::{path::Path, process::ExitCode};

pub use configs::CONFIGS;
pub use consume::CONSUME;
pub use delete_records::DELETE_RECORDS;
use failure::{Exception, Failure};
pub use get_offsets::GET_OFFSETS;
pub use groups::GROUPS;
pub use log::{Log, log};
pub use log_dirs::LOG_DIRS;
use options::{Options, Spec};
use output::{remark, say};
pub use produce::PRODUCE;
pub use topics::TOPICS;

/// The version of Apache Kafka whose tools these follow.
const FOLLOWS: &str = "4.3.1";

const DEFAULT_BROKER: &str = "127.0.0.1:9092";

/// One of Apache Kafka's tools.
pub struct Tool {
    /// The program that answers to it, without `.sh`.
    link: &'static str,
    /// What the help begins with.
    about: &'static str,
    options: &'static [Spec],
    /// Prints what it has to say, and how it failed as that tool does.
    run: fn(&Tool, &[String]) -> ExitCode,
}

/// Those that links lead to.
const LINKS: [&Tool; 8] =
    [&TOPICS, &CONFIGS, &DELETE_RECORDS, &GET_OFFSETS, &LOG_DIRS, &PRODUCE, &CONSUME, &GROUPS];

/// The words of a subcommand, which the tool reads itself.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS OF THE TOOL")]
    words: Vec<String>,
}

/// Runs the tool whose name this program was called by, if it was.
pub fn by_link(mut args: std::env::ArgsOs) -> Option<ExitCode> {
    let program = args.next()?;
    let name = Path::new(&program).file_name()?.to_str()?;
    let tool = LINKS.iter().find(|tool| tool.link == name.strip_suffix(".sh").unwrap_or(name))?;
    let words: Vec<String> = args.map(|word| word.to_string_lossy().into_owned()).collect();
    Some(tool.start(&words))
}

impl Tool {
    /// As `core-broker <subcommand>`: help is an answer like any other, `--bootstrap` is understood, and the
    /// broker may be left out.
    pub fn run(&self, Words { words }: Words) -> ExitCode {
        if words.iter().any(|word| word == "--help" || word == "-h") {
            say(format_args!("As {} of Apache Kafka {FOLLOWS}\n", self.link));
            say(options::usage(self.options));
            say("Here --bootstrap-server may be left out:");
            say(format_args!("[env: LONGHAUL_BOOTSTRAP] [default: {DEFAULT_BROKER}]"));
            return output::exit_code(ExitCode::SUCCESS);
        }
        self.start(&self.with_broker(words))
    }

    fn start(&self, words: &[String]) -> ExitCode {
        output::exit_code((self.run)(self, words))
    }

    fn with_broker(&self, mut words: Vec<String>) -> Vec<String> {
        for word in &mut words {
            if let Some(value) = word.strip_prefix("--bootstrap=") {
                *word = format!("--bootstrap-server={value}");
            } else if word == "--bootstrap" {
                *word = "--bootstrap-server".to_owned();
            }
        }
        let names_brokers = |word: &String| match word.split('=').next() {
            Some("--bootstrap-server" | "--bootstrap-controller") => true,
            // There it is a list of ids.
            Some("--broker-list") => self.link != LOG_DIRS.link,
            _ => false,
        };
        if !words.is_empty() && !words.iter().any(names_brokers) {
            let broker = std::env::var("LONGHAUL_BOOTSTRAP").unwrap_or_else(|_| DEFAULT_BROKER.to_owned());
            words.extend(["--bootstrap-server".to_owned(), broker]);
        }
        words
    }

    fn parse(&self, words: &[String]) -> Result<Options, Failure> {
        let options = Options::parse(self.options, words)?;
        if words.is_empty() || options.has("help") {
            return Err(Failure::Usage(self.about.to_owned()));
        }
        if options.has("version") {
            return Err(Failure::Version);
        }
        Ok(options)
    }

    /// Ends a tool: an exception is left to `complain`, the rest is the same for all.
    fn end(&self, result: Result<(), Failure>, complain: impl FnOnce(Exception)) -> ExitCode {
        match result {
            Ok(()) => return ExitCode::SUCCESS,
            Err(Failure::Version) => {
                say(FOLLOWS);
                return ExitCode::SUCCESS;
            }
            Err(Failure::Usage(said)) => {
                remark(format_args!("{said}\n{}", options::usage(self.options).trim_end()))
            }
            Err(Failure::Exception(exception)) => complain(exception),
        }
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_installed() {
        let script = include_str!("../../../deploy/install-cli");
        for tool in LINKS {
            assert!(script.split([' ', '(', ')', '\n']).any(|word| word == tool.link), "{}", tool.link);
        }
    }

    #[test]
    fn a_subcommand_adds_the_broker_that_was_left_out() {
        for (tool, words, expected) in [
            (&TOPICS, "--list", "--list --bootstrap-server 127.0.0.1:9092"),
            (&TOPICS, "--list --bootstrap a:1", "--list --bootstrap-server a:1"),
            (&TOPICS, "--bootstrap=a:1 --list", "--bootstrap-server=a:1 --list"),
            (&TOPICS, "--bootstrap-server=a:1 --list", "--bootstrap-server=a:1 --list"),
            (&GET_OFFSETS, "--broker-list a:1", "--broker-list a:1"),
            (&LOG_DIRS, "--broker-list 1", "--broker-list 1 --bootstrap-server 127.0.0.1:9092"),
        ] {
            let words = words.split(' ').map(str::to_owned).collect();
            assert_eq!(tool.with_broker(words).join(" "), expected);
        }
        assert!(TOPICS.with_broker(Vec::new()).is_empty());
    }
}
