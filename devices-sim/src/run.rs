//! A run from the first fix to the summary: publish, drain, linger, goodbye.

use std::{
    collections::BTreeMap,
    future::Future,
    io::{self, Write},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use fleet_events::{Timestamp, VehicleId};
use sim_logic::Publish;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tracing::{info, warn};

use crate::{
    alerts::Alert,
    config::{LinkArgs, SpeedUp},
    ledger::Ledger,
    mqtt::{self, Identity, Report, Wiring},
    pace::{Pace, Progress},
    tally::Tally,
};

/// Reports on their way to the tally; devices wait when it is full.
const REPORTS: usize = 1_024;
/// At the end the broker has this long for what it owes.
const DRAIN: Duration = Duration::from_secs(20);
/// Without `--status-json` a line for humans comes this often, in ticks of a second.
const HUMAN_TICKS: u64 = 10;
/// Devices say goodbye within this.
const GOODBYE: Duration = Duration::from_secs(3);
/// No device ever connected.
const NO_BROKER: u8 = 2;

/// What to publish, and how fast.
pub struct Plan<S> {
    pub source: S,
    pub devices: Vec<Identity>,
    pub speed_up: SpeedUp,
    pub seconds: Option<u64>,
}

/// Publishes the plan over MQTT. The exit code tells whether every fix was acknowledged.
pub fn run<S>(plan: Plan<S>, link: LinkArgs) -> anyhow::Result<ExitCode>
where
    S: Iterator<Item = (Timestamp, Publish)> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let ledger = link.ledger.as_deref().map(Ledger::append_to).transpose()?;
        let (run, pace) = Run::start(&plan, &link, ledger);
        run.complete(pace.run(plan.source), plan.seconds).await
    })
}

struct Run {
    link: LinkArgs,
    tally: Tally,
    reports: mpsc::Receiver<Report>,
    progress: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
    devices: JoinSet<()>,
    ticks: u64,
    /// Nothing more will be published.
    over: bool,
    drained: bool,
}

impl Run {
    /// Sets the devices going; the pace has the queues that feed them.
    fn start<S>(plan: &Plan<S>, link: &LinkArgs, ledger: Option<Ledger>) -> (Self, Pace) {
        let (report, reports) = mpsc::channel(REPORTS);
        let (stop, stopped) = watch::channel(false);
        let (told, progress) = watch::channel(Progress::default());
        let mut queues = BTreeMap::new();
        let mut devices = JoinSet::new();
        for identity in &plan.devices {
            let (queue, fixes) = mpsc::channel(mqtt::QUEUE);
            queues.insert(identity.vehicle_id.clone(), queue);
            let wiring = Wiring { fixes, reports: report.clone(), stop: stopped.clone() };
            devices.spawn(mqtt::run(identity.clone(), link.mqtt.clone(), wiring));
        }
        let tally = Tally::new(plan.devices.len(), link.mqtt.to_string(), ledger);
        let run = Self {
            link: link.clone(),
            tally,
            reports,
            progress,
            stop,
            devices,
            ticks: 0,
            over: false,
            drained: false,
        };
        (run, Pace { speed_up: plan.speed_up, devices: queues, progress: told })
    }

    async fn complete(
        mut self,
        pacing: impl Future<Output = ()> + Send + 'static,
        seconds: Option<u64>,
    ) -> anyhow::Result<ExitCode> {
        let mut signalled = pin!(service::stop_signal());
        let give_up = sleep(self.link.connect_timeout.0);
        let interrupted = tokio::select! {
            outcome = self.serve(give_up, |tally, _| tally.ever_connected) => {
                if !outcome? {
                    eprintln!(
                        "devices-sim: no MQTT broker answered at {} in {}; start one, or name it with --mqtt HOST:PORT",
                        self.link.mqtt, self.link.connect_timeout
                    );
                    return Ok(ExitCode::from(NO_BROKER));
                }
                false
            }
            _ = &mut signalled => true,
        };
        if !interrupted {
            self.publish(pacing, seconds, signalled.as_mut()).await?;
        }
        self.drain().await?;
        self.linger().await?;
        self.finish().await
    }

    /// Until the source, the time or the operator's patience ends.
    async fn publish(
        &mut self,
        pacing: impl Future<Output = ()> + Send + 'static,
        seconds: Option<u64>,
        signalled: impl Future<Output = io::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut pacing = tokio::spawn(pacing);
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let ended = async {
            tokio::select! {
                joined = &mut pacing => joined.context("the simulation failed"),
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => Ok(()),
                signalled = signalled => signalled.context("cannot listen for signals"),
            }
        };
        let outcome = tokio::select! {
            outcome = ended => outcome,
            served = self.serve(std::future::pending(), |_, _| false) => served.map(drop),
        };
        // A fix that was waiting for its device was never handed out, and is not owed.
        if !pacing.is_finished() {
            pacing.abort();
            let _ = pacing.await;
        }
        self.over = true;
        outcome
    }

