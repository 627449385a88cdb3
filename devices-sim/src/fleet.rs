//! `devices-sim fleet`: simulated devices.

use std::process::ExitCode;

use sim_logic::{Faults, Fleet, FleetConfig};
use tracing::info;

use crate::{
    config::FleetArgs,
    dry_run,
    mqtt::Identity,
    run::{self, Plan},
};

pub fn run(args: FleetArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.trucks + args.persons > 0, "a fleet needs a truck or a person");
    let config = FleetConfig {
        trucks: args.trucks,
        persons: args.persons,
        start: args.start,
        truck_interval_s: args.truck_interval,
        person_interval_s: args.person_interval,
        offenders: args.offenders,
        faults: Faults { duplicate: args.duplicates, reorder: args.reorder },
    };
    let fleet = Fleet::new(args.seed, &config);
    if args.link.dry_run {
        dry_run::print(fleet, args.speed_up, args.seconds)?;
        return Ok(ExitCode::SUCCESS);
    }
    let devices: Vec<Identity> = fleet
        .devices()
        .map(|(fleet, vehicle_id)| Identity { fleet: fleet.clone(), vehicle_id: vehicle_id.clone() })
        .collect();
    info!(
        trucks = args.trucks,
        persons = args.persons,
        offenders = fleet.offenders().count(),
        seed = args.seed,
        start = %args.start,
        speed_up = args.speed_up.0,
        "the fleet sets out"
    );
    run::run(Plan { source: fleet, devices, speed_up: args.speed_up, seconds: args.seconds }, args.link)
}
