//! What is given, and what is said about it.

use clap::Parser;
use serde::{Deserialize, Serialize};

use super::{Environment, Flag, Settings};
use crate::{ByteSize, Log};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    data: Option<String>,
    broker: Broker,
    listener: Vec<Listener>,
    topics: Vec<String>,
    log: Log,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Broker {
    node_id: u16,
    segment_bytes: ByteSize,
    auto: bool,
    kind: Kind,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listener {
    #[serde(deserialize_with = "crate::read_ip_port")]
    address: std::net::SocketAddr,
    name: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Large,
    Small,
}

impl Default for Broker {
    fn default() -> Self {
        Self { node_id: 1, segment_bytes: ByteSize(1 << 20), auto: true, kind: Kind::Small }
    }
}

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Args)]
struct Flags {
    #[arg(long, env = "T_DATA")]
    data: Option<String>,
    #[arg(long, env = "T_NODE")]
    node: Option<u16>,
}

/// As a service with the variables `T_...` reads it.
fn settings(file: &str, variables: &[(&str, &str)], flags: Vec<Flag>) -> Settings<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, file).unwrap();
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::read::<Flags>("T", Some(&path), &owned.collect(), flags)
}

fn told(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let error = settings(file, variables, Vec::new()).finish().expect_err(file);
    let lines = error.to_string();
    // The folder is another each time.
    let lines = lines.lines().filter(|line| !line.starts_with("the config has"));
    lines
        .map(|line| line.trim().rsplit_once("/c.toml").map_or(line.trim(), |(_, rest)| rest).to_owned())
        .collect()
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_was_meant() {
    for (file, expected) in [
        ("prot = 7", ":1: unknown key `prot`: there are `data`, `broker`, `listener`, `topics`, `log`"),
        (
            "[broker]\n\nsgement_bytes = \"1MiB\"",
            ":3: unknown key `sgement_bytes` in [broker]: did you mean `segment_bytes`?",
        ),
        ("[brokr]\nnode_id = 1", ":1: unknown key `brokr`: did you mean `broker`?"),
        ("[broker]\nnode_id = \"x\"", ":2: broker.node_id is \"x\", but must be a whole number, 0 or more"),
        ("[broker]\nnode_id = -1", ":2: broker.node_id is -1, but must be a whole number, 0 or more"),
        ("[broker]\nnode_id = 70000", ":2: broker.node_id is 70000, but must be a whole number, 0 or more"),
        ("[broker]\nauto = 1", ":2: broker.auto is 1, but must be true or false"),
        ("[broker]\nkind = \"huge\"", ":2: broker.kind is \"huge\", but must be one of large, small"),
        ("[broker]\nkind = 1", ":2: broker.kind is 1, but must be a text"),
        (
            "[broker]\nsegment_bytes = \"1 parsec\"",
            ":2: broker.segment_bytes: \"1 parsec\" is not a size such as \"64MiB\"",
        ),
        ("broker = 1", ":1: broker is 1, but must be a table"),
        ("data = 1", ":1: data is 1, but must be a text in quotes"),
        ("topics = \"a\"", ":1: topics is \"a\", but must be a list"),
        ("[[listener]]\nname = \"a\"", ":1: listener.0 lacks the key `address`"),
        (
            "[[listener]]\naddress = \"[::1]:1\"\n[[listener]]\naddress = \"host:1\"",
            ":4: listener.1.address: \"host:1\" is not IP:PORT, such as 127.0.0.1:9644",
        ),
        (
            "[[listener]]\naddress = \"[::1]:1\"\nnmae = \"a\"",
            ":3: unknown key `nmae` in [listener.0]: did you mean `name`?",
        ),
        ("broker = {", ":1: unclosed inline table, expected `}`"),
        ("broker.node_id = 99999999999999999999", ":1: a number too large for anything"),
    ] {
        assert_eq!(told(file, &[]), [expected], "{file}");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let file = "colour = \"red\"\n[broker]\nnode_id = \"x\"\nauto = \"y\"\nsegmnt_bytes = 1\n[[listener]]\n";
    let variables = [("T__BROKER__KIND", "huge"), ("T_DTA", "x"), ("T__LOG__FROMAT", "json")];
    let mut told = told(file, &variables);
    told.sort();
    assert_eq!(
        told,
        [
            ":1: unknown key `colour`: there are `data`, `broker`, `listener`, `topics`, `log`",
            ":3: broker.node_id is \"x\", but must be a whole number, 0 or more",
            ":4: broker.auto is \"y\", but must be true or false",
            ":5: unknown key `segmnt_bytes` in [broker]: did you mean `segment_bytes`?",
            ":6: listener.0 lacks the key `address`",
            "T__BROKER__KIND: broker.kind is \"huge\", but must be one of large, small",
            "T__LOG__FROMAT: unknown key `fromat` in [log]: did you mean `format`?",
            "unknown variable T_DTA: did you mean T_DATA?",
        ]
    );
}

#[test]
fn every_key_has_a_variable_and_a_flag_is_stronger() {
    let file = "data = \"file\"\n[broker]\nnode_id = 2\n[[listener]]\naddress = \"[::1]:1\"";
    let variables = [
        ("T__BROKER__NODE_ID", "3"),
        ("T__BROKER__AUTO", "false"),
        ("T__BROKER__SEGMENT_BYTES", "2MiB"),
        ("T__LISTENER__0__NAME", "7"),
        ("T__LISTENER__1__ADDRESS", "127.0.0.1:2"),
        ("T__TOPICS", "a, b"),
        ("T__LOG__FORMAT", "json"),
        ("T_DATA", "variable"),
        ("OTHER__BROKER", "x"),
        // What Kubernetes adds.
        ("T_SERVICE_HOST", "10.0.0.1"),
        ("T_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
    ];
    let flags =
        vec![Flag::new("data", "data", Some("variable")), Flag::new("broker.node_id", "node", Some(4))];
    let settings = settings(file, &variables, flags);
    let config = &settings.values;
    assert_eq!(
        (config.data.as_deref(), config.broker.node_id, config.broker.auto),
        (Some("variable"), 4, false)
    );
    assert_eq!(config.broker.segment_bytes, ByteSize(2 << 20));
    let listeners = config.listener.iter().map(|it| (it.address.port(), it.name.as_deref()));
    assert_eq!(listeners.collect::<Vec<_>>(), [(1, Some("7")), (2, None)]);
    assert_eq!(config.topics, ["a", "b"]);

    let shown = settings.shown().unwrap();
    let places: Vec<(&str, &str)> = shown.lines().filter_map(|line| line.split_once("  # ")).collect();
    let places: Vec<(&str, &str)> = places
        .iter()
        .map(|(line, place)| (line.trim(), place.rsplit_once('/').map_or(*place, |(_, file)| file)))
        .collect();
    assert_eq!(
        places,
        [
            ("data = \"variable\"", "T_DATA"),
            ("topics = [\"a\", \"b\"]", "T__TOPICS"),
            ("node_id = 4", "--node"),
            ("segment_bytes = \"2MiB\"", "T__BROKER__SEGMENT_BYTES"),
            ("auto = false", "T__BROKER__AUTO"),
            ("address = \"[::1]:1\"", "c.toml:5"),
            ("name = \"7\"", "T__LISTENER__0__NAME"),
            ("address = \"127.0.0.1:2\"", "T__LISTENER__1__ADDRESS"),
            ("format = \"json\"", "T__LOG__FORMAT"),
        ]
    );
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    let shown = settings("[broker]\nnode_id = 5", &[], Vec::new()).shown().unwrap();
    let again = settings(&shown, &[], Vec::new());
    assert_eq!(again.values.broker.node_id, 5);
    assert!(!shown.contains("data"), "{shown}");
}

#[test]
fn a_variable_that_points_beyond_a_list_is_told() {
    for (name, expected) in [
        (
            "T__LISTENER__1__ADDRESS",
            "T__LISTENER__1__ADDRESS: number 1 of a list of which 0 are given: give number 0 as well, also where it is to be as by default",
        ),
        (
            "T__LISTENER__0__X",
            "T__LISTENER__0__X: unknown key `x` in [listener.0]: there are `address`, `name`",
        ),
    ] {
        let told = told("", &[(name, "127.0.0.1:1")]);
        assert_eq!(told.first().map(String::as_str), Some(expected), "{told:?}");
    }
    let told = told("[[listener]]\naddress = \"[::1]:1\"", &[("T__LISTENER__ADDRESS", "x")]);
    assert_eq!(
        told,
        ["T__LISTENER__ADDRESS: `address` stands where a list has a number: __0__ is its first"]
    );
}

#[test]
fn a_rule_about_a_value_is_told_with_the_place_of_the_value() {
    let mut settings = settings("[broker]\nnode_id = 9", &[("T__BROKER__SEGMENT_BYTES", "1B")], Vec::new());
    settings.mistakes.within("broker.node_id", 9, 1..=8);
    settings.mistakes.at_least("broker.segment_bytes", ByteSize(1), ByteSize(1024));
    settings.mistakes.within("broker.default", 9, 1..=8);
    let told = settings.finish().unwrap_err().to_string();
    assert!(told.contains("c.toml:2: broker.node_id is 9, but must be 1 to 8"), "{told}");
    assert!(
        told.contains("T__BROKER__SEGMENT_BYTES: broker.segment_bytes is 1B, but must be 1KiB or more"),
        "{told}"
    );
    assert!(told.contains("\n  broker.default is 9, but must be 1 to 8"), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let path = std::path::Path::new("no/such/file");
    let settings = Settings::<Config>::read::<Flags>("T", Some(path), &Environment::default(), Vec::new());
    let told = settings.finish().unwrap_err().to_string();
    assert!(told.starts_with("cannot read the config file no/such/file: "), "{told}");
}

#[test]
fn the_variables_of_flags_are_those_of_the_command_line() {
    let line = Line::parse_from(["t", "--data", "x", "--node", "1"]);
    assert_eq!((line.flags.data.as_deref(), line.flags.node), (Some("x"), Some(1)));
    let variables = super::flags::variables::<Flags>();
    assert!(variables.has("T_DATA") && variables.has("T_NODE") && !variables.has("T_X"));
}
