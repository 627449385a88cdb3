//! A strict reader of OpenMetrics, for the tests: what it does not take, some scraper would not.

use std::collections::BTreeSet;

#[derive(Debug)]
pub struct Family {
    pub name: String,
    pub kind: String,
    /// Without the `le` of buckets, sorted.
    pub labels: Vec<String>,
    pub samples: Vec<Sample>,
}

#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

pub fn families(text: &str) -> Vec<Family> {
    let body = text.strip_suffix("# EOF\n").expect("the last line is # EOF");
    let mut families: Vec<Family> = Vec::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help has a text");
            assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
            assert!(families.iter().all(|family| family.name != name), "{name} twice");
            families.push(Family { name: name.into(), kind: String::new(), labels: vec![], samples: vec![] });
            continue;
        }
        let family = families.last_mut().expect("a help comes first");
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(name == family.name && family.kind.is_empty(), "{line}");
            family.kind = kind.into();
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name == family.name && name.ends_with(&format!("_{unit}")), "{line}");
        } else {
            let sample = sample(line);
            assert!(
                suffixes(&family.kind).iter().any(|suffix| sample.name == format!("{}{suffix}", family.name))
            );
            family.samples.push(sample);
        }
    }
    families.iter_mut().for_each(check);
    families
}

fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "info" => &["_info"],
        "histogram" => &["_sum", "_count", "_bucket"],
        other => panic!("a type {other}"),
    }
}

fn check(family: &mut Family) {
    assert!(!family.samples.is_empty(), "{} has no row", family.name);
    let seen: BTreeSet<_> = family.samples.iter().map(|it| (&it.name, &it.labels)).collect();
    assert_eq!(seen.len(), family.samples.len(), "{} has a row twice", family.name);
    let names = |sample: &Sample| {
        let names = sample.labels.iter().map(|(name, _)| name.clone()).filter(|name| name != "le");
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    family.labels = names(&family.samples[0]);
    assert!(family.samples.iter().all(|sample| names(sample) == family.labels), "{}", family.name);
    if family.kind == "counter" {
        assert!(family.samples.iter().all(|sample| sample.value >= 0.0));
    }
    check_buckets(family);
}

/// Buckets ascend, and the last of them is the count.
fn check_buckets(family: &Family) {
    let named = |suffix: &str, sample: &Sample| sample.name == format!("{}{suffix}", family.name);
    for count in family.samples.iter().filter(|it| family.kind == "histogram" && named("_count", it)) {
        let of_row = |sample: &&Sample| {
            named("_bucket", sample) && count.labels.iter().all(|label| sample.labels.contains(label))
        };
        let buckets: Vec<&Sample> = family.samples.iter().filter(of_row).collect();
        assert!(buckets.windows(2).all(|two| two[0].value <= two[1].value), "{}", family.name);
        let last = buckets.last().unwrap();
        assert!(last.value == count.value && last.labels.contains(&("le".into(), "+Inf".into())));
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, rest) = line.split_at(end);
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest),
        None => (Vec::new(), rest),
    };
    let value = value.strip_prefix(' ').and_then(|value| value.parse().ok());
    Sample { name: name.into(), labels, value: value.unwrap_or_else(|| panic!("no value: {line}")) }
}

/// The labels, and what follows their brace.
fn labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut labels = Vec::new();
    loop {
        let (name, quoted) = rest.split_once("=\"").expect("a label has a value");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
        let (value, after) = unquoted(quoted);
        labels.push((name.to_owned(), value));
        rest = match (after.strip_prefix(','), after.strip_prefix('}')) {
            (Some(next), _) => next,
            (_, Some(end)) => return (labels, end),
            _ => panic!("neither a label nor the end: {after}"),
        };
    }
}

/// Up to the closing quotation mark, and what follows it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next().expect("an escaped letter").1 {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\') => value.push(escaped),
                other => panic!("\\{other}"),
            },
            letter => value.push(letter),
        }
    }
    panic!("no end of a value: {text}")
}
