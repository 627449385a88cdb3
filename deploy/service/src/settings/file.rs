//! The config file: TOML, whose values know their lines.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{
    Mistakes,
    given::{Given, Value},
};

pub fn read(path: &Path, mistakes: &mut Mistakes) -> Given {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &path.display().to_string(), mistakes),
        Err(error) => {
            mistakes.push(format!("cannot read the config file {}: {error}", path.display()));
            Given::nothing()
        }
    }
}

pub fn parse(text: &str, name: &str, mistakes: &mut Mistakes) -> Given {
    let file = File { text, name };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let place = error.span().map_or_else(|| name.to_owned(), |span| file.place(span.start));
        mistakes.push(format!("{place}: {}", error.message()));
    }
    Given { value: file.table(table.get_ref(), mistakes), ..Given::nothing() }
}

struct File<'a> {
    text: &'a str,
    name: &'a str,
}

impl File<'_> {
    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        format!("{}:{}", self.name, before.matches('\n').count() + 1)
    }

    fn table(&self, table: &DeTable, mistakes: &mut Mistakes) -> Value {
        let entries = table.iter().filter_map(|(key, value)| {
            let given = self.given(value.get_ref(), key.span().start, mistakes)?;
            Some((key.get_ref().to_string(), given))
        });
        Value::Table(entries.collect())
    }

    fn given(&self, value: &DeValue, at: usize, mistakes: &mut Mistakes) -> Option<Given> {
        let place = self.place(at);
        let number = |mistakes: &mut Mistakes| {
            mistakes.push(format!("{place}: a number too large for anything"));
        };
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => Value::Integer(integer),
                Err(_) => {
                    number(mistakes);
                    return None;
                }
            },
            DeValue::Float(float) => match float.as_str().parse() {
                Ok(float) => Value::Float(float),
                Err(_) => {
                    number(mistakes);
                    return None;
                }
            },
            // No key wants a date; as a text it is refused in words.
            DeValue::Datetime(date) => Value::Text(date.to_string()),
            DeValue::Array(list) => {
                let elements = list.iter();
                Value::List(
                    elements
                        .filter_map(|element| self.given(element.get_ref(), element.span().start, mistakes))
                        .collect(),
                )
            }
            DeValue::Table(table) => self.table(table, mistakes),
        };
        Some(Given { value, place: place.into() })
    }
}
