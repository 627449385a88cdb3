//! A record as a line, as `DefaultMessageFormatter` prints it.

use super::{
    super::{
        client_properties::Properties,
        failure::Exception,
        librdkafka::{Received, Time},
    },
    deserializer::Deserializer,
};

const CLASSES: &str = "org.apache.kafka.tools.consumer.";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatter {
    columns: Vec<Column>,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
    key: Option<Deserializer>,
    value: Option<Deserializer>,
    header: Option<Deserializer>,
}

/// In the order in which they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Timestamp,
    Partition,
    Offset,
    Delivery,
    Epoch,
    Headers,
    Key,
    Value,
}

const COLUMNS: [(&str, Column); 8] = [
    ("print.timestamp", Column::Timestamp),
    ("print.partition", Column::Partition),
    ("print.offset", Column::Offset),
    ("print.delivery", Column::Delivery),
    ("print.epoch", Column::Epoch),
    ("print.headers", Column::Headers),
    ("print.key", Column::Key),
    ("print.value", Column::Value),
];

impl Formatter {
    /// `None` for a class there is not.
    pub fn new(class: Option<&str>, properties: &Properties) -> Option<Self> {
        let class = class.unwrap_or("org.apache.kafka.tools.consumer.DefaultMessageFormatter");
        // `kafka.tools` until Kafka 3.
        let name = class.strip_prefix(CLASSES).or_else(|| class.strip_prefix("kafka.tools."))?;
        let text = |name: &str, default: &str| {
            properties.get(name).map_or(default, String::as_str).as_bytes().to_vec()
        };
        let deserializer = |name: &str| properties.get(name).and_then(|class| Deserializer::named(class));
        let columns = match name {
            "DefaultMessageFormatter" | "LoggingMessageFormatter" => columns(properties),
            "NoOpMessageFormatter" => Vec::new(),
            _ => return None,
        };
        Some(Self {
            columns,
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key: deserializer("key.deserializer"),
            value: deserializer("value.deserializer"),
            header: deserializer("headers.deserializer"),
        })
    }

    pub fn prints_headers(&self) -> bool {
        self.columns.contains(&Column::Headers)
    }

    /// Adds a record's line. What came before an error stays.
    pub fn write(&self, record: &Received, out: &mut Vec<u8>) -> Result<(), Exception> {
        for (at, column) in self.columns.iter().enumerate() {
            match column {
                Column::Timestamp => match record.time {
                    Time::None => out.extend_from_slice(b"NO_TIMESTAMP"),
                    Time::Create(ms) => out.extend_from_slice(format!("CreateTime:{ms}").as_bytes()),
                    Time::LogAppend(ms) => out.extend_from_slice(format!("LogAppendTime:{ms}").as_bytes()),
                },
                Column::Partition => {
                    out.extend_from_slice(format!("Partition:{}", record.partition).as_bytes())
                }
                Column::Offset => out.extend_from_slice(format!("Offset:{}", record.offset).as_bytes()),
                Column::Delivery => out.extend_from_slice(b"Delivery:NOT_PRESENT"),
                // Kafka's tool drops the epoch on its way here, too.
                Column::Epoch => out.extend_from_slice(b"Epoch:NOT_PRESENT"),
                Column::Headers => self.write_headers(record, out)?,
                Column::Key => self.write_bytes(self.key, record.key, out)?,
                Column::Value => self.write_bytes(self.value, record.value, out)?,
            }
            let last = at + 1 == self.columns.len();
            out.extend_from_slice(if last { &self.line_separator } else { &self.key_separator });
        }
        Ok(())
    }

