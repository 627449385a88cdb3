//! The demo from the first process to the verdict.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{
    args::Args,
    parts::{Part, Parts},
    say::say,
    status::{self, Devices, Flow, Start},
    stop::{self, Asked, asked},
    topics,
    verdict::{self, Verdict},
};

/// How long the cabs listen after the last fix: an alert needs a second or two from the fix to the cab.
const LINGER_S: u64 = 5;

/// How long what was acknowledged may take to reach its topic once the fleet stands still.
const SETTLE: Duration = Duration::from_secs(60);

pub enum Outcome {
    Exact,
    NotExact,
    /// Somebody did not want to wait.
    Killed,
}

/// Runs until `--seconds` or a signal.
pub async fn run(args: Args) -> Result<Outcome> {
    check_addresses(&args)?;
    if let Some(file) = &args.replay {
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let mut stop = stop::listen().context("cannot listen for signals")?;
    let temporary = match &args.data {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("longhaul-demo-").tempdir()?),
    };
    let data = match (&args.data, &temporary) {
        (Some(data), _) => data.clone(),
        (None, Some(temporary)) => temporary.path().to_path_buf(),
        (None, None) => unreachable!("one of the two was just made"),
    };
    service::writable_folder(&data)?;
    let data = std::path::absolute(data)?;

    let mut parts = Parts::default();
    let mut patience = stop.clone();
    let result = tokio::select! {
        result = live(&args, &data, &mut parts, &mut stop) => result,
        () = asked(&mut patience, Asked::Kill) => {
            parts.kill().await;
            Ok(Outcome::Killed)
        }
    };
    if let Some(temporary) = temporary {
        temporary.close().context("cannot delete the temporary folder")?;
    } else {
        say!("data kept in {}", data.display());
    }
    result
}

/// From the first part's start to the last one's end.
async fn live(
    args: &Args,
    data: &Path,
    parts: &mut Parts,
    stop: &mut watch::Receiver<Asked>,
) -> Result<Outcome> {
    let start = tokio::select! {
        start = serve(args, data, &mut parts.services) => start,
        () = asked(stop, Asked::Stop) => Err(anyhow::anyhow!("stopped before everything was up")),
    };
    let outcome = match start {
        Ok(start) => flow(args, data, parts, start, stop).await,
        Err(error) => Err(error),
    };
    let stopped = parts.stop().await;
    let outcome = outcome?;
    stopped?;
    Ok(outcome)
}

/// A taken port is one sentence now, not a dead part in the middle.
fn check_addresses(args: &Args) -> Result<()> {
    let tcp = [("kafka", args.kafka), ("mqtt", args.mqtt), ("dashboard", args.dashboard)];
    for (flag, address) in tcp {
        if flag == "dashboard" && args.no_dashboard {
            continue;
        }
        TcpListener::bind(address).with_context(|| taken(flag, address))?;
    }
    UdpSocket::bind(args.quic).with_context(|| taken("quic", args.quic))?;
    Ok(())
}

fn taken(flag: &str, address: SocketAddr) -> String {
    format!("cannot use {address}: stop what listens there, or give another address with --{flag} HOST:PORT")
}

