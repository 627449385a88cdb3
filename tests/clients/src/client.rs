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
    quirks: &'static [Quirk],
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Python,
    Go,
    Java,
    JavaScript,
}

/// What a client does with its user's words, whatever the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// Asked for the first offset at a time that no record has, it gives something of its own.
    NoOffsetIsNotSaid,
    /// An empty value is read as none.
    EmptyIsNull,
    /// Nothing can be noted with a commit.
    NoNotes,
}

pub const CLIENTS: &[Client] = &[
    python("confluent-kafka"),
    go("franz-go", &[]),
    Client { folder: "java", language: Language::Java, codecs: &ALL_CODECS, quirks: &[] },
    Client {
        folder: "kafkajs",
        language: Language::JavaScript,
        codecs: &[Codec::None, Codec::Gzip, Codec::Snappy],
        quirks: &[Quirk::NoOffsetIsNotSaid],
    },
    go("sarama", &[]),
    python("aiokafka"),
    python("kafka-python-3"),
    python("kafka-python-2"),
    go("kafka-go", &[Quirk::EmptyIsNull]),
    Client {
        folder: "platformatic",
        language: Language::JavaScript,
        // zstd came to node with version 22.
        codecs: &[Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4],
        quirks: &[Quirk::NoNotes],
    },
];

const fn python(folder: &'static str) -> Client {
    Client { folder, language: Language::Python, codecs: &ALL_CODECS, quirks: &[] }
}

const fn go(folder: &'static str, quirks: &'static [Quirk]) -> Client {
    Client { folder, language: Language::Go, codecs: &ALL_CODECS, quirks }
}

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

    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
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
        let mut command = match self.client.language {
            Language::Python => self.source("program.py"),
            Language::Java => self.source("Program.java"),
            Language::Go => Command::new(self.build_go(&self.client.sources())?),
            Language::JavaScript => {
                let mut node = Command::new("node");
                node.arg(self.client.sources().join("program.cjs"));
                node.env("NODE_PATH", self.installed.join("node_modules"));
                node
            }
        };
        command::output(command.args(args), b"").with_context(|| self.client.folder)
    }

    /// What the client's other program says, which asks what admins ask.
    pub fn run_admins(&self, bootstrap: &str) -> Result<String> {
        let mut command = match self.client.language {
            Language::Java => self.source("Admins.java"),
            Language::Go => {
                let mut go = Command::new(self.build_go(&self.client.sources())?);
                go.arg("admins");
                go
            }
            _ => self.source("admins.py"),
        };
        command::output(command.arg(bootstrap), b"").with_context(|| self.client.folder)
    }

    /// A source file that is run as it is, by Java or Python.
    fn source(&self, file: &str) -> Command {
        let source = self.client.sources().join(file);
        if matches!(self.client.language, Language::Java) {
            let mut java = Command::new("java");
            let tuned = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp"];
            java.args(tuned).arg(self.installed.join("libs/*")).arg(source);
            java
        } else {
            let mut python = Command::new(self.installed.join("venv/bin/python"));
            python.arg("-B").arg(source);
            python
        }
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
