//! What is wrong, in words; all of it, so that a config is mended in one go.

use std::{fmt::Display, ops::RangeInclusive};

use super::given::Given;

#[derive(Debug, Default)]
pub struct Mistakes {
    found: Vec<Mistake>,
}

#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    /// Its place is where this key was given.
    key: Option<String>,
    message: String,
}

impl Mistakes {
    pub fn push(&mut self, message: impl Into<String>) {
        self.add(Mistake { key: None, message: message.into() });
    }

    /// `message` begins with the key.
    pub fn of_key(&mut self, key: &str, message: impl Into<String>) {
        self.add(Mistake { key: Some(key.to_owned()), message: message.into() });
    }

    /// A rule about the value of `key`.
    pub fn ensure(&mut self, key: &str, is_kept: bool, message: impl FnOnce() -> String) {
        if !is_kept {
            self.of_key(key, message());
        }
    }

    pub fn within<T: PartialOrd + Display>(&mut self, key: &str, value: T, allowed: RangeInclusive<T>) {
        let (least, most) = (allowed.start(), allowed.end());
        self.ensure(key, allowed.contains(&value), || {
            format!("{key} is {value}, but must be {least} to {most}")
        });
    }

    pub fn at_least<T: PartialOrd + Display>(&mut self, key: &str, value: T, least: T) {
        self.ensure(key, value >= least, || format!("{key} is {value}, but must be {least} or more"));
    }

    fn add(&mut self, mistake: Mistake) {
        if !self.found.contains(&mistake) {
            self.found.push(mistake);
        }
    }

    /// One in a line; several each in a line of its own.
    pub fn told(&self, given: &Given) -> anyhow::Result<()> {
        let told: Vec<String> = self.found.iter().map(|mistake| mistake.told(given)).collect();
        match told.as_slice() {
            [] => Ok(()),
            [one] => anyhow::bail!("{one}"),
            several => anyhow::bail!("the config has {} mistakes\n  {}", several.len(), several.join("\n  ")),
        }
    }
}

impl Mistake {
    fn told(&self, given: &Given) -> String {
        let place = self.key.as_deref().and_then(|key| given.at(key)).map(|given| &given.place);
        match place.filter(|place| !place.is_empty()) {
            Some(place) => format!("{place}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// What somebody may have meant: a third of the letters wrong is too much.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.map(|known| (strsim::damerau_levenshtein(word, known), known));
    let (distance, near) = distances.min()?;
    (distance * 3 <= word.len().max(3)).then_some(near)
}