/// Starts every service and waits for each; where the topics stood then.
async fn serve(args: &Args, data: &Path, services: &mut Vec<Part>) -> Result<Start> {
    let logs = data.join("log");
    std::fs::create_dir_all(&logs)?;
    let certs = data.join("certs");
    certs::development(&certs)?;
    say!("certs         development CA in {}", certs.display());

    let path = |name: &str| data.join(name).display().to_string();
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    let (kafka, quic, mqtt) = (args.kafka.to_string(), args.quic.to_string(), args.mqtt.to_string());
    let dashboard = args.dashboard.to_string();
    let (broker_data, agent_data, certs) = (path("core-broker"), path("edge-agent"), path("certs"));
    let mut plan = vec![
        (
            "core-broker",
            "core-broker",
            words(&[
                "run",
                "--data",
                &broker_data,
                "--kafka",
                &kafka,
                "--quic",
                &quic,
                "--certs",
                &certs,
                "--admin",
                "off",
            ]),
        ),
        (
            "edge-agent",
            "edge-agent",
            words(&["run", "--data", &agent_data, "--mqtt", &mqtt, "--uplink", &quic, "--certs", &certs]),
        ),
        ("velocity", "stream-apps", words(&["velocity", "--bootstrap", &kafka])),
        ("driver-break", "stream-apps", words(&["driver-break", "--bootstrap", &kafka])),
    ];
    if !args.no_dashboard {
        plan.push((
            "dashboard",
            "stream-apps",
            words(&["dashboard", "--bootstrap", &kafka, "--dashboard", &dashboard]),
        ));
    }
    let mut start = None;
    for (name, program, words) in plan {
        services.push(Part::start(name, program, &words, &logs)?);
        let part = services.last_mut().context("just started")?;
        say!("{name:<13} {}", part.ready().await?);
        if name == "core-broker" {
            // Before any fix: a data folder that was kept may hold those of an earlier run.
            let bootstrap = kafka.clone();
            start = Some(blocking(move || Start::now(&topics::consumer(&bootstrap)?)).await?);
        }
    }
    start.context("no broker was started")
}

/// The fleet drives; then everything settles and is counted.
async fn flow(
    args: &Args,
    data: &Path,
    parts: &mut Parts,
    start: Start,
    stop: &mut watch::Receiver<Asked>,
) -> Result<Outcome> {
    let bootstrap = args.kafka.to_string();
    let ledger = data.join("acknowledged.ledger");
    forget_earlier_runs(&ledger)?;
    let fleet = Part::start("devices-sim", "devices-sim", &fleet_args(args, &ledger), &data.join("log"))?;
    let Parts { services, fleet: place } = parts;
    let fleet = place.insert(fleet);
    say!("devices-sim   {}", fleet_sentence(args));
    if !args.no_dashboard {
        say!("\nwatch it:     http://{}\n", args.dashboard);
    }
    let flow = status::watch(bootstrap.clone(), start.clone());
    let began = Instant::now();
    let mut devices = Devices::default();
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked_to_stop = false;
    loop {
        tokio::select! {
            line = fleet.output.next_line() => match line? {
                Some(line) => devices = serde_json::from_str(&line).unwrap_or(devices),
                None => break,
            },
            _ = tick.tick() => {
                say!("{}", status::line(&devices, &lock(&flow)));
                watch_services(services)?;
                let over = args.seconds.is_some_and(|seconds| began.elapsed().as_secs() >= seconds);
                if over && !asked_to_stop {
                    asked_to_stop = true;
                    fleet.terminate().await;
                }
            }
            () = asked(stop, Asked::Stop), if !asked_to_stop => {
                asked_to_stop = true;
                fleet.terminate().await;
            }
        }
    }
    let fleet_status = fleet.wait().await?;
    if devices.published == 0 {
        bail!("the fleet published nothing: {}", fleet.last_words());
    }
    settle(&bootstrap, &start, &devices, services).await?;
    let verdict = blocking(move || verdict::reach(&bootstrap, &start, &ledger)).await?;
    summary(&devices, &verdict, fleet_status.success());
    Ok(if verdict.exact() && fleet_status.success() { Outcome::Exact } else { Outcome::NotExact })
}

/// The fleet appends to its ledger, but the verdict reads only what the topics got since this start.
fn forget_earlier_runs(ledger: &Path) -> Result<()> {
    match std::fs::remove_file(ledger) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error)
            .with_context(|| format!("cannot delete the ledger of an earlier run {}", ledger.display())),
        _ => Ok(()),
    }
}

fn fleet_args(args: &Args, ledger: &Path) -> Vec<String> {
    let mut words: Vec<String> = match &args.replay {
        Some(file) => {
            let speed_up = args.speed_up.unwrap_or(100.0);
            vec!["replay".into(), file.display().to_string(), "--speed-up".into(), speed_up.to_string()]
        }
        None => vec![
            "fleet".into(),
            format!("--trucks={}", args.trucks),
            format!("--persons={}", args.persons),
            format!("--seed={}", args.seed),
            format!("--speed-up={}", args.speed_up.unwrap_or(300.0)),
        ],
    };
    words.extend([format!("--mqtt={}", args.mqtt), format!("--ledger={}", ledger.display())]);
    words.extend([format!("--linger={LINGER_S}"), "--status-json".into()]);
    words
}

