//! Bytes that a producer wrote as a number or a text, as Java prints what its deserializers make of them.

use super::super::{failure::Exception, output};

const CLASSES: &str = "org.apache.kafka.common.serialization.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deserializer {
    Text,
    Uuid,
    Short,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Bytes,
}

impl Deserializer {
    /// One that is not known is said to be so, and the bytes are printed as they are.
    pub fn named(class: &str) -> Option<Self> {
        match class.strip_prefix(CLASSES) {
            Some("StringDeserializer") => Some(Self::Text),
            Some("UUIDDeserializer") => Some(Self::Uuid),
            Some("ShortDeserializer") => Some(Self::Short),
            Some("IntegerDeserializer") => Some(Self::Integer),
            Some("LongDeserializer") => Some(Self::Long),
            Some("FloatDeserializer") => Some(Self::Float),
            Some("DoubleDeserializer") => Some(Self::Double),
            Some("BooleanDeserializer") => Some(Self::Boolean),
            Some("BytesDeserializer") => Some(Self::Bytes),
            _ => {
                output::log(
                    "ERROR",
                    format_args!("Unable to instantiate a deserializer from {class}"),
                    "org.apache.kafka.tools.consumer.DefaultMessageFormatter",
                );
                None
            }
        }
    }

    pub fn text(self, bytes: &[u8]) -> Result<String, Exception> {
        Ok(match self {
            Self::Text => String::from_utf8_lossy(bytes).into_owned(),
            Self::Uuid => {
                let text = String::from_utf8_lossy(bytes);
                match uuid::Uuid::try_parse(&text) {
                    Ok(uuid) => uuid.to_string(),
                    Err(_) => return Err(unreadable("Error parsing data into UUID")),
                }
            }
            Self::Short => i16::from_be_bytes(self.exactly(bytes)?).to_string(),
            Self::Integer => i32::from_be_bytes(self.exactly(bytes)?).to_string(),
            Self::Long => i64::from_be_bytes(self.exactly(bytes)?).to_string(),
            Self::Float => java_decimal(format!("{:e}", f32::from_be_bytes(self.exactly(bytes)?))),
            Self::Double => java_decimal(format!("{:e}", f64::from_be_bytes(self.exactly(bytes)?))),
            Self::Boolean => match self.exactly::<1>(bytes)? {
                [1] => "true".to_owned(),
                [0] => "false".to_owned(),
                [other] => {
                    return Err(unreadable(&format!(
                        "Unexpected byte received by BooleanDeserializer: {other}"
                    )));
                }
            },
            Self::Bytes => bytes.iter().map(|byte| escaped(*byte)).collect(),
        })
    }

    fn exactly<const N: usize>(self, bytes: &[u8]) -> Result<[u8; N], Exception> {
        let wrong = || unreadable(&format!("Size of data received by {self:?}Deserializer is not {N}"));
        bytes.try_into().map_err(|_| wrong())
    }
}

fn unreadable(message: &str) -> Exception {
    Exception::new("org.apache.kafka.common.errors.SerializationException", message)
}

/// Printable ASCII as it is; the backslash is not, since it begins the others.
fn escaped(byte: u8) -> String {
    match byte {
        b' '..=b'~' if byte != b'\\' => char::from(byte).to_string(),
        byte => format!("\\x{byte:02X}"),
    }
}

/// The shortest digits that mean the number, as Java lays them out: plain from a thousandth to ten million.
fn java_decimal(scientific: String) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return match scientific.as_str() {
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            other => other.to_owned(),
        };
    };
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let plain = digits.replace('.', "");
    match exponent.parse::<usize>() {
        Ok(exponent @ 0..7) => {
            let whole = exponent + 1;
            let padded = format!("{plain:0<whole$}");
            let (whole, part) = padded.split_at(whole);
            format!("{sign}{whole}.{}", if part.is_empty() { "0" } else { part })
        }
        _ if ["-1", "-2", "-3"].contains(&exponent) => {
            let zeros = "0".repeat(exponent.trim_start_matches('-').parse().unwrap_or(1) - 1);
            format!("{sign}0.{zeros}{plain}")
        }
        _ if digits.contains('.') => format!("{sign}{digits}E{exponent}"),
        _ => format!("{sign}{digits}.0E{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_java_prints_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (1.5, "1.5"),
            (-12.25, "-12.25"),
            (0.001, "0.001"),
            (0.05, "0.05"),
            (0.0001, "1.0E-4"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.5, "9999999.5"),
            (10_000_000.0, "1.0E7"),
            (1.25e300, "1.25E300"),
            (f64::INFINITY, "Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(Deserializer::Double.text(&f64::to_be_bytes(number)).unwrap(), text);
        }
        assert_eq!(Deserializer::Float.text(&0.1f32.to_be_bytes()).unwrap(), "0.1");
        assert_eq!(Deserializer::Long.text(&(-5i64).to_be_bytes()).unwrap(), "-5");
        assert_eq!(Deserializer::Short.text(&[1, 0]).unwrap(), "256");
    }

    #[test]
    fn other_bytes_are_printed_or_refused() {
        for (deserializer, bytes, said) in [
            (Deserializer::Text, b"a\xff".as_slice(), Ok("a\u{fffd}")),
            (Deserializer::Bytes, b"a\\\x00\xff", Ok("a\\x5C\\x00\\xFF")),
            (Deserializer::Boolean, &[1], Ok("true")),
            (Deserializer::Boolean, &[7], Err("Unexpected byte received by BooleanDeserializer: 7")),
            (Deserializer::Integer, b"abc", Err("Size of data received by IntegerDeserializer is not 4")),
            (Deserializer::Uuid, b"abc", Err("Error parsing data into UUID")),
        ] {
            let text = deserializer.text(bytes).map_err(|exception| exception.message);
            assert_eq!(text.as_deref().map_err(String::as_str), said, "{deserializer:?} {bytes:?}");
        }
    }
}
