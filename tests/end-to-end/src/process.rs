//! One process of a scene: started, waited for, killed, started again.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// From the start to the one line that says a service serves.
const READY: Duration = Duration::from_secs(40);

/// From SIGTERM to the end.
const STOP: Duration = Duration::from_secs(20);

/// Between two looks at a log.
const LOOK: Duration = Duration::from_millis(50);

/// The end of a log that a failure shows.
const LAST_WORDS: usize = 2_000;

pub struct Process {
    pub name: String,
    path: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts `path`; standard error is appended to `<name>.log` in `logs`.
    pub fn start(name: &str, path: PathBuf, args: &[String], logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let (child, lines) = spawn(&path, args, &log)?;
        Ok(Self { name: name.into(), path, args: args.to_vec(), log, child, lines })
    }

    /// Waits for the line that says that it serves.
    pub fn ready(&mut self) -> Result<String> {
        self.next_line(READY).with_context(|| format!("{} did not start: {}", self.name, self.last_words()))
    }

    /// The next line of its standard output.
    pub fn next_line(&mut self, within: Duration) -> Result<String> {
        match self.lines.recv_timeout(within) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!("{} said nothing for {within:?}", self.name),
            Err(RecvTimeoutError::Disconnected) => bail!("{} has ended", self.name),
        }
    }

    /// kill -9: it has no last word.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Started again as it was the first time.
    pub fn start_again(&mut self) -> Result<String> {
        ensure!(!self.is_alive(), "{} is still running", self.name);
        (self.child, self.lines) = spawn(&self.path, &self.args, &self.log)?;
        self.ready()
    }

    pub fn kill_and_start_again(&mut self) -> Result<()> {
        self.kill()?;
        self.start_again().map(drop)
    }

    /// A signal by its name: TERM, STOP, CONT.
    pub fn signal(&self, name: &str) -> Result<()> {
        // std has no signal but KILL; `kill` is in every POSIX base system.
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status()?;
        ensure!(status.success(), "kill -{name} {} failed", self.name);
        Ok(())
    }

    /// SIGTERM, then how it ended.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.ended_within(STOP)
            .with_context(|| format!("{} was told to stop; its last words: {}", self.name, self.last_words()))
    }

    /// SIGTERM; an exit code other than 0 is an error.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.terminate()?;
        ensure!(status.success(), "{} ended with {status}: {}", self.name, self.last_words());
        Ok(())
    }

    pub fn ended_within(&mut self, within: Duration) -> Result<ExitStatus> {
        // Its standard output ends with it; nobody else holds the other end.
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(_) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(self.child.wait()?),
                Err(RecvTimeoutError::Timeout) => bail!("{} has not ended within {within:?}", self.name),
            }
        }
    }

    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// The most that it ever was.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, key: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).context("no such line")?;
        let kib = line.trim().trim_end_matches("kB").trim().parse::<u64>()?;
        Ok(kib * 1024)
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Until the log has these words.
    pub fn wait_for_log(&self, words: &str, within: Duration) -> Result<()> {
        let until = Instant::now() + within;
        while !self.log().contains(words) {
            ensure!(Instant::now() < until, "{} does not say {words}: {}", self.name, self.last_words());
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let from = log.char_indices().map(|(at, _)| at).rev().nth(LAST_WORDS).unwrap_or(0);
        log[from..].trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already, or gone now.
        let _ = self.kill();
    }
}

fn spawn(path: &Path, args: &[String], log: &Path) -> Result<(Child, Receiver<String>)> {
    let stderr: File = OpenOptions::new().create(true).append(true).open(log)?;
    let mut child = Command::new(path)
        .args(args)
        // What this machine's user has set must not reach the processes of a test.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "LONGHAUL_LOG"))
        .env("HOME", "nowhere")
        // Its port is the same for every broker that is not told another.
        .env("LONGHAUL_BROKER_ADMIN", "off")
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .with_context(|| format!("cannot start {}", path.display()))?;
    let output = child.stdout.take().context("standard output is a pipe")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Whoever does not read on does not want to know.
            let _ = sender.send(line);
        }
    });
    Ok((child, lines))
}