    fn write_headers(&self, record: &Received, out: &mut Vec<u8>) -> Result<(), Exception> {
        let Some(headers) = &record.headers else {
            let said = "a header's name is not UTF-8";
            return Err(Exception::new("org.apache.kafka.common.KafkaException", said));
        };
        if headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (at, (name, value)) in headers.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(&self.headers_separator);
            }
            out.extend_from_slice(format!("{name}:").as_bytes());
            self.write_bytes(self.header, *value, out)?;
        }
        Ok(())
    }

    /// As they are, whether they are text or not, unless they were said to be something.
    fn write_bytes(
        &self,
        deserializer: Option<Deserializer>,
        bytes: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), Exception> {
        let bytes = bytes.unwrap_or(&self.null_literal);
        match deserializer {
            None => out.extend_from_slice(bytes),
            Some(deserializer) => {
                let text = deserializer.text(bytes)?;
                out.extend_from_slice(text.as_bytes());
            }
        }
        Ok(())
    }
}

fn columns(properties: &Properties) -> Vec<Column> {
    let asked = |name: &str, column: Column| match properties.get(name) {
        Some(value) => value.trim().eq_ignore_ascii_case("true"),
        None => column == Column::Value,
    };
    COLUMNS.into_iter().filter(|(name, column)| asked(name, *column)).map(|(_, column)| column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatter(properties: &str) -> Formatter {
        let words: Vec<String> = properties.split_whitespace().map(str::to_owned).collect();
        Formatter::new(None, &super::super::super::client_properties::from_flags(&words).collect()).unwrap()
    }

    fn printed(properties: &str, record: &Received) -> String {
        let mut out = Vec::new();
        formatter(properties).write(record, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const RECORD: Received = Received {
        topic: "letters",
        partition: 2,
        offset: 7,
        time: Time::Create(1_700_000_000_000),
        headers: Some(Vec::new()),
        key: Some(b"k"),
        value: Some(b"v"),
    };

    #[test]
    fn a_record_is_printed_as_kafkas_formatter_prints_it() {
        let headers = vec![("a", Some(b"1".as_slice())), ("b", None)];
        let with_headers = Received { headers: Some(headers), key: None, ..RECORD };
        for (properties, record, line) in [
            ("", &RECORD, "v\n"),
            ("print.key=true", &RECORD, "k\tv\n"),
            ("print.key=TRUE key.separator=-", &RECORD, "k-v\n"),
            ("print.key=true print.value=false", &RECORD, "k\n"),
            ("print.value=false", &RECORD, ""),
            ("print.timestamp=true print.value=false", &RECORD, "CreateTime:1700000000000\n"),
            (
                "print.timestamp=true print.partition=true print.offset=true print.epoch=true print.headers=true",
                &RECORD,
                "CreateTime:1700000000000\tPartition:2\tOffset:7\tEpoch:NOT_PRESENT\tNO_HEADERS\tv\n",
            ),
            ("print.headers=true print.key=true", &with_headers, "a:1,b:null\tnull\tv\n"),
            (
                "print.headers=true headers.separator=; null.literal=NIL line.separator=!",
                &with_headers,
                "a:1;b:NIL\tv!",
            ),
        ] {
            assert_eq!(printed(properties, record), line, "{properties}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_printed_as_they_are() {
        let record = Received { value: Some(b"\xff\x00\xfe"), ..RECORD };
        let mut out = Vec::new();
        formatter("").write(&record, &mut out).unwrap();
        assert_eq!(out, b"\xff\x00\xfe\n");
    }

    #[test]
    fn what_is_not_what_it_was_said_to_be_is_an_error() {
        let mut out = Vec::new();
        let class = "key.deserializer=org.apache.kafka.common.serialization.LongDeserializer";
        let error = formatter(&format!("print.key=true {class}")).write(&RECORD, &mut out);
        let said = "Size of data received by LongDeserializer is not 8";
        assert_eq!(error.unwrap_err().message, said);
    }

    #[test]
    fn only_classes_that_print_are_formatters() {
        for (class, known) in [
            ("org.apache.kafka.tools.consumer.NoOpMessageFormatter", true),
            ("kafka.tools.DefaultMessageFormatter", true),
            ("foo.Bar", false),
        ] {
            assert_eq!(Formatter::new(Some(class), &Properties::new()).is_some(), known, "{class}");
        }
    }
}
