//! Moments as `--to-datetime` and `--by-duration` name them, in milliseconds since 1970.

use super::super::failure::{Exception, Failure};

/// `YYYY-MM-DDThh:mm:ss.sss`, in UTC unless an offset or a `Z` follows.
pub fn datetime_ms(text: &str) -> Result<i64, Failure> {
    let Some((_, time)) = text.split_once('T') else {
        let said = "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        return Err(parse_exception(said.to_owned()));
    };
    let zoned = if time.contains(['+', '-', 'Z']) { text.to_owned() } else { format!("{text}Z") };
    let unparseable = || parse_exception(format!("Unparseable date: \"{zoned}\""));
    // Kafka insists on the fraction of a second.
    if !time.contains('.') {
        return Err(unparseable());
    }
    let moment: jiff::Timestamp = with_minutes(&zoned).parse().map_err(|_| unparseable())?;
    Ok(moment.as_millisecond())
}

/// `+01` means `+01:00`, and `+0100` does.
fn with_minutes(text: &str) -> String {
    let sign = text.rfind(['+', '-']).filter(|at| text.find('T').is_some_and(|t| t < *at));
    match sign.map(|at| (at, text.len() - at)) {
        Some((_, 3)) => format!("{text}:00"),
        Some((at, 5)) => format!("{}:{}", &text[..at + 3], &text[at + 3..]),
        _ => text.to_owned(),
    }
}

/// `PnDTnHnMnS`: days of 24 hours, hours, minutes, and seconds with a fraction; each may be negative.
pub fn duration_ms(text: &str) -> Result<i64, Failure> {
    read_duration(text).ok_or_else(|| {
        Exception::new("java.time.format.DateTimeParseException", "Text cannot be parsed to a Duration")
            .into()
    })
}

fn read_duration(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (negative, rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text.as_str()),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    if time == Some("") || (days.is_empty() && time.is_none()) {
        return None;
    }
    let mut ms = units(days, &[('D', 86_400_000)])?;
    if let Some(time) = time {
        ms = ms.checked_add(units(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?)?;
    }
    Some(if negative { -ms } else { ms })
}

/// Numbers with their units, each unit at most once and in this order.
fn units(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total: i64 = 0;
    for (letter, unit_ms) in units {
        if let Some((number, rest)) = text.split_once(*letter) {
            total = total.checked_add(amount(number, *unit_ms, *letter == 'S')?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}

fn amount(number: &str, unit_ms: i64, may_have_fraction: bool) -> Option<i64> {
    let (whole, fraction) = match number.split_once(['.', ',']) {
        Some((whole, fraction)) if may_have_fraction => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let negative = whole.starts_with('-');
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    let fraction: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    whole.checked_add(if negative { -fraction } else { fraction })
}

fn parse_exception(said: String) -> Failure {
    let inside = Exception::new("java.text.ParseException", said);
    Exception::new("java.lang.RuntimeException", inside.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_are_utc_unless_they_say_otherwise() {
        for (text, ms) in [
            ("2020-01-01T00:00:00.000", Some(1_577_836_800_000)),
            ("2020-01-01T00:00:00.001Z", Some(1_577_836_800_001)),
            ("2020-01-01T01:00:00.000+01:00", Some(1_577_836_800_000)),
            ("2020-01-01T01:00:00.000+01", Some(1_577_836_800_000)),
            ("2019-12-31T22:30:00.000-0130", Some(1_577_836_800_000)),
            ("2020-01-01", None),
            ("2020-01-01Tblah", None),
            ("2020-13-01T00:00:00.000", None),
            ("2020-01-01T00:00:00", None),
        ] {
            assert_eq!(datetime_ms(text).ok(), ms, "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_java_reads_them() {
        for (text, ms) in [
            ("PT1H", Some(3_600_000)),
            ("P1DT2H3M4.5S", Some(93_784_500)),
            ("p2d", Some(172_800_000)),
            ("PT-1.250S", Some(-1_250)),
            ("-PT1M", Some(-60_000)),
            ("PT90M", Some(5_400_000)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("PT1M1H", None),
            ("PT1.5H", None),
            ("P1Y", None),
            ("blah", None),
            ("P99999999999999999999D", None),
            ("P9999999999999D", None),
        ] {
            assert_eq!(duration_ms(text).ok(), ms, "{text}");
        }
    }
}
