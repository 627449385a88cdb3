//! One test's world: a folder, ports, and the processes that were started in it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{Fleet, Process, free_address, programs::program};

/// No test takes longer; what hangs has failed.
const DEADLINE: Duration = Duration::from_secs(120);

/// Where each service listens, and where everything is kept.
pub struct Scene {
    folder: tempfile::TempDir,
    pub kafka: SocketAddr,
    pub quic: SocketAddr,
    pub mqtt: SocketAddr,
    /// The broker's pages for operators.
    pub admin: SocketAddr,
}

/// Runs a test in a world of its own; when it fails, the logs of its processes are printed.
pub fn scene(test: impl FnOnce(&Scene) -> Result<()>) {
    program(""); // built outside of the deadline
    let scene = Scene {
        folder: folder().expect("a temporary folder"),
        kafka: free_address(),
        quic: free_address(),
        mqtt: free_address(),
        admin: free_address(),
    };
    std::fs::create_dir_all(scene.logs()).expect("a folder for logs");
    let _watchdog = Watchdog::start(scene.logs());
    let shown = ShownOnPanic(&scene);
    if let Err(error) = test(&scene) {
        panic!("{error:#}");
    }
    drop(shown);
}

impl Scene {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn bootstrap(&self) -> String {
        self.kafka.to_string()
    }

    /// Starts one of the project's programs.
    pub fn start(&self, name: &str, program_name: &str, args: &[&str]) -> Result<Process> {
        self.start_path(name, program(program_name), args)
    }

    pub fn start_path(&self, name: &str, path: PathBuf, args: &[&str]) -> Result<Process> {
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        Process::start(name, path, &args, &self.logs())
    }

    /// A broker that serves.
    pub fn broker(&self) -> Result<Process> {
        self.broker_in(&self.path("core-broker"))
    }

    pub fn broker_in(&self, data: &Path) -> Result<Process> {
        self.broker_with(data, &[])
    }

    /// A broker with a config file of these lines. Its first listener is the scene's.
    pub fn broker_configured(&self, config: &str) -> Result<Process> {
        let file = self.path("core-broker.toml");
        std::fs::write(&file, config)?;
        self.broker_with(&self.path("core-broker"), &["--config", &file.to_string_lossy()])
    }

    fn broker_with(&self, data: &Path, more: &[&str]) -> Result<Process> {
        let words = self.broker_words(data);
        let args: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let mut broker = self.start("core-broker", "core-broker", &args)?;
        broker.ready()?;
        Ok(broker)
    }

    /// The command line of a broker, behind the program.
    pub fn broker_words(&self, data: &Path) -> Vec<String> {
        let (data, certs) = (data.display().to_string(), self.path("certs").display().to_string());
        let [kafka, quic, admin] = [self.kafka, self.quic, self.admin].map(|address| address.to_string());
        let named =
            [("--data", data), ("--certs", certs), ("--kafka", kafka), ("--quic", quic), ("--admin", admin)];
        let named = named.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        ["run".to_owned()].into_iter().chain(named).collect()
    }

    /// An agent that serves.
    pub fn agent(&self) -> Result<Process> {
        self.agent_in(&self.path("edge-agent"))
    }

    pub fn agent_in(&self, data: &Path) -> Result<Process> {
        let mut agent = self.start(
            "edge-agent",
            "edge-agent",
            &[
                "run",
                "--data",
                &data.to_string_lossy(),
                "--mqtt",
                &self.mqtt.to_string(),
                "--uplink",
                &self.quic.to_string(),
                "--certs",
                &self.path("certs").to_string_lossy(),
            ],
        )?;
        agent.ready()?;
        Ok(agent)
    }

    /// `velocity` or `driver-break`, consuming.
    pub fn app(&self, name: &str) -> Result<Process> {
        let mut app = self.start(name, "stream-apps", &[name, "--bootstrap", &self.bootstrap()])?;
        app.ready()?;
        Ok(app)
    }

    /// Devices that publish to the agent: `fleet` or `replay` with its arguments.
    pub fn devices(&self, args: &[&str]) -> Result<Fleet> {
        let ledger = self.path("acknowledged.ledger");
        let (mqtt, ledger_path) = (self.mqtt.to_string(), ledger.display().to_string());
        let mut all = args.to_vec();
        all.extend(["--mqtt", &mqtt, "--ledger", &ledger_path, "--status-json"]);
        Ok(Fleet::new(self.start("devices-sim", "devices-sim", &all)?, ledger))
    }

    fn logs(&self) -> PathBuf {
        self.path("log")
    }
}

/// Deleted with the test, unless LONGHAUL_TEST_KEEP is set.
fn folder() -> std::io::Result<tempfile::TempDir> {
    let keep = std::env::var_os("LONGHAUL_TEST_KEEP").is_some();
    tempfile::Builder::new().prefix("longhaul-test-").disable_cleanup(keep).tempdir()
}

struct ShownOnPanic<'a>(&'a Scene);

impl Drop for ShownOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            show_logs(&self.0.logs());
        }
    }
}

/// Ends the program when a test does not end.
struct Watchdog {
    /// Dropped with the test: then there is nothing to watch.
    _done: mpsc::Sender<()>,
}

impl Watchdog {
    fn start(logs: PathBuf) -> Self {
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let (done, over) = mpsc::channel();
        let until = Instant::now() + DEADLINE;
        thread::spawn(move || {
            let left = until.saturating_duration_since(Instant::now());
            if over.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                show_logs(&logs);
                eprintln!("{name} hangs: not over within {DEADLINE:?}");
                std::process::exit(101);
            }
        });
        Self { _done: done }
    }
}

/// The last lines of every log.
fn show_logs(folder: &Path) {
    const LINES: usize = 60;
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(LINES);
        eprintln!("---- {} (last {} of {} lines)", path.display(), lines.len() - first, lines.len());
        eprintln!("{}", lines[first..].join("\n"));
    }
}
