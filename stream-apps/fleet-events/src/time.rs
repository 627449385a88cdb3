//! Event time: milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 in UTC.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since the epoch, UTC. In JSON a string that ends in `Z`; finer digits are cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    #[error("must end in Z (UTC)")]
    NotUtc,
    #[error("not an RFC 3339 time such as 2026-03-02T10:29:40Z")]
    NotRfc3339,
    #[error("outside the years 0000 to 9999")]
    OutOfRange,
}

/// The instants that RFC 3339 can write with a year of four digits.
const EARLIEST_MS: i64 = -62_167_219_200_000; // 0000-01-01T00:00:00Z
const LATEST_MS: i64 = 253_402_207_200_000; // 9999-12-30T22:00:00Z, where jiff ends

impl Timestamp {
    /// An instant outside the years 0 to 9999 is moved to the nearest end, so that every
    /// `Timestamp` can be written down.
    pub const fn from_ms(ms: i64) -> Timestamp {
        if ms < EARLIEST_MS {
            Timestamp(EARLIEST_MS)
        } else if ms > LATEST_MS {
            Timestamp(LATEST_MS)
        } else {
            Timestamp(ms)
        }
    }

    pub const fn ms(self) -> i64 {
        self.0
    }

    pub const fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp::from_ms(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is the later one.
    pub const fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0 - earlier.0
    }

    pub fn parse(text: &str) -> Result<Timestamp, TimestampError> {
        if !text.ends_with('Z') {
            return Err(TimestampError::NotUtc);
        }
        // jiff is more generous than RFC 3339: it takes a space for the T, weeks, and signs.
        let shape = text.as_bytes();
        let digits_at = |range: std::ops::Range<usize>| {
            shape.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
        };
        let dated = digits_at(0..4) && digits_at(5..7) && digits_at(8..10) && shape.get(10) == Some(&b'T');
        if !dated {
            return Err(TimestampError::NotRfc3339);
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| TimestampError::NotRfc3339)?;
        let ms = parsed.as_nanosecond().div_euclid(1_000_000);
        match i64::try_from(ms) {
            Ok(ms) if (EARLIEST_MS..=LATEST_MS).contains(&ms) => Ok(Timestamp(ms)),
            _ => Err(TimestampError::OutOfRange),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In range by construction; the fallback keeps a formatter from ever panicking.
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        if self.0 % 1000 == 0 { write!(f, "{at:.0}") } else { write!(f, "{at:.3}") }
    }
}

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        Timestamp::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_utc_times_and_nothing_else() {
        let good = [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-02T10:29:40Z", 1_772_447_380_000),
            ("2026-03-02T10:29:40.000Z", 1_772_447_380_000),
            ("2026-03-02T10:29:41.120Z", 1_772_447_381_120),
            ("2026-03-02T10:29:41.1209Z", 1_772_447_381_120),
            ("1969-12-31T23:59:59.999Z", -1),
        ];
        for (text, ms) in good {
            assert_eq!(Timestamp::parse(text), Ok(Timestamp(ms)), "{text}");
        }
        let bad = [
            ("2026-03-02T10:29:40", TimestampError::NotUtc),
            ("2026-03-02T10:29:40+00:00", TimestampError::NotUtc),
            ("2026-03-02 10:29:40Z", TimestampError::NotRfc3339),
            ("2026-02-30T10:29:40Z", TimestampError::NotRfc3339),
            ("-002026-03-02T10:29:40Z", TimestampError::NotRfc3339),
            ("Z", TimestampError::NotRfc3339),
            ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}T10:29:40Z", TimestampError::NotRfc3339),
        ];
        for (text, error) in bad {
            assert_eq!(Timestamp::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn writes_milliseconds_only_when_there_are_any() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_772_447_381_120, "2026-03-02T10:29:41.120Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-30T22:00:00Z"),
        ] {
            assert_eq!(Timestamp::from_ms(ms).to_string(), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn every_timestamp_reads_back(ms in any::<i64>()) {
            let at = Timestamp::from_ms(ms);
            prop_assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
        }

        #[test]
        fn any_text_gets_an_answer(text in ".{0,40}Z") {
            let _ = Timestamp::parse(&text);
        }
    }
}
