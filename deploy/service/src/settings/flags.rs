//! Flags of the command line that stand for keys.

use std::{collections::BTreeMap, path::Path};

use super::{Environment, Mistakes, given::Given};

/// What a flag says of a key. Not given, it says nothing.
#[derive(Debug)]
pub struct Flag {
    key: &'static str,
    name: &'static str,
    value: Option<Result<String, String>>,
}

impl Flag {
    /// `name` is the long form without its dashes.
    pub fn new(key: &'static str, name: &'static str, value: Option<impl ToString>) -> Self {
        Self { key, name, value: value.map(|value| Ok(value.to_string())) }
    }

    pub fn path(key: &'static str, name: &'static str, value: Option<&Path>) -> Self {
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
        };
        Self { key, name, value: value.map(text) }
    }
}

/// The flags that have a variable: its name by theirs.
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    pub fn has(&self, variable: &str) -> bool {
        self.names().any(|name| name == variable)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

pub fn variables<F: clap::Args>() -> Variables {
    let command = F::augment_args(clap::Command::new("service"));
    let named = command.get_arguments().filter_map(|argument| {
        let variable = argument.get_env()?.to_str()?;
        Some((argument.get_long()?.to_owned(), variable.to_owned()))
    });
    Variables(named.collect())
}

pub fn lay_over(
    given: &mut Given,
    flags: Vec<Flag>,
    variables: &Variables,
    environment: &Environment,
    mistakes: &mut Mistakes,
) {
    for Flag { key, name, value } in flags {
        let Some(value) = value else { continue };
        let value = match value {
            Ok(value) => value,
            Err(wrong) => {
                mistakes.push(format!("--{name}: {wrong}"));
                continue;
            }
        };
        // Clap has read the variable where there was no flag.
        let variable = variables.0.get(name).filter(|name| environment.get(name) == Some(value.as_str()));
        let place = variable.cloned().unwrap_or_else(|| format!("--{name}"));
        if let Err(wrong) = given.set(key, Given::word(&value, &place)) {
            mistakes.push(format!("{place}: {wrong}"));
        }
    }
}
