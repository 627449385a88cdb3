//! The words after a command, read as Apache Kafka's tools read them, with the same complaints.
//!
//! `--name value`, `--name=value` and `-name value` are the same. An option that takes a value takes the next
//! word whatever it looks like, so that `--time -1` means what it says. Names are not abbreviated. Words
//! that belong to no option are passed over.

use std::{collections::BTreeMap, fmt::Write, str::FromStr};

use super::failure::{Exception, Failure};

/// One option of a tool.
#[derive(Debug)]
pub struct Spec {
    pub name: &'static str,
    /// What the value is called in the usage; none for a switch.
    value: Option<&'static str>,
    /// The value may be left out.
    optional: bool,
    /// Empty for what is understood but not advertised.
    about: &'static str,
}

pub const fn switch(name: &'static str, about: &'static str) -> Spec {
    Spec { name, value: None, optional: false, about }
}

pub const fn value(name: &'static str, value: &'static str, about: &'static str) -> Spec {
    Spec { name, value: Some(value), optional: false, about }
}

/// Takes the next word unless that is an option.
pub const fn optional(name: &'static str, value: &'static str, about: &'static str) -> Spec {
    Spec { name, value: Some(value), optional: true, about }
}

/// With a value, and missing in the usage: an old name, or a word of our own.
pub const fn hidden(name: &'static str) -> Spec {
    value(name, "value", "")
}

/// Every tool has them.
pub const HELP: Spec = switch("help", "Print this");
pub const VERSION: Spec = switch("version", "Print which Apache Kafka this tool follows");

/// The options that were given, each with its values in their order.
#[derive(Debug)]
pub struct Options {
    given: BTreeMap<&'static str, Vec<String>>,
}

impl Options {
    pub fn parse(specs: &'static [Spec], words: &[String]) -> Result<Self, Exception> {
        let mut options = Self { given: BTreeMap::new() };
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
            if option.is_empty() {
                match word.as_str() {
                    "--" => break,
                    _ => continue,
                }
            }
            let (name, attached) =
                option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
            let Some(spec) = specs.iter().find(|spec| spec.name == name) else {
                return Err(joptsimple("UnrecognizedOption", format!("{name} is not a recognized option")));
            };
            let values = options.given.entry(spec.name).or_default();
            if spec.value.is_some() {
                // As there: `--name=` takes the next word too.
                let value = attached.filter(|value| !value.is_empty()).map(str::to_owned);
                let next = || words.next_if(|word| !spec.optional || !word.starts_with('-')).cloned();
                match value.or_else(next) {
                    Some(value) => values.push(value),
                    None if spec.optional => {}
                    None => {
                        let said = format!("Option {name} requires an argument");
                        return Err(joptsimple("OptionMissingRequiredArgument", said));
                    }
                }
            }
        }
        Ok(options)
    }

    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    pub fn values(&self, name: &str) -> &[String] {
        self.given.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one value of an option that may be missing.
    pub fn value(&self, name: &str) -> Result<Option<&str>, Exception> {
        match self.values(name) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(joptsimple(
                "MultipleArgumentsForOption",
                format!("Found multiple arguments for option {name}, but you asked for only one"),
            )),
        }
    }

    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Exception> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let cannot = || format!("Cannot parse argument '{value}' of option {name}");
        value.parse().map(Some).map_err(|_| joptsimple("OptionArgumentConversion", cannot()))
    }

    pub fn require(&self, names: &[&str]) -> Result<(), Failure> {
        match names.iter().find(|name| !self.has(name)) {
            Some(name) => Err(Failure::Usage(format!("Missing required argument \"[{name}]\""))),
            None => Ok(()),
        }
    }

    /// `used` goes with none of `others`.
    pub fn forbid(&self, used: &str, others: &[&str]) -> Result<(), Failure> {
        match others.iter().find(|other| self.has(used) && self.has(other)) {
            Some(other) => {
                Err(Failure::Usage(format!("Option \"[{used}]\" can't be used with option \"[{other}]\"")))
            }
            None => Ok(()),
        }
    }
}

fn joptsimple(kind: &str, message: String) -> Exception {
    Exception::new(format!("joptsimple.{kind}Exception"), message)
}

/// One option a line, where Apache Kafka's tools take several.
pub fn usage(specs: &[Spec]) -> String {
    let left = |spec: &Spec| match spec.value {
        Some(value) if spec.optional => format!("--{} [{value}]", spec.name),
        Some(value) => format!("--{} <{value}>", spec.name),
        None => format!("--{}", spec.name),
    };
    let listed = || specs.iter().filter(|spec| !spec.about.is_empty());
    let width = listed().map(|spec| left(spec).len()).max().unwrap_or_default().max("Option".len());
    let mut usage = format!("{:width$}  Description\n{:width$}  -----------\n", "Option", "------");
    for spec in listed() {
        // Into a string, which does not fail.
        let _ = writeln!(usage, "{:width$}  {}", left(spec), spec.about);
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[Spec] =
        &[value("topic", "topic", "a topic"), value("time", "time", "a time"), switch("list", "list them")];

    fn parse(words: &str) -> Result<Options, Exception> {
        Options::parse(SPECS, &words.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_read_as_joptsimple_reads_them() {
        let table: [(&str, &[&str], &[&str], bool); 10] = [
            ("--topic a --list", &["a"], &[], true),
            ("--topic=a=b -list", &["a=b"], &[], true),
            ("-topic a", &["a"], &[], false),
            ("--time -1 --topic --list", &["--list"], &["-1"], false),
            ("--time=-1", &[], &["-1"], false),
            ("--topic= a", &["a"], &[], false),
            ("--topic a --topic b", &["a", "b"], &[], false),
            ("stray --list words", &[], &[], true),
            ("--list=x --list", &[], &[], true),
            ("- --topic a -- --list", &["a"], &[], false),
        ];
        for (words, topics, times, list) in table {
            let options = parse(words).unwrap();
            assert_eq!(options.values("topic"), topics, "{words}");
            assert_eq!(options.values("time"), times, "{words}");
            assert_eq!(options.has("list"), list, "{words}");
        }
    }

    #[test]
    fn complaints_are_those_of_joptsimple() {
        let complaint = |words: &str| match parse(words) {
            Ok(options) => options.value("topic").map(|_| ()).and(options.number::<i32>("time").map(|_| ())),
            Err(exception) => Err(exception),
        };
        for (words, said) in [
            ("--zork", "joptsimple.UnrecognizedOptionException: zork is not a recognized option"),
            ("--top a", "joptsimple.UnrecognizedOptionException: top is not a recognized option"),
            (
                "--list --topic",
                "joptsimple.OptionMissingRequiredArgumentException: Option topic requires an argument",
            ),
            (
                "--topic a --topic b",
                "joptsimple.MultipleArgumentsForOptionException: \
                 Found multiple arguments for option topic, but you asked for only one",
            ),
            (
                "--time x",
                "joptsimple.OptionArgumentConversionException: Cannot parse argument 'x' of option time",
            ),
        ] {
            assert_eq!(complaint(words).unwrap_err().to_string(), said);
        }
    }
}
