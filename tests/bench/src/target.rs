//! A broker under measurement: started for it, stopped after it, and what the kernel says of its process.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

const OURS: u16 = 19_192;
const THEIRS: u16 = 19_292;

pub struct Target {
    pub name: &'static str,
    pub bootstrap: String,
    /// From the start of the process to the first connection it took.
    pub started_in: Duration,
    pid: u32,
    stop: Stop,
    /// Deleted when dropped.
    _data: tempfile::TempDir,
}

enum Stop {
    Child(Child),
    Script(PathBuf),
}

impl Target {
    pub fn longhaul() -> Result<Self> {
        let here = std::env::current_exe()?;
        let program = here.with_file_name("core-broker");
        if !program.exists() {
            bail!("{} is not built: cargo build --release -p core-broker", program.display());
        }
        let data = tempfile::Builder::new().prefix("bench-").tempdir()?;
        let began = Instant::now();
        let mut child = Command::new(program)
            .args(["run", "--kafka", &format!("127.0.0.1:{OURS}"), "--quic", "127.0.0.1:0"])
            .args(["--admin", "off"])
            .arg("--data")
            .arg(data.path().join("data"))
            .arg("--certs")
            .arg(data.path().join("certs"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        Ok(Self {
            name: "longhaul",
            bootstrap: format!("127.0.0.1:{OURS}"),
            started_in: began.elapsed(),
            pid: child.id(),
            stop: Stop::Child(child),
            _data: data,
        })
    }

    pub fn apache_kafka(script: &Path) -> Result<Self> {
        let data = tempfile::Builder::new().prefix("bench-peer-").tempdir()?;
        // The jars are fetched once, beside the build.
        let home = std::env::current_exe()?.with_file_name("apache-kafka-peer");
        let run = |args: &[&str]| Command::new(script).args(args).env("KAFKA_PEER_DIR", &home).output();
        let failed = || format!("cannot run {}", script.display());
        run(&["install"]).with_context(failed)?;
        let began = Instant::now();
        let started = run(&["start", "1", &THEIRS.to_string()]).with_context(failed)?;
        if !started.status.success() {
            bail!("Apache Kafka did not start: {}", String::from_utf8_lossy(&started.stderr));
        }
        while TcpStream::connect(("127.0.0.1", THEIRS)).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let started_in = began.elapsed();
        let pids = String::from_utf8(run(&["pids"])?.stdout)?;
        let pid = pids.split_whitespace().nth(1).context("no pid")?.parse()?;
        let bootstrap = format!("127.0.0.1:{THEIRS}");
        let stop = Stop::Script(script.to_path_buf());
        Ok(Self { name: "apache-kafka", bootstrap, started_in, pid, stop, _data: data })
    }

    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid)
    }

    /// Resident memory in MB.
    pub fn resident_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
        Ok(kib * 1024.0 / 1e6)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        match &mut self.stop {
            Stop::Child(child) => {
                // Measured and done: nothing of it is wanted.
                let _ = child.kill();
                let _ = child.wait();
            }
            Stop::Script(script) => {
                let home = std::env::current_exe().map(|here| here.with_file_name("apache-kafka-peer"));
                if let Ok(home) = home {
                    let _ = Command::new(script).arg("stop").env("KAFKA_PEER_DIR", home).output();
                }
            }
        }
    }
}

/// Seconds of processor time that a process has used, all threads.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0; // USER_HZ, the same on every Linux
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().context("stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok());
    Ok((ticks(11).context("utime")? + ticks(12).context("stime")?) / TICKS_PER_SECOND)
}
