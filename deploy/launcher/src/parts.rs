//! The parts as child processes: started in order, waited for, watched, stopped in the reverse order.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::say::complain;

/// A part that has not said so by then does not serve.
const READY: Duration = Duration::from_secs(30);

/// A part that was asked to stop and has not by then is killed.
const STOP: Duration = Duration::from_secs(15);

/// All that runs.
#[derive(Default)]
pub struct Parts {
    /// In the order in which they were started.
    pub services: Vec<Part>,
    pub fleet: Option<Part>,
}

pub struct Part {
    pub name: &'static str,
    child: Child,
    pub output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Parts {
    /// In the reverse order, so that nobody talks to a part that is gone.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut fleet) = self.fleet.take() {
            // It has ended after its own goodbye, or something broke and there is nobody to publish to.
            fleet.kill().await;
        }
        let mut result = Ok(());
        while let Some(part) = self.services.last_mut() {
            if let Err(error) = part.stop().await {
                complain(&error);
                result = Err(error);
            }
            self.services.pop();
        }
        result
    }

    pub async fn kill(&mut self) {
        for mut part in self.fleet.take().into_iter().chain(self.services.drain(..).rev()) {
            part.kill().await;
        }
    }
}

impl Part {
    /// Starts `program`, found beside this very program, with its log in `logs`.
    pub fn start(name: &'static str, program: &str, args: &[String], logs: &Path) -> Result<Self> {
        let here = std::env::current_exe()?;
        let path = here.parent().context("this program is in no folder")?.join(program);
        let log = logs.join(format!("{name}.log"));
        let stderr = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = Command::new(&path)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            // A group of its own: Ctrl-C reaches the launcher, which stops its parts in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", path.display()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        Ok(Self { name, child, output: BufReader::new(stdout).lines(), log })
    }

    /// Waits for the one line that a service prints when it serves.
    pub async fn ready(&mut self) -> Result<String> {
        match timeout(READY, self.output.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(_) => {
                let _ = timeout(STOP, self.child.wait()).await;
                bail!("{} did not start: {}", self.name, self.last_words())
            }
            Err(_) => {
                bail!("{} was not ready within {} s: {}", self.name, READY.as_secs(), self.last_words())
            }
        }
    }

    /// `Some` when it has ended although nobody asked it to.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The end of its log: what it said before it died.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(3).collect();
        let words: Vec<&str> = lines.into_iter().rev().collect();
        if words.is_empty() { "it said nothing".into() } else { words.join(" | ") }
    }

    pub async fn terminate(&self) {
        if let Some(id) = self.child.id() {
            // std has no signal but KILL; `kill` is in every POSIX shell and base system.
            let _ = Command::new("kill").arg(id.to_string()).stderr(Stdio::null()).status().await;
        }
    }

    /// SIGTERM, and SIGKILL for who does not hear; says which it took.
    pub async fn stop(&mut self) -> Result<()> {
        self.terminate().await;
        match timeout(STOP, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !status.success() {
                    bail!("{} ended with {status}: {}", self.name, self.last_words());
                }
                Ok(())
            }
            Err(_) => {
                self.child.kill().await?;
                bail!("{} did not stop within {} s and was killed", self.name, STOP.as_secs())
            }
        }
    }

    /// SIGKILL; returns when it is gone and writes no more.
    pub async fn kill(&mut self) {
        // One that has ended already cannot be killed, and need not.
        let _ = self.child.kill().await;
    }

    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }
}
