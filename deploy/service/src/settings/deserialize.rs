//! From what was given to the values of a type, whose keys serde knows.
//!
//! A value that is wrong is told and taken out, and the rest is read again without it: so one look finds
//! every mistake.

use std::{cell::RefCell, fmt, vec};

use serde::{
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess,
        SeqAccess, Unexpected, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    Mistakes,
    given::{Given, Value},
    mistakes::nearest,
};

pub fn values<T: DeserializeOwned + Default>(given: &mut Given, mistakes: &mut Mistakes) -> T {
    let mut taken_out = Vec::new();
    loop {
        let unknown = RefCell::default();
        let read = T::deserialize(Source { given, path: String::new(), unknown: &unknown });
        for Unknown { path, place, message } in unknown.into_inner() {
            mistakes.push(format!("{place}: {message}"));
            given.remove(&path);
        }
        let failure = match read {
            Ok(values) => return values,
            Err(failure) => failure,
        };
        let path = failure.path.unwrap_or_default();
        // A value that was wrong is missing for that reason alone.
        let is_told = failure.missing.is_some_and(|key| taken_out.contains(&format!("{path}.{key}")));
        if !is_told {
            let place = given.at(&path).map(|given| given.place.clone()).filter(|place| !place.is_empty());
            mistakes
                .push(place.map_or(failure.message.clone(), |place| format!("{place}: {}", failure.message)));
        }
        if !given.remove(&path) {
            return T::default();
        }
        taken_out.push(path);
    }
}

struct Unknown {
    path: String,
    place: String,
    message: String,
}

/// A value that is no value of its key.
#[derive(Debug)]
struct Failure {
    /// Filled in by whoever knows where the value stands.
    path: Option<String>,
    /// The key that is not there, where that is what is wrong.
    missing: Option<&'static str>,
    /// What follows the path.
    message: String,
}

#[derive(Clone)]
struct Source<'a> {
    given: &'a Given,
    path: String,
    unknown: &'a RefCell<Vec<Unknown>>,
}

impl<'a> Source<'a> {
    fn child(&self, key: &str, given: &'a Given) -> Source<'a> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Source { given, path, unknown: self.unknown }
    }

    fn refuse_key(&self, key: &str, given: &Given, known: &[&str]) {
        let part = if self.path.is_empty() { String::new() } else { format!(" in [{}]", self.path) };
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are `{}`", known.join("`, `")),
        };
        self.unknown.borrow_mut().push(Unknown {
            path: self.child(key, given).path,
            place: given.place.to_string(),
            message: format!("unknown key `{key}`{part}: {hint}"),
        });
    }

    /// A word as the number or truth value that is wanted; anything else as it is.
    fn typed<'de, T: std::str::FromStr, V: Visitor<'de>>(
        self,
        visitor: V,
        visit: fn(V, T) -> Result<V::Value, Failure>,
    ) -> Result<V::Value, Failure> {
        match &self.given.value {
            Value::Word(word) if let Ok(value) = word.trim().parse() => {
                visit(visitor, value).map_err(|failure| failure.at(&self.path))
            }
            _ => self.deserialize_any(visitor),
        }
    }
}

macro_rules! typed {
    ($($method:ident $type:ty, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            self.typed::<$type, V>(visitor, V::$visit)
        }
    )*};
}