    /// Waits for what is owed; a second signal ends the wait.
    async fn drain(&mut self) -> anyhow::Result<()> {
        let deadline = sleep(DRAIN);
        let signal = async { service::stop_signal().await.context("cannot listen for signals") };
        tokio::select! {
            outcome = self.serve(deadline, |tally, progress| tally.complete(progress)) => self.drained = outcome?,
            _ = signal => {}
        }
        if self.drained {
            self.show_status(false)?;
        } else {
            warn!("the broker did not acknowledge everything in {} s", DRAIN.as_secs());
        }
        Ok(())
    }

    async fn linger(&mut self) -> anyhow::Result<()> {
        if self.link.linger == 0 || !self.drained {
            return Ok(());
        }
        info!(seconds = self.link.linger, "all is acknowledged; listening for alerts");
        let over = sleep(Duration::from_secs(self.link.linger));
        tokio::select! {
            outcome = self.serve(over, |_, _| false) => { outcome?; }
            _ = service::stop_signal() => {}
        }
        Ok(())
    }

    async fn finish(mut self) -> anyhow::Result<ExitCode> {
        // Devices may be gone already.
        let _ = self.stop.send(true);
        let goodbye = async {
            loop {
                tokio::select! {
                    Some(report) = self.reports.recv() => self.take(report)?,
                    joined = self.devices.join_next() => match joined {
                        Some(joined) => joined.context("a device failed")?,
                        None => return anyhow::Ok(()),
                    },
                }
            }
        };
        if let Ok(outcome) = timeout(GOODBYE, goodbye).await {
            outcome?;
        }
        while let Ok(report) = self.reports.try_recv() {
            self.take(report)?;
        }
        self.tally.flush()?;
        self.show_status(true)?;
        let status = self.tally.status(self.progress(), self.drained, true);
        if !self.link.status_json {
            print_line(&format!("done: {status}"));
        }
        if self.tally.unreadable_alerts() > 0 {
            warn!(count = self.tally.unreadable_alerts(), "alerts came that no cab could read");
        }
        if status.unacknowledged + status.waiting == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!(
            "devices-sim: {} fixes were published and not acknowledged, {} never published",
            status.unacknowledged, status.waiting
        );
        Ok(ExitCode::FAILURE)
    }

    /// Takes reports and shows the status until `over`, or until the condition holds: then true.
    async fn serve(
        &mut self,
        over: impl Future<Output = ()>,
        met: impl Fn(&Tally, Progress) -> bool,
    ) -> anyhow::Result<bool> {
        let mut over = pin!(over);
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        loop {
            if met(&self.tally, self.progress()) {
                return Ok(true);
            }
            tokio::select! {
                () = &mut over => return Ok(false),
                _ = tick.tick() => {
                    self.tally.flush()?;
                    self.show_status(false)?;
                }
                report = self.reports.recv() => self.take(report.context("all devices are gone")?)?,
            }
        }
    }

    /// A simulation that has ended is not behind.
    fn progress(&self) -> Progress {
        let progress = *self.progress.borrow();
        Progress { due: progress.due.filter(|_| !self.over), ..progress }
    }

    fn take(&mut self, report: Report) -> anyhow::Result<()> {
        match self.tally.note(report)? {
            Some((cab, alert)) if self.link.print_alerts => self.print_alert(&cab, &alert),
            _ => {}
        }
        Ok(())
    }

    fn print_alert(&self, cab: &VehicleId, alert: &Alert) {
        let line = format!("alert {cab} {} {} {}: {}", alert.ts, alert.kind, alert.alert_id, alert.message);
        // Escaped: a message from the network does not get to steer a terminal.
        let line = line.escape_debug().to_string();
        if self.link.status_json { eprintln!("{line}") } else { print_line(&line) }
    }

    fn show_status(&mut self, done: bool) -> anyhow::Result<()> {
        let status = self.tally.status(self.progress(), self.drained, done);
        self.ticks += 1;
        if self.link.status_json {
            print_line(&status.json()?);
        } else if self.ticks.is_multiple_of(HUMAN_TICKS) && !done {
            info!("{status}");
        }
        Ok(())
    }
}

fn print_line(line: &str) {
    let mut out = io::stdout().lock();
    // A reader that goes away is no reason to stop publishing.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
