//! Which clients there are, how their programs are started, and whether they are installed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use end_to_end::{command, workspace};

/// In Kafka's numbering, as it stands in the attributes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

pub const ALL_CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// One folder of `tests/clients`.
#[derive(Debug)]
pub struct Client {
    pub folder: &'static str,
    language: Language,
    pub codecs: &'static [Codec],
    /// Facts that this client has no call for, by the beginning of their lines.
    pub cannot: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Python,
    Go,
    Java,
    JavaScript,
}

pub const CLIENTS: &[Client] = &[
    Client { folder: "confluent-kafka", language: Language::Python, codecs: &ALL_CODECS, cannot: &[] },
    Client { folder: "franz-go", language: Language::Go, codecs: &ALL_CODECS, cannot: &[] },
    Client { folder: "java", language: Language::Java, codecs: &ALL_CODECS, cannot: &[] },
    Client {
        folder: "kafkajs",
        language: Language::JavaScript,
        codecs: &[Codec::None, Codec::Gzip, Codec::Snappy],
        // It answers with the end of the partition.
        cannot: &["after the last", "at any time of none"],
    },
    Client { folder: "sarama", language: Language::Go, codecs: &ALL_CODECS, cannot: &[] },
    Client { folder: "aiokafka", language: Language::Python, codecs: &ALL_CODECS, cannot: &[] },
    Client { folder: "kafka-python-3", language: Language::Python, codecs: &ALL_CODECS, cannot: &[] },
    Client { folder: "kafka-python-2", language: Language::Python, codecs: &ALL_CODECS, cannot: &[] },
];

/// A client whose libraries are here.
pub struct Program {
    client: &'static Client,
    installed: PathBuf,
}

impl Client {
    pub fn named(folder: &str) -> &'static Self {
        CLIENTS.iter().find(|client| client.folder == folder).expect("one of the table")
    }

    /// `None`, and a word about it, when its libraries are not those of its lock file. A test installs
    /// nothing: `tests/clients/install` does.
    pub fn program(&'static self) -> Option<Program> {
        let installed = installed().join(self.folder);
        let read = |path: PathBuf| std::fs::read(path).ok();
        let lock = read(self.sources().join(self.language.lock_file()));
        if lock.is_none() || lock != read(installed.join("installed")) {
            println!("skipped: {} is not installed (tests/clients/install does it)", self.folder);
            return None;
        }
        Some(Program { client: self, installed })
    }

    fn sources(&self) -> PathBuf {
        workspace().join("tests/clients").join(self.folder)
    }
}

impl Codec {
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl Language {
    /// What `install` goes by: it leaves a copy as `installed` when it is done.
    fn lock_file(self) -> &'static str {
        match self {
            Self::Python => "requirements.txt",
            Self::Go => "go.sum",
            Self::Java => "pom.xml",
            Self::JavaScript => "package-lock.json",
        }
    }
}

impl Program {
    /// Runs it to its end; what it said.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        command::output(self.command()?.args(args), b"").with_context(|| self.client.folder)
    }

    fn command(&self) -> Result<Command> {
        let sources = self.client.sources();
        Ok(match self.client.language {
            Language::Python => {
                let mut python = Command::new(self.installed.join("venv/bin/python"));
                python.arg("-B").arg(sources.join("program.py"));
                python
            }
            Language::Go => Command::new(self.build_go(&sources)?),
            Language::Java => {
                let mut java = Command::new("java");
                let tuned = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp"];
                java.args(tuned).arg(self.installed.join("libs/*")).arg(sources.join("Program.java"));
                java
            }
            Language::JavaScript => {
                let mut node = Command::new("node");
                node.arg(sources.join("program.cjs")).env("NODE_PATH", self.installed.join("node_modules"));
                node
            }
        })
    }

    /// Compiled from the modules that are here; the network is not asked.
    fn build_go(&self, sources: &Path) -> Result<PathBuf> {
        let program = self.installed.join("program");
        let mut go = Command::new("go");
        go.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".");
        go.current_dir(sources).env("GOPROXY", "off");
        command::output(&mut go, b"")?;
        Ok(program)
    }
}

/// Beside what cargo builds: `<target>/clients`.
pub fn installed() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    // <target>/<profile>/deps/<this test>
    test.ancestors().nth(3).expect("a test lies three folders down in the target folder").join("clients")
}
