//! `devices-sim replay`: recorded devices.

use std::{fs::File, io::Read, process::ExitCode};

use anyhow::Context;
use tracing::{info, warn};

use crate::{
    config::ReplayArgs,
    dry_run,
    run::{self, Plan},
    trace::{self, Trace},
};

/// A bigger file is not read into memory.
const FILE_BYTES_MAX: u64 = 1 << 30;

pub fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let name = args.file.display();
    let file = File::open(&args.file).with_context(|| format!("cannot read {name}"))?;
    let bytes = file.metadata().with_context(|| format!("cannot read {name}"))?.len();
    anyhow::ensure!(
        bytes <= FILE_BYTES_MAX,
        "{name} has {bytes} bytes, more than the {FILE_BYTES_MAX} that fit"
    );
    let trace = trace::read(file.take(FILE_BYTES_MAX), &args.fleet, args.max_gap.0)
        .with_context(|| format!("cannot replay {name}"))?;
    tell(&trace, &args);
    anyhow::ensure!(!trace.fixes.is_empty(), "{name} has no row that can be published");
    let Trace { fixes, devices, .. } = trace;
    if args.link.dry_run {
        dry_run::print(fixes.into_iter(), args.speed_up, args.seconds)?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = Plan { source: fixes.into_iter(), devices, speed_up: args.speed_up, seconds: args.seconds };
    run::run(plan, args.link)
}

fn tell(trace: &Trace, args: &ReplayArgs) {
    let long_s = match (trace.fixes.first(), trace.fixes.last()) {
        (Some((first, _)), Some((last, _))) => last.since_ms(*first) as f64 / 1_000.0 / args.speed_up.0,
        _ => 0.0,
    };
    info!(
        rows = trace.fixes.len(),
        vehicles = trace.devices.len(),
        wall_clock_s = long_s.round(),
        "replaying {}",
        args.file.display()
    );
    if trace.bad_rows.count > 0 {
        warn!(count = trace.bad_rows.count, "rows were left out: {}", trace.bad_rows.first.join("; "));
    }
}
