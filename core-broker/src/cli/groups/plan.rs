//! Partitions as `--topic` names them, and offsets as `--export` prints and `--from-file` reads them.

use std::collections::BTreeMap;

use super::{
    super::failure::{Exception, Failure},
    Offsets, TopicPartition,
};

/// `topic:0,1`
pub fn parse_partitions(text: &str) -> Result<Vec<TopicPartition>, Failure> {
    let parts: Vec<_> = text.split(':').collect();
    let [topic, partitions] = parts[..] else {
        let said = format!("Invalid topic arg '{text}', expected topic name and partitions");
        return Err(Failure::illegal_argument(said));
    };
    let partition = |number: &str| {
        let said = || format!("Invalid partition '{number}' specified in topic arg '{text}''");
        let number = number.parse().map_err(|_| Failure::illegal_argument(said()))?;
        Ok((topic.to_owned(), number))
    };
    partitions.split(',').map(partition).collect()
}

/// `topic,partition,offset`, with the group in front when there are several.
pub fn to_csv(groups: &BTreeMap<String, Offsets>, with_group: bool) -> String {
    let mut csv = String::new();
    for (group, offsets) in groups {
        for ((topic, partition), offset) in offsets {
            if with_group {
                csv.push_str(&quoted(group));
                csv.push(',');
            }
            csv.push_str(&format!("{},{partition},{offset}\n", quoted(topic)));
        }
    }
    csv
}

/// Offsets by group. Lines without a group belong to `only`, when there is but one.
pub fn from_csv(text: &str, only: Option<&str>) -> Result<BTreeMap<String, Offsets>, Failure> {
    let mut plan: BTreeMap<String, Offsets> = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let fields = fields(line);
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let (group, topic, partition, offset) = match (&fields[..], only) {
            ([topic, partition, offset], Some(group)) => (group, *topic, *partition, *offset),
            ([group, topic, partition, offset], _) => (*group, *topic, *partition, *offset),
            _ => return Err(unreadable(at, line)),
        };
        let partition = partition.trim().parse().map_err(|_| unreadable(at, line))?;
        let offset = offset.trim().parse().map_err(|_| unreadable(at, line))?;
        plan.entry(group.to_owned()).or_default().insert((topic.to_owned(), partition), offset);
    }
    Ok(plan)
}

fn unreadable(at: usize, line: &str) -> Failure {
    let said = format!(
        "line {} of the file is not topic,partition,offset, nor group,topic,partition,offset: {line}",
        at + 1
    );
    Exception::new("java.lang.RuntimeException", said).into()
}

/// A name with a comma or a quote in it is written in quotes, which are doubled inside.
fn quoted(name: &str) -> String {
    match name.contains([',', '"', '\n']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => push(&mut fields, '"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            other => push(&mut fields, other),
        }
    }
    fields
}

fn push(fields: &mut [String], letter: char) {
    if let Some(last) = fields.last_mut() {
        last.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_name_its_partitions() {
        for (text, read) in [
            ("gps:0,2", Ok("gps-0 gps-2")),
            ("gps:x", Err("Invalid partition 'x' specified in topic arg 'gps:x''")),
            ("gps:1:2", Err("Invalid topic arg 'gps:1:2', expected topic name and partitions")),
            ("gps:", Err("Invalid partition '' specified in topic arg 'gps:''")),
        ] {
            let parsed = parse_partitions(text).map(|partitions| {
                let names = partitions.iter().map(|(topic, partition)| format!("{topic}-{partition}"));
                names.collect::<Vec<_>>().join(" ")
            });
            match parsed {
                Ok(names) => assert_eq!(Ok(names.as_str()), read),
                Err(failure) => assert_eq!(read.map_err(Failure::illegal_argument), Err(failure)),
            }
        }
    }

    #[test]
    fn what_is_exported_is_read_again() {
        let offsets = |topic: &str| Offsets::from([((topic.to_owned(), 0), 5), ((topic.to_owned(), 1), 7)]);
        let one = BTreeMap::from([("a,b".to_owned(), offsets("gps"))]);
        let two = BTreeMap::from([("a".to_owned(), offsets("gps")), ("\"b\"".to_owned(), offsets("x,y"))]);
        assert_eq!(to_csv(&one, false), "gps,0,5\ngps,1,7\n");
        assert_eq!(from_csv(&to_csv(&one, false), Some("a,b")).unwrap(), one);
        assert_eq!(from_csv(&to_csv(&one, true), Some("other")).unwrap(), one);
        assert_eq!(from_csv(&to_csv(&two, true), None).unwrap(), two);
        for bad in ["nonsense", "gps,0", "gps,x,1", "gps,0,1"] {
            assert!(from_csv(bad, None).is_err(), "{bad}");
        }
    }
}