fn fleet_sentence(args: &Args) -> String {
    match &args.replay {
        Some(file) => {
            format!("replays {} at {} times its speed", file.display(), args.speed_up.unwrap_or(100.0))
        }
        None => format!(
            "{} trucks and {} persons, seed {}, {} s of event time a second",
            args.trucks,
            args.persons,
            args.seed,
            args.speed_up.unwrap_or(300.0)
        ),
    }
}

/// What is acknowledged is on the agent's disk; it is in its topic once the agent has sent it. The apps are
/// done when their topics have stopped growing.
async fn settle(bootstrap: &str, start: &Start, devices: &Devices, services: &mut [Part]) -> Result<()> {
    let consumer = Arc::new(topics::consumer(bootstrap)?);
    let until = Instant::now() + SETTLE;
    let mut before = (-1, -1);
    let mut tick = interval(Duration::from_millis(500));
    loop {
        tick.tick().await;
        watch_services(services)?;
        let (consumer, start) = (consumer.clone(), start.clone());
        let (stored, derived) = blocking(move || {
            let stored = start.count(&consumer, &[status::GPS[0], status::GPS[1], "gps_rejected"])?;
            let derived =
                start.count(&consumer, &[status::VELOCITY[0], status::VELOCITY[1], status::ALERTS])?;
            Ok((stored, derived))
        })
        .await?;
        if stored >= devices.acknowledged as i64 && (stored, derived) == before {
            return Ok(());
        }
        if Instant::now() > until {
            say!(
                "{} s were not enough: {stored} of {} acknowledged fixes have reached their topics",
                SETTLE.as_secs(),
                devices.acknowledged
            );
            return Ok(());
        }
        before = (stored, derived);
    }
}

fn summary(devices: &Devices, verdict: &Verdict, fleet_ok: bool) {
    say!("\nsummary");
    say!("  fixes        {} published, {} acknowledged", devices.published, devices.acknowledged);
    say!(
        "  in topics    {} ({} of them rejected with a reason); of the {} in the ledger {} are missing, {} are \
         there more than once",
        verdict.in_topics,
        verdict.rejected,
        verdict.acknowledged,
        verdict.missing,
        verdict.doubled
    );
    say!("  velocities   {}, {} doubled", verdict.velocities, verdict.velocities_doubled);
    say!(
        "  alerts       {} raised, {} doubled; {} heard in cabs",
        verdict.alerts,
        verdict.alerts_doubled,
        devices.alerts_heard
    );
    match (verdict.exact(), fleet_ok) {
        (true, true) => say!("  every acknowledged fix is in its topic exactly once"),
        (true, false) => {
            say!("  some fixes were never acknowledged; what was acknowledged is stored exactly once")
        }
        (false, _) => say!("  NOT EXACT: see the figures above"),
    }
}

fn watch_services(services: &mut [Part]) -> Result<()> {
    for part in services {
        if let Some(status) = part.ended() {
            bail!("{} ended by itself with {status}: {}", part.name, part.last_words());
        }
    }
    Ok(())
}

fn lock(flow: &Arc<Mutex<Flow>>) -> Flow {
    flow.lock().map(|flow| flow.clone()).unwrap_or_default()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("a thread died")?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_of_an_earlier_run_is_not_counted_again() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("acknowledged.ledger");
        std::fs::write(&ledger, "trucks truck-001 sim-1 7 1970-01-01T00:00:01.500Z\n").unwrap();
        for _ in 0..2 {
            forget_earlier_runs(&ledger).unwrap();
            assert!(!ledger.exists());
        }
        assert!(forget_earlier_runs(folder.path()).is_err(), "a folder is no ledger");
    }
}