impl<'de> Deserializer<'de> for Source<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let read = match &self.given.value {
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) | Value::Word(text) => visitor.visit_str(text),
            Value::Table(table) => {
                let entries = table.iter().map(|(key, given)| (key.clone(), self.child(key, given)));
                visitor.visit_map(Entries::of(entries.collect()))
            }
            Value::List(list) => {
                let elements =
                    list.iter().enumerate().map(|(index, given)| self.child(&index.to_string(), given));
                visitor.visit_seq(Elements(elements.collect::<Vec<_>>().into_iter()))
            }
        };
        read.map_err(|failure| failure.at(&self.path))
    }

    typed! {
        deserialize_bool bool, visit_bool;
        deserialize_i8 i64, visit_i64;
        deserialize_i16 i64, visit_i64;
        deserialize_i32 i64, visit_i64;
        deserialize_i64 i64, visit_i64;
        deserialize_u8 i64, visit_i64;
        deserialize_u16 i64, visit_i64;
        deserialize_u32 i64, visit_i64;
        deserialize_u64 u64, visit_u64;
        deserialize_f32 f64, visit_f64;
        deserialize_f64 f64, visit_f64;
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let Value::Word(words) = &self.given.value else { return self.deserialize_any(visitor) };
        let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
        let list = words.map(|word| Given::word(word, &self.given.place)).collect();
        let given = Given { value: Value::List(list), place: self.given.place.clone() };
        Source { given: &given, ..self }.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let Value::Table(table) = &self.given.value else { return self.deserialize_any(visitor) };
        let mut entries = Vec::new();
        for (key, given) in table {
            if fields.contains(&key.as_str()) {
                entries.push((key.clone(), self.child(key, given)));
            } else {
                self.refuse_key(key, given, fields);
            }
        }
        visitor.visit_map(Entries::of(entries)).map_err(|failure| failure.at(&self.path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let read = match &self.given.value {
            Value::Text(text) | Value::Word(text) => {
                let text: StrDeserializer<Failure> = text.as_str().into_deserializer();
                visitor.visit_enum(text)
            }
            other => Err(Failure::invalid_type(other.unexpected(), &"a text")),
        };
        read.map_err(|failure| failure.at(&self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map identifier
    }
}

impl Value {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Value::Boolean(value) => Unexpected::Bool(*value),
            Value::Integer(value) => Unexpected::Signed(*value),
            Value::Float(value) => Unexpected::Float(*value),
            Value::Text(text) | Value::Word(text) => Unexpected::Str(text),
            Value::Table(_) => Unexpected::Map,
            Value::List(_) => Unexpected::Seq,
        }
    }
}

struct Entries<'a> {
    rest: vec::IntoIter<(String, Source<'a>)>,
    value: Option<Source<'a>>,
}

impl<'a> Entries<'a> {
    fn of(entries: Vec<(String, Source<'a>)>) -> Self {
        Self { rest: entries.into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let value = self.value.take().ok_or_else(|| Failure::custom("a value without a key"))?;
        let path = value.path.clone();
        seed.deserialize(value).map_err(|failure| failure.at(&path))
    }
}

struct Elements<'a>(vec::IntoIter<Source<'a>>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let Some(element) = self.0.next() else { return Ok(None) };
        let path = element.path.clone();
        seed.deserialize(element).map(Some).map_err(|failure| failure.at(&path))
    }
}

impl Failure {
    /// The innermost who knows the place has the say.
    fn at(mut self, path: &str) -> Self {
        if self.path.is_none() && !path.is_empty() {
            self.path = Some(path.to_owned());
            self.message = format!("{path}{}", self.message);
        }
        self
    }

    /// A sentence that begins with the key.
    fn which(verb: String) -> Self {
        Self { path: None, missing: None, message: format!(" {verb}") }
    }

    fn instead(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        let given = match unexpected {
            Unexpected::Str(text) => format!("\"{text}\""),
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Unsigned(value) => value.to_string(),
            Unexpected::Float(value) => value.to_string(),
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Map => "a table".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            other => other.to_string(),
        };
        Self::which(format!("is {given}, but must be {}", wanted(&expected.to_string())))
    }
}

/// Serde's word for a type as a reader of a config file would say it.
fn wanted(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "a list",
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    }
}

impl Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { path: None, missing: None, message: format!(": {message}") }
    }

    fn invalid_type(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        Self::instead(unexpected, expected)
    }

    fn invalid_value(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        Self::instead(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::which(format!("is \"{variant}\", but must be one of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::which(format!("lacks the key `{field}`")) }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}
