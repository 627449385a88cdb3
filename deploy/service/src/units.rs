//! Sizes and times with units, as they stand in config files: `"64MiB"`, `"10s"`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes: `512`, `"512B"`, `"64KiB"`, `"64MiB"`, `"1GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A span of time: `"250ms"`, `"10s"`, `"5min"`, `"2h"`, `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

// A zero is printed in the last unit that has a name.
const SIZES: [(&str, u64); 5] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1), ("", 1)];
const PERIODS: [(&str, u64); 5] =
    [("ms", 1), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("s", 1_000)];

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, factor)| {
        text.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?.checked_mul(*factor)
    })
}

fn print(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter) -> fmt::Result {
    let (unit, factor) = units
        .iter()
        .filter(|(unit, factor)| !unit.is_empty() && value.is_multiple_of(*factor))
        .max_by_key(|(_, factor)| if value == 0 { 0 } else { *factor })
        .unwrap_or(&("", 1));
    write!(f, "{}{unit}", value / factor)
}

impl FromStr for ByteSize {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &SIZES).map(ByteSize).ok_or_else(|| format!("\"{text}\" is not a size such as \"64MiB\""))
    }
}

impl FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &PERIODS)
            .map(|ms| Period(Duration::from_millis(ms)))
            .ok_or_else(|| format!("\"{text}\" is not a time such as \"250ms\", \"10s\", \"5min\" or \"2h\""))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        print(self.0, &SIZES, f)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        print(self.0.as_millis() as u64, &PERIODS, f)
    }
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(ByteSize);
serde_as_text!(Period);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_printed() {
        for (text, bytes) in [("512B", 512), ("64KiB", 65_536), ("64MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
        for (text, ms) in [("250ms", 250), ("10s", 10_000), ("5min", 300_000), ("2h", 7_200_000)] {
            assert_eq!(text.parse(), Ok(Period(Duration::from_millis(ms))));
            assert_eq!(Period(Duration::from_millis(ms)).to_string(), text);
        }
        for (zero, printed) in [("0s", "0s"), ("0ms", "0s"), ("0d", "0s")] {
            assert_eq!(zero.parse::<Period>().unwrap().to_string(), printed);
        }
        assert_eq!("0KiB".parse::<ByteSize>().unwrap().to_string(), "0B");
        for bad in ["", "x", "-1s", "1.5s", "99999999999999999999B", "18446744073709551615d", "10 parsec"] {
            assert!(bad.parse::<Period>().is_err() && bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }
}
