//! A tree of values as they were given, each with its place.

use std::{collections::BTreeMap, sync::Arc};

/// A value and where it was given: `broker.toml:12`, a variable, a flag.
#[derive(Debug, Clone)]
pub struct Given {
    pub value: Value,
    pub place: Arc<str>,
}

#[derive(Debug, Clone)]
pub enum Value {
    Table(BTreeMap<String, Given>),
    List(Vec<Given>),
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// From a variable or a flag: it is of whatever type its key wants.
    Word(String),
}

impl Given {
    pub fn nothing() -> Self {
        Self { value: Value::Table(BTreeMap::new()), place: "".into() }
    }

    pub fn word(text: &str, place: &str) -> Self {
        Self { value: Value::Word(text.to_owned()), place: place.into() }
    }

    /// The value at `a.b.0.c`.
    pub fn at(&self, path: &str) -> Option<&Given> {
        path.split('.').try_fold(self, |given, part| match &given.value {
            Value::Table(table) => table.get(part),
            Value::List(list) => list.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Sets the value at `path`, with every table and list on the way to it. A list grows by one at a time.
    pub fn set(&mut self, path: &str, value: Given) -> Result<(), String> {
        let mut here = self;
        for part in path.split('.') {
            let place = value.place.clone();
            let index = part.parse::<usize>().ok();
            // What was no table is overruled as a whole.
            match (&here.value, index) {
                (Value::Table(table), Some(_)) if table.is_empty() => here.value = Value::List(Vec::new()),
                (Value::Table(_) | Value::List(_), _) => {}
                (_, Some(_)) => here.value = Value::List(Vec::new()),
                (_, None) => here.value = Value::Table(BTreeMap::new()),
            }
            let empty = || Given { place, ..Given::nothing() };
            here = match (&mut here.value, index) {
                (Value::Table(table), _) => table.entry(part.to_owned()).or_insert_with(empty),
                (Value::List(list), Some(index)) => {
                    let length = list.len();
                    if index == length {
                        list.push(empty());
                    }
                    let beyond = || {
                        format!(
                            "number {index} of a list of which {length} are given: give number {length} as well, \
                             also where it is to be as by default"
                        )
                    };
                    list.get_mut(index).ok_or_else(beyond)?
                }
                _ => return Err(format!("`{part}` stands where a list has a number: __0__ is its first")),
            };
        }
        *here = value;
        Ok(())
    }

    /// Whether there was something at `path`.
    pub fn remove(&mut self, path: &str) -> bool {
        let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut here = self;
        for part in parent.split('.').filter(|part| !part.is_empty()) {
            let next = match &mut here.value {
                Value::Table(table) => table.get_mut(part),
                Value::List(list) => part.parse::<usize>().ok().and_then(|index| list.get_mut(index)),
                _ => None,
            };
            let Some(next) = next else { return false };
            here = next;
        }
        match &mut here.value {
            Value::Table(table) => table.remove(last).is_some(),
            Value::List(list) => match last.parse::<usize>() {
                Ok(index) if index < list.len() => {
                    list.remove(index);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }
}
