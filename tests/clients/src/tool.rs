//! Apache Kafka's command line tools, ours and theirs, held against the transcripts in `tools/`.
//!
//! A transcript is what is typed and what must come back:
//! ```text
//! # a comment
//! @ offsets.json {"partitions": []}     a file, which the words below call DIR/offsets.json
//! $ kafka-topics --bootstrap-server BROKER --list --topic tt-gps
//! < a line of standard input
//! > a line of standard output
//! ! the first line of standard error
//! = 1                                   the exit code, if it is not 0
//! ```
//! Topics are called `tt-...`, and are called something else in each run. What differs from run to run is
//! named in the answers: BROKER, DIR, TIME, ID.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use end_to_end::{command, program, workspace};

use crate::client::installed;

/// What topics are called in a transcript.
const TOPICS: &str = "tt-";

/// How long a change may take to be seen.
const SETTLES: Duration = Duration::from_secs(3);

/// What a tool did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    stdout: Vec<String>,
    /// The first line.
    stderr: Option<String>,
    code: i32,
}

/// Whose tools are run.
pub enum Tools {
    /// The links in this folder.
    Ours(PathBuf),
    Apache(Jvm),
}

/// Where and as what a transcript is run.
pub struct Stage<'a> {
    pub bootstrap: &'a str,
    /// Stands for `tt-`, so that two runs do not meet on one broker. As long, so that columns stay where
    /// they are.
    pub topics: &'a str,
    pub folder: &'a Path,
}

pub struct Transcript {
    path: PathBuf,
    steps: Vec<Step>,
}

#[derive(Default)]
struct Step {
    /// Comments and files above it.
    above: Vec<String>,
    command: String,
    stdin: Vec<String>,
    expected: Answer,
}

impl Tools {
    /// Links to the broker's program, made as an operator makes them.
    pub fn ours(folder: &Path) -> Result<Self> {
        let mut install = Command::new(workspace().join("deploy/install-cli"));
        command::output(install.arg("--binary").arg(program("core-broker")).arg(folder), b"")?;
        Ok(Self::Ours(folder.to_owned()))
    }

    /// Apache Kafka's own, from the jars of [`crate::ApacheKafka`].
    pub fn apache() -> Result<Self> {
        Ok(Self::Apache(Jvm::start()?))
    }

