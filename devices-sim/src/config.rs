//! The command line. Every default is printed by `--help` and has its reason here.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand};
use fleet_events::{Timestamp, VehicleId};
use service::Period;

/// A simulated fleet: trucks and watches that publish GPS over MQTT.
#[derive(Debug, Parser)]
#[command(name = "devices-sim", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: service::LogFlags,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive simulated trucks and persons; one seed gives the same fixes
    Fleet(FleetArgs),
    /// Publish a recorded trace from a CSV file
    Replay(ReplayArgs),
    /// Run a stock MQTT broker (rumqttd), to watch a fleet without an edge agent
    Broker(BrokerArgs),
}

#[derive(Debug, ClapArgs)]
#[command(max_term_width = 110)]
pub struct FleetArgs {
    /// How many trucks drive
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub trucks: u32,
    /// How many persons walk and run
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub persons: u32,
    /// One seed gives the same fixes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Event time at which the drivers begin their day
    #[arg(long, value_name = "RFC3339", default_value = "2026-03-02T06:00:00Z")]
    pub start: Timestamp,
    /// Seconds of event time in one second; at 300, 4:30 h of driving take 54 s
    #[arg(long, value_name = "X", default_value = "300")]
    pub speed_up: SpeedUp,
    /// Seconds of wall clock to run [default: until stopped]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Event time between two fixes of a truck
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = whole_seconds)]
    pub truck_interval: u32,
    /// Event time between two fixes of a person
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = whole_seconds)]
    pub person_interval: u32,
    /// Share of drivers who skip or shorten their break
    #[arg(long, value_name = "SHARE", default_value = "0.15", value_parser = share)]
    pub offenders: f64,
    /// Share of fixes published twice
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub duplicates: f64,
    /// Share of fixes held back up to 5 s of event time
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub reorder: f64,
    #[command(flatten)]
    pub link: LinkArgs,
}

#[derive(Debug, ClapArgs)]
#[command(max_term_width = 110)]
pub struct ReplayArgs {
    /// CSV with the columns vehicle_id, timestamp, lat, lon and, if any, speed_mps, altitude_m
    pub file: PathBuf,
    /// Seconds of event time in one second
    #[arg(long, value_name = "X", default_value = "60")]
    pub speed_up: SpeedUp,
    /// Level of the MQTT topic; auto: persons for fit-* and person*, else trucks
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub fleet: VehicleId,
    /// A time without any fix in the file is shortened to this
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = period)]
    pub max_gap: Period,
    /// Seconds of wall clock to run [default: to the end of the file]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    #[command(flatten)]
    pub link: LinkArgs,
}

/// What every way of publishing has in common.
#[derive(Debug, Clone, ClapArgs)]
pub struct LinkArgs {
    /// Edge agent or MQTT broker
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883", env = "LONGHAUL_MQTT")]
    pub mqtt: Address,
    /// Give up (exit 2) if no device ever connected in this time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = period)]
    pub connect_timeout: Period,
    /// Seconds to listen for alerts after the last acknowledgement
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub linger: u64,
    /// Append a line for each acknowledged fix: fleet vehicle_id boot_id seq ts
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Print a line of JSON each second
    #[arg(long)]
    pub status_json: bool,
    /// Print each alert that a cab hears
    #[arg(long)]
    pub print_alerts: bool,
    /// Print topic, tab, JSON instead of publishing, unpaced
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct BrokerArgs {
    /// Where to listen
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883", env = "LONGHAUL_MQTT")]
    pub mqtt: Address,
}

/// `host:port`; the host keeps the brackets of an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        match parts {
            Some((host, port)) if !host.is_empty() && port != 0 => Ok(Self { host: host.to_owned(), port }),
            _ => Err("not HOST:PORT, for example 127.0.0.1:1883".to_owned()),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Event time over wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedUp(pub f64);

impl FromStr for SpeedUp {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(factor) if (0.01..=1_000_000.0).contains(&factor) => Ok(Self(factor)),
            _ => Err("not a factor from 0.01 to 1000000".to_owned()),
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "not a share from 0 to 1".to_owned())
}

/// A time with a unit, or plain seconds as in `--seconds` and `--linger`.
fn period(text: &str) -> Result<Period, String> {
    text.parse::<u32>().map(|seconds| Period(Duration::from_secs(seconds.into()))).or_else(|_| text.parse())
}

fn whole_seconds(text: &str) -> Result<u32, String> {
    let Period(interval) = period(text)?;
    match u32::try_from(interval.as_secs()) {
        Ok(seconds @ 1..=86_400) if interval.subsec_nanos() == 0 => Ok(seconds),
        _ => Err("not whole seconds from 1s to 1d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_its_defaults_parse() {
        Args::command().debug_assert();
        let Command::Fleet(fleet) = Args::parse_from(["devices-sim", "fleet"]).command else { panic!() };
        assert_eq!((fleet.trucks, fleet.persons, fleet.speed_up), (25, 5, SpeedUp(300.0)));
        assert!(Args::try_parse_from(["devices-sim", "replay", "x.csv"]).is_ok());
    }

    #[test]
    fn the_help_of_each_command_fits_a_screen() {
        for mut command in Args::command().get_subcommands().cloned().collect::<Vec<_>>() {
            let lines = command.render_help().to_string().lines().count();
            assert!(lines <= 40, "{} has {lines} lines of help", command.get_name());
        }
    }

    #[test]
    fn addresses_factors_and_shares_are_checked() {
        for good in ["127.0.0.1:1883", "edge:1", "[::1]:1883"] {
            assert_eq!(good.parse::<Address>().map(|address| address.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "host", ":1883", "host:", "host:0", "host:65536"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!(["0", "-1", "NaN", "inf", "x"].iter().all(|bad| bad.parse::<SpeedUp>().is_err()));
        assert!(["-0.1", "1.1", "NaN"].iter().all(|bad| share(bad).is_err()));
        assert!(["0s", "1500ms", "2d", "x"].iter().all(|bad| whole_seconds(bad).is_err()));
        assert_eq!((whole_seconds("1min"), whole_seconds("20")), (Ok(60), Ok(20)));
    }
}
