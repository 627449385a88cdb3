//! The values in force, as a file that says where each was given.

use anyhow::Context;
use serde::Serialize;

use super::given::Given;

const HEAD: &str = "# Every value in force. A remark says where it was given; without one it is the default.";

/// Where remarks begin, unless the value is longer.
const REMARKS: usize = 40;

pub fn shown<T: Serialize>(values: &T, given: &Given) -> anyhow::Result<String> {
    let text = toml::to_string(values).context("the values in force are no TOML")?;
    let mut shown = format!("{HEAD}\n\n");
    let mut part = Part::default();
    for line in text.lines() {
        part.enter(line);
        shown += line;
        if let Some(place) = part.key(line).and_then(|key| given.at(&key)).map(|given| &given.place) {
            let width = REMARKS.saturating_sub(line.chars().count());
            shown += &format!("{:width$}  # {place}", "");
        }
        shown.push('\n');
    }
    Ok(shown)
}

/// The part of the file that a line is in: `topics.`, `listener.0.`, or the top.
#[derive(Default)]
struct Part {
    path: String,
    lists: std::collections::BTreeMap<String, usize>,
}

impl Part {
    fn enter(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
            let count = self.lists.entry(name.to_owned()).or_default();
            self.path = format!("{name}.{count}.");
            *count += 1;
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            self.path = format!("{}.", self.numbered(name));
        }
    }

    /// A table within an element of a list: `listener.tls` belongs to the last `[[listener]]`.
    fn numbered(&self, name: &str) -> String {
        let within = self.lists.iter().find_map(|(list, count)| {
            let rest = name.strip_prefix(list.as_str())?.strip_prefix('.')?;
            Some(format!("{list}.{}.{rest}", count - 1))
        });
        within.unwrap_or_else(|| name.to_owned())
    }

    fn key(&self, line: &str) -> Option<String> {
        let (key, _) = line.split_once(" = ")?;
        Some(format!("{}{key}", self.path))
    }
}
