//! A line as a record, as `LineMessageReader` reads it. Bytes stay what they are, text or not.

use super::super::{
    client_properties::Properties,
    failure::Exception,
    librdkafka::{Named, Outgoing},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    parses_key: bool,
    key_separator: String,
    parses_headers: bool,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    ignores_errors: bool,
    null_marker: Option<String>,
}

impl Reader {
    pub fn new(properties: &Properties) -> Result<Self, Exception> {
        let text =
            |name: &str, default: &str| properties.get(name).cloned().unwrap_or_else(|| default.to_owned());
        let yes =
            |name: &str| properties.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let reader = Self {
            parses_key: yes("parse.key"),
            key_separator: text("key.separator", "\t"),
            parses_headers: yes("parse.headers"),
            headers_delimiter: text("headers.delimiter", "\t"),
            headers_separator: text("headers.separator", ","),
            headers_key_separator: text("headers.key.separator", ":"),
            ignores_errors: yes("ignore.error"),
            null_marker: properties.get("null.marker").cloned(),
        };
        reader.check()?;
        Ok(reader)
    }

    fn check(&self) -> Result<(), Exception> {
        let marker = self.null_marker.as_ref();
        let delimiter = ("headers.delimiter", &self.headers_delimiter);
        let separator = ("headers.separator", &self.headers_separator);
        let key_of_header = ("headers.key.separator", &self.headers_key_separator);
        let key = ("key.separator", &self.key_separator);
        for ((one, first), (other, second)) in
            [(delimiter, separator), (delimiter, key_of_header), (separator, key_of_header)]
        {
            if first == second {
                return Err(kafka(format!("{one} and {other} may not be equal")));
            }
        }
        for (name, value) in [key, separator, delimiter, key_of_header] {
            if marker == Some(value) {
                return Err(kafka(format!("null.marker and {name} may not be equal")));
            }
        }
        Ok(())
    }

    /// The record of line `number`.
    pub fn record<'a>(&self, line: &'a [u8], number: u64) -> Result<Outgoing<'a>, Exception> {
        let part = |parses: bool, rest: &'a [u8], separator: &str, name: &str| match parses
            .then(|| split_once(rest, separator))
        {
            None => Ok((None, rest)),
            Some(Some((part, rest))) => Ok((Some(part), rest)),
            Some(None) if self.ignores_errors => Ok((None, rest)),
            Some(None) => {
                let line = String::from_utf8_lossy(line);
                Err(kafka(format!("No {name} found on line number {number}: '{line}'")))
            }
        };
        let (headers, rest) = part(self.parses_headers, line, &self.headers_delimiter, "headers delimiter")?;
        let (key, value) = part(self.parses_key, rest, &self.key_separator, "key separator")?;
        Ok(Outgoing {
            key: key.filter(|key| !self.is_null(key)),
            value: Some(value).filter(|value| !self.is_null(value)),
            headers: match headers {
                Some(headers) if !self.is_null(headers) => self.headers(headers, number)?,
                _ => Vec::new(),
            },
        })
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.null_marker.as_ref().is_some_and(|marker| marker.as_bytes() == text)
    }

    fn headers<'a>(&self, text: &'a [u8], number: u64) -> Result<Vec<Named<'a>>, Exception> {
        let mut pairs = split(text, &self.headers_separator);
        // As Java splits: separators at the end stand for nothing.
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        pairs.into_iter().map(|pair| self.header(pair, number)).collect()
    }

    fn header<'a>(&self, pair: &'a [u8], number: u64) -> Result<Named<'a>, Exception> {
        let (name, value) = match split_once(pair, &self.headers_key_separator) {
            Some((name, value)) => (name, Some(value).filter(|value| !self.is_null(value))),
            None if self.ignores_errors => (pair, None),
            None => {
                let pair = String::from_utf8_lossy(pair);
                return Err(kafka(format!(
                    "No header key separator found in pair '{pair}' on line number {number}"
                )));
            }
        };
        if self.is_null(name) {
            let marker = self.null_marker.as_deref().unwrap_or_default();
            return Err(kafka(format!(
                "Header keys should not be equal to the null marker '{marker}' as they can't be null"
            )));
        }
        match std::str::from_utf8(name) {
            Ok(name) => Ok((name, value)),
            Err(_) => Err(kafka(format!("A header key on line number {number} is not UTF-8"))),
        }
    }
}