    fn run(&mut self, words: &[String], stdin: &str) -> Result<(i32, String, String)> {
        match self {
            Self::Ours(links) => {
                let (name, words) = words.split_first().context("no tool is named")?;
                let mut tool = Command::new(links.join(name));
                let output =
                    command::run(tool.args(words).env_remove("LONGHAUL_BOOTSTRAP"), stdin.as_bytes())?;
                let code = output.status.code().context("killed by a signal")?;
                Ok((code, String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
            }
            Self::Apache(jvm) => jvm.run(words, stdin),
        }
    }
}

/// `java/Tools.java`: many invocations in one JVM.
pub struct Jvm {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Jvm {
    fn start() -> Result<Self> {
        let sources = workspace().join("tests/clients/java");
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"]);
        java.arg(format!("-Dlog4j2.configurationFile={}", sources.join("log4j2.properties").display()));
        java.arg("-cp").arg(installed().join("apache-kafka/libs/*")).arg(sources.join("Tools.java"));
        let mut process =
            java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let stdin = process.stdin.take().context("standard input is a pipe")?;
        let stdout = BufReader::new(process.stdout.take().context("standard output is a pipe")?);
        Ok(Self { process, stdin, stdout })
    }

    fn run(&mut self, words: &[String], stdin: &str) -> Result<(i32, String, String)> {
        let stdin = stdin.replace('\\', "\\\\").replace('\n', "\\n");
        writeln!(self.stdin, "{}\n{stdin}", words.join("\t"))?;
        self.stdin.flush()?;
        let mut head = String::new();
        self.stdout.read_line(&mut head)?;
        let numbers: Vec<_> = head.split_whitespace().map(str::parse::<i32>).collect::<Result<_, _>>()?;
        let [code, stdout, stderr] = numbers[..] else { bail!("the JVM said {head:?} of {words:?}") };
        let mut text = |length: i32| -> Result<String> {
            let mut bytes = vec![0; usize::try_from(length)?];
            self.stdout.read_exact(&mut bytes)?;
            Ok(String::from_utf8(bytes)?)
        };
        Ok((code, text(stdout)?, text(stderr)?))
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        // Gone already, or gone now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Transcript {
    pub fn load(name: &str) -> Result<Self> {
        let path = workspace().join("tests/clients/tools").join(name);
        let mut steps: Vec<Step> = vec![Step::default()];
        for line in fs::read_to_string(&path)?.lines() {
            let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
            let begun = steps.last().is_some_and(|step| !step.command.is_empty());
            if begun && matches!(mark, "" | "#" | "@" | "$") {
                steps.push(Step::default());
            }
            let step = steps.last_mut().context("there is always one")?;
            match mark {
                "" | "#" | "@" => step.above.push(line.to_owned()),
                "$" => step.command = text.to_owned(),
                "<" => step.stdin.push(text.to_owned()),
                ">" => step.expected.stdout.push(text.to_owned()),
                "!" => step.expected.stderr = Some(text.to_owned()),
                "=" => step.expected.code = text.parse().with_context(|| format!("{name}: {line}"))?,
                _ => bail!("{name}: {line:?} begins with none of # @ $ < > ! ="),
            }
        }
        Ok(Self { path, steps })
    }

    /// Every step that answers otherwise than it is written, told in full.
    pub fn check(&self, tools: &mut Tools, stage: &Stage) -> Result<()> {
        let mut told = String::new();
        for step in self.steps.iter().filter(|step| !step.command.is_empty()) {
            let begun = Instant::now();
            let mut answer = self.answer(step, tools, stage)?;
            // What a controller was told reaches the brokers a moment later.
            while answer != step.expected && step.only_asks() && begun.elapsed() < SETTLES {
                answer = self.answer(step, tools, stage)?;
            }
            if answer != step.expected {
                write!(
                    told,
                    "$ {}\nexpected:\n{}got:\n{}",
                    step.command,
                    step.expected.written(),
                    answer.written()
                )?;
            }
        }
        ensure!(told.is_empty(), "{}\n{told}", self.path.display());
        Ok(())
    }

    /// Writes down what the tools answer.
    pub fn record(&mut self, tools: &mut Tools, stage: &Stage) -> Result<()> {
        let mut text = String::new();
        for at in 0..self.steps.len() {
            let step = &self.steps[at];
            step.above.iter().try_for_each(|line| writeln!(text, "{line}"))?;
            if step.command.is_empty() {
                continue;
            }
            writeln!(text, "$ {}", step.command)?;
            step.stdin.iter().try_for_each(|line| writeln!(text, "< {line}"))?;
            text.push_str(&self.answer(step, tools, stage)?.written());
        }
        Ok(fs::write(&self.path, text)?)
    }

    fn answer(&self, step: &Step, tools: &mut Tools, stage: &Stage) -> Result<Answer> {
        for file in step.above.iter().filter_map(|line| line.strip_prefix("@ ")) {
            let (name, content) = file.split_once(' ').unwrap_or((file, ""));
            fs::write(stage.folder.join(name), stage.staged(&content.replace("\\n", "\n")))?;
        }
        let words: Vec<_> = split(&step.command).iter().map(|word| stage.staged(word)).collect();
        let stdin: String = step.stdin.iter().map(|line| stage.staged(line) + "\n").collect();
        let (code, stdout, stderr) = tools
            .run(&words, &stdin)
            .with_context(|| format!("{}: {}", self.path.display(), step.command))?;
        // What the Java client logs for itself is not the tool's.
        let logged = |line: &str| {
            line.contains("] WARN ")
                || line.contains(" ERROR [AdminClient ")
                || line.starts_with("The consumer rebalance protocol (KIP-848)")
        };
        let stderr = stderr.lines().find(|line| !logged(line)).filter(|line| !line.is_empty());
        let mut stdout: Vec<_> = stdout.lines().map(|line| stage.unstaged(line)).collect();
        // The order of a Java hash table, which is nobody's business.
        if stdout.iter().any(|line| line.starts_with("partition: ")) {
            stdout.sort();
        }
        if let Some(header) = stdout.iter().position(|line| line.ends_with(" NEW-OFFSET")) {
            stdout[header..].sort();
        }
        // Set by the script that starts Apache Kafka, and by nobody else.
        stdout.retain(|line| !line.starts_with("  min.insync.replicas=1 sensitive="));
        Ok(Answer { stdout, stderr: stderr.map(|line| stage.unstaged(line)), code })
    }
}

impl Step {
    fn only_asks(&self) -> bool {
        let asks = [" --describe", " --list", "kafka-get-offsets "];
        self.expected.code == 0 && asks.iter().any(|word| self.command.contains(word))
    }
}

impl Answer {
    fn written(&self) -> String {
        let mut text = String::new();
        for line in &self.stdout {
            text += format!("> {line}").trim_end_matches(' ');
            text.push('\n');
        }
        text.extend(self.stderr.iter().map(|line| format!("! {line}\n")));
        if self.code != 0 {
            text += &format!("= {}\n", self.code);
        }
        text
    }
}

impl Stage<'_> {
    fn staged(&self, text: &str) -> String {
        let folder = self.folder.display().to_string();
        text.replace("BROKER", self.bootstrap).replace("DIR", &folder).replace(TOPICS, self.topics)
    }

    fn unstaged(&self, line: &str) -> String {
        let folder = self.folder.display().to_string();
        let line =
            line.replace(self.bootstrap, "BROKER").replace(&folder, "DIR").replace(self.topics, TOPICS);
        let line = between(&line, "\tTopicId: ", "\t", "ID");
        let line = between(&line, "\"logDir\":\"", "\"", "DIR");
        let line = between(&line, "CreateTime:", "\t", "TIME");
        let line = match line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
            Some((_, said)) => format!("[TIME] {said}"),
            None => line,
        };
        match line.split_once("\tConfigs: ") {
            Some((topic, configs)) => format!("{topic}\tConfigs: {}", sorted_configs(configs)),
            None => line,
        }
        .trim_end_matches(' ')
        .to_owned()
    }
}

/// What stands between two marks, by another name.
fn between(line: &str, begin: &str, end: &str, name: &str) -> String {
    let Some((before, rest)) = line.split_once(begin) else { return line.to_owned() };
    let Some((_, after)) = rest.split_once(end) else { return line.to_owned() };
    format!("{before}{begin}{name}{end}{after}")
}

/// A Java hash table has them in an order of its own. A value may have commas.
fn sorted_configs(configs: &str) -> String {
    let mut pairs: Vec<String> = Vec::new();
    for part in configs.split(',') {
        match pairs.last_mut() {
            Some(last) if !part.contains('=') => *last += &format!(",{part}"),
            _ => pairs.push(part.to_owned()),
        }
    }
    pairs.retain(|pair| pair != "min.insync.replicas=1");
    pairs.sort();
    pairs.join(",")
}

/// Words at blanks; single quotes hold one together.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
