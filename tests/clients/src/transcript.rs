//! What a program must say, computed from the same table as its records are.

use anyhow::{Result, bail};

use crate::{Client, Codec, client::Quirk};

/// Records per compression, all in partition 0 of `letters`. One has no key, one an empty value, one none.
const RECORDS: usize = 5;

/// The record whose offset and time are asked for: in the middle of the second batch.
const MIDDLE: usize = 7;

/// Where brokers are known to differ: what kafka-clients say of Apache Kafka 4.3.
const DETAILS: &str = "\
validated: 3/1
create a b: INVALID_TOPIC_EXCEPTION
create .: INVALID_TOPIC_EXCEPTION
create xxx: INVALID_TOPIC_EXCEPTION
create x.y: none
create x_y: INVALID_TOPIC_EXCEPTION
create with nonsense=1: INVALID_CONFIG
create with retention.ms=x: INVALID_CONFIG
create with cleanup.policy=x: INVALID_CONFIG
create on [7]: INVALID_REPLICA_ASSIGNMENT
create on [1, 1]: INVALID_REPLICA_ASSIGNMENT
latest time of none: -1
latest time: 1 in epoch 0
earliest on disk: 0 in epoch 0
tiered: -1
without key: INVALID_RECORD
ahead of time: INVALID_TIMESTAMP
noted too much: OFFSET_METADATA_TOO_LARGE";

/// What Apache Kafka 4.3.1 tells admins, by the client's folder; a run against it keeps this true.
const ADMINS: [(&str, &str); 3] = [
    ("franz-go", include_str!("../franz-go/admins.txt")),
    ("java", include_str!("../java/admins.txt")),
    ("kafka-python-3", include_str!("../kafka-python-3/admins.txt")),
];

impl Client {
    /// It has a program that asks what admins ask.
    pub fn has_admins(&self) -> bool {
        ADMINS.iter().any(|(folder, _)| *folder == self.folder)
    }

    pub fn check_admins(&self, said: &str) -> Result<()> {
        let expected = ADMINS.iter().filter(|(folder, _)| *folder == self.folder);
        let expected = expected.flat_map(|(_, facts)| facts.lines());
        self.check(expected.map(str::to_owned).collect(), said)
    }

    pub fn check_details(&self, said: &str) -> Result<()> {
        self.check(DETAILS.lines().map(str::to_owned).collect(), said)
    }

    /// Topics, records, positions and a group, on a fresh broker with one node, whose id is 1.
    pub fn check_before(&self, said: &str) -> Result<()> {
        let letters: Vec<String> = self.codecs.iter().flat_map(|codec| self.letters_in(*codec)).collect();
        let letters: Vec<String> =
            letters.iter().enumerate().map(|(at, letter)| format!("{at}={letter}/{}", at * 1000)).collect();
        let end = letters.len();
        let mut facts = vec![
            "create: done".to_owned(),
            "create again: 36".to_owned(),
            "list: letters=3 work=4".to_owned(),
            "describe: 0=1/1/1 1=1/1/1 2=1/1/1".to_owned(),
        ];
        for (at, codec) in self.codecs.iter().enumerate() {
            let offsets: Vec<String> =
                (at * RECORDS..(at + 1) * RECORDS).map(|offset| offset.to_string()).collect();
            facts.push(format!("produce {}: {}", codec.name(), offsets.join(" ")));
        }
        facts.extend([
            format!("ends: 0-{end} 0-0 0-0"),
            format!("at the time of {MIDDLE}: {MIDDLE}"),
            format!("a moment after {MIDDLE}: {}", MIDDLE + 1),
        ]);
        if !self.has(Quirk::NoOffsetIsNotSaid) {
            facts.extend(["after the last: none".to_owned(), "at any time of none: none".to_owned()]);
        }
        facts.extend([
            format!("from the beginning: {}", letters.join(" ")),
            format!("from offset {MIDDLE}: {}", letters[MIDDLE..].join(" ")),
            "members: 2 2".to_owned(),
            format!("group read: {}", work(0)),
            format!("committed: {}", self.committed()),
        ]);
        self.check(facts, said)
    }

    /// The group goes on where it committed, with what was produced while nobody read.
    pub fn check_after(&self, said: &str) -> Result<()> {
        let facts = vec![format!("committed: {}", self.committed()), format!("group read: {}", work(10))];
        self.check(facts, said)
    }

    fn check(&self, expected: Vec<String>, said: &str) -> Result<()> {
        let said: Vec<&str> = said.lines().collect();
        let different = expected.iter().zip(&said).position(|(expected, said)| expected != said);
        let Some(at) = different.or((expected.len() != said.len()).then(|| expected.len().min(said.len())))
        else {
            return Ok(());
        };
        let [expected, said] = [expected.get(at).map(String::as_str), said.get(at).copied()]
            .map(|line| line.unwrap_or("(nothing)"));
        bail!("{}, fact {}\n  expected: {expected}\n  it says:  {said}", self.folder, at + 1)
    }

    /// key/value/header of each record; `~` is null.
    fn letters_in(&self, codec: Codec) -> Vec<String> {
        let name = codec.name();
        let empty = if self.has(Quirk::EmptyIsNull) { "~" } else { "" };
        let record = |number| match number {
            2 => format!("~/{name}-2/{name}"),
            3 => format!("k3/{empty}/{name}"),
            4 => format!("k4/~/{name}"),
            _ => format!("k{number}/{name}-{number}/{name}"),
        };
        (0..RECORDS).map(record).collect()
    }

    /// Ten records were read in each of four partitions; what was noted with the commit comes back with it.
    fn committed(&self) -> String {
        let note = if self.has(Quirk::NoNotes) { "" } else { "noted" };
        (0..4).map(|partition| format!("{partition}=10/{note}")).collect::<Vec<_>>().join(" ")
    }
}

/// The ten offsets from `first` in each partition of `work`.
fn work(first: usize) -> String {
    let partition = |partition| format!("{partition}={first}-{}", first + 9);
    (0..4).map(partition).collect::<Vec<_>>().join(" ")
}