fn split_once<'a>(text: &'a [u8], separator: &str) -> Option<(&'a [u8], &'a [u8])> {
    let separator = separator.as_bytes();
    let at = match separator {
        [] => 0,
        [one] => text.iter().position(|byte| byte == one)?,
        more => text.windows(more.len()).position(|window| window == more)?,
    };
    Some((&text[..at], &text[at + separator.len()..]))
}

fn split<'a>(mut text: &'a [u8], separator: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some((part, rest)) = (!separator.is_empty()).then(|| split_once(text, separator)).flatten() {
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

fn kafka(message: String) -> Exception {
    Exception::new("org.apache.kafka.common.KafkaException", message)
}

#[cfg(test)]
mod tests {
    use super::{super::super::client_properties::from_flags, *};

    fn reader(properties: &str) -> Result<Reader, Exception> {
        let words: Vec<String> = properties.split(' ').map(str::to_owned).collect();
        Reader::new(&from_flags(&words).collect())
    }

    fn said(properties: &str, line: &str) -> String {
        let text = |bytes: Option<&[u8]>| bytes.map_or("null".into(), String::from_utf8_lossy).into_owned();
        match reader(properties).and_then(|reader| {
            let record = reader.record(line.as_bytes(), 7)?;
            let headers: Vec<_> =
                record.headers.iter().map(|(name, value)| format!("{name}={}", text(*value))).collect();
            Ok(format!("[{}] {} {}", headers.join(" "), text(record.key), text(record.value)))
        }) {
            Ok(record) => record,
            Err(exception) => exception.message,
        }
    }

    #[test]
    fn lines_are_read_as_kafkas_line_reader_reads_them() {
        for (properties, line, record) in [
            ("", "a\tb", "[] null a\tb"),
            ("", "", "[] null "),
            ("parse.key=true", "k\tv\tw", "[] k v\tw"),
            ("parse.key=true", "\tv", "[]  v"),
            ("parse.key=TRUE key.separator=::", "k:x::v", "[] k:x v"),
            ("parse.key=true", "nokey", "No key separator found on line number 7: 'nokey'"),
            ("parse.key=true ignore.error=true", "nokey", "[] null nokey"),
            ("parse.key=true null.marker=NIL", "NIL\tNIL", "[] null null"),
            ("parse.headers=true parse.key=true", "a:1,b:2:3\tk\tv", "[a=1 b=2:3] k v"),
            ("parse.headers=true", "a:1,,\tv", "[a=1] null v"),
            ("parse.headers=true", "a:1", "No headers delimiter found on line number 7: 'a:1'"),
            ("parse.headers=true", "a\tv", "No header key separator found in pair 'a' on line number 7"),
            ("parse.headers=true ignore.error=true", "a\tv", "[a=null] null v"),
            ("parse.headers=true null.marker=NIL", "NIL\tv", "[] null v"),
            ("parse.headers=true null.marker=NIL", "a:NIL\tv", "[a=null] null v"),
            (
                "parse.headers=true null.marker=NIL",
                "NIL:1\tv",
                "Header keys should not be equal to the null marker 'NIL' as they can't be null",
            ),
            ("headers.delimiter=,", "", "headers.delimiter and headers.separator may not be equal"),
            ("null.marker=:", "", "null.marker and headers.key.separator may not be equal"),
        ] {
            assert_eq!(said(properties, line), record, "{properties} {line:?}");
        }
    }
}
