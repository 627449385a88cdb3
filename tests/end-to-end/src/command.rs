//! Programs that are run to their end.

use std::{
    io::{Read, Write},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

const DEADLINE: Duration = Duration::from_secs(40);

/// Whether a foreign program is here; when it is not, the test says that it was skipped.
pub fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        println!("skipped: {program} is not installed");
    }
    found.is_ok()
}

/// Runs a command with this standard input; one that does not end is killed.
pub fn run(command: &mut Command, input: &[u8]) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut stdin = child.stdin.take().context("standard input is a pipe")?;
    let mut stdout = child.stdout.take().context("standard output is a pipe")?;
    let mut stderr = child.stderr.take().context("standard error is a pipe")?;
    let input = input.to_vec();
    // A program that refuses its arguments does not read.
    thread::spawn(move || stdin.write_all(&input));
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        text
    });
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.read_to_end(&mut text);
        let _ = sender.send(text);
    });
    let Ok(stdout) = receiver.recv_timeout(DEADLINE) else {
        child.kill()?;
        child.wait()?;
        let said = errors.join().unwrap_or_default();
        bail!("{command:?} does not end: {}", String::from_utf8_lossy(&said));
    };
    let status = child.wait()?;
    Ok(Output { status, stdout, stderr: errors.join().unwrap_or_default() })
}

/// Runs a command that must succeed; its standard output.
pub fn output(command: &mut Command, input: &[u8]) -> Result<String> {
    let Output { status, stdout, stderr } = run(command, input)?;
    if !status.success() {
        bail!("{command:?} ended with {status}: {}", String::from_utf8_lossy(&stderr));
    }
    Ok(String::from_utf8(stdout)?)
}
