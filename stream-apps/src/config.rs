//! Flags over environment over file over defaults. Every default is in `--help` and says why here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use service::{Environment, Flag, LogFlags, Mistakes, Settings};

/// Of the apps' variables; the rest of a name says which key.
const VARIABLES: &str = "LONGHAUL_APPS";

/// Longhaul's stream apps: positions in, velocities and driver-break alerts out, and a live map.
#[derive(Debug, Parser)]
#[command(name = "stream-apps", version)]
pub struct Cli {
    #[command(subcommand)]
    pub app: AppCommand,
}

#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// trucks_gps, fitbits_gps -> trucks_velocity, fitbits_velocity
    Velocity(StreamArgs),
    /// trucks_gps -> driver_alerts (EU 561/2006, Art. 7: the break after 4.5 hours)
    DriverBreak(StreamArgs),
    /// The live map: vehicles, speeds, alerts, age of the data
    Dashboard(DashboardArgs),
    /// Print the config in force and where each value was given, or everything that is wrong with it
    CheckConfig(CheckArgs),
}

#[derive(Debug, Args)]
#[command(
    next_line_help = true,
    after_help = "Every key of the config file has a variable too: LONGHAUL_APPS__PART__KEY. A flag is stronger\nthan a variable, that than the file. `stream-apps check-config` prints what is in force."
)]
pub struct CommonArgs {
    /// Brokers to start from, separated by commas [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT", env = "LONGHAUL_BOOTSTRAP")]
    bootstrap: Option<String>,
    /// Config file (TOML)
    #[arg(long, value_name = "FILE", env = "LONGHAUL_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    log: LogFlags,
}

#[derive(Debug, Args)]
pub struct StreamArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Consumer group; instances of one group share the partitions [default: the app's name]
    #[arg(long, value_name = "ID", env = "LONGHAUL_GROUP")]
    group: Option<String>,
}

#[derive(Debug, Args)]
pub struct DashboardArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Where browsers connect [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", env = "LONGHAUL_DASHBOARD")]
    dashboard: Option<String>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    common: CommonArgs,
}

/// The file; one for all apps.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub bootstrap: String,
    pub velocity: Stream,
    pub driver_break: Stream,
    pub dashboard: Dashboard,
    pub log: service::Log,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// The app's name when absent.
    pub group: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dashboard {
    /// Loopback, because the page has no login: a proxy that has one may stand in front.
    pub listen: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            bootstrap: "127.0.0.1:9092".to_owned(),
            velocity: Stream::default(),
            driver_break: Stream::default(),
            dashboard: Dashboard::default(),
            log: service::Log::default(),
        }
    }
}

impl Default for Dashboard {
    fn default() -> Dashboard {
        Dashboard { listen: "127.0.0.1:8080".to_owned() }
    }
}

impl Config {
    /// librdkafka would take any text, and try for ever.
    fn check(&self, mistakes: &mut Mistakes) {
        let bootstrap = &self.bootstrap;
        let is_list = bootstrap.split(',').all(|address| is_host_port(address.trim()));
        mistakes.ensure("bootstrap", is_list, || {
            format!("bootstrap is \"{bootstrap}\", but must be HOST:PORT[,HOST:PORT]")
        });
        for (key, stream) in [("velocity.group", &self.velocity), ("driver_break.group", &self.driver_break)]
        {
            mistakes.ensure(key, stream.group.as_deref() != Some(""), || {
                format!("{key} is \"\", but a group has a name")
            });
        }
        self.log.check(mistakes);
    }
}

/// An IPv6 address stands in brackets.
fn is_host_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        let in_brackets = host.starts_with('[') && host.ends_with(']');
        !host.is_empty()
            && !host.contains(char::is_whitespace)
            && (in_brackets || !host.contains(':'))
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

impl CommonArgs {
    /// The file, the environment over it, the flags over both; `own` are those of one app.
    fn settings<F: Args>(&self, own: Flag, environment: &Environment) -> Settings<Config> {
        let mut flags = vec![Flag::new("bootstrap", "bootstrap", self.bootstrap.as_ref()), own];
        flags.extend(self.log.flags());
        let mut settings =
            Settings::<Config>::read::<F>(VARIABLES, self.config.as_deref(), environment, flags);
        settings.values.check(&mut settings.mistakes);
        settings
    }
}

impl StreamArgs {
    /// `key` is that of the app's group.
    pub fn load(&self, key: &'static str) -> anyhow::Result<Config> {
        self.read(key, &Environment::of_process())
    }

    fn read(&self, key: &'static str, environment: &Environment) -> anyhow::Result<Config> {
        let group = Flag::new(key, "group", self.group.as_ref());
        self.common.settings::<Self>(group, environment).finish()
    }
}

impl DashboardArgs {
    pub fn load(&self) -> anyhow::Result<Config> {
        let listen = Flag::new("dashboard.listen", "dashboard", self.dashboard.as_ref());
        self.common.settings::<Self>(listen, &Environment::of_process()).finish()
    }
}

impl CheckArgs {
    /// Prints what is in force, or everything that is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        let none = Flag::new("dashboard.listen", "dashboard", None::<&str>);
        self.common.settings::<DashboardArgs>(none, &Environment::of_process()).print()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str, flags: &[&str]) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("apps.toml");
        std::fs::write(&path, text)?;
        let path = path.display().to_string();
        let line = ["stream-apps", "velocity", "--config", &path].into_iter().chain(flags.iter().copied());
        match Cli::try_parse_from(line)?.app {
            AppCommand::Velocity(args) => args.read("velocity.group", &Environment::default()),
            other => anyhow::bail!("{other:?}"),
        }
    }

    #[test]
    fn a_flag_is_stronger_than_the_file_and_the_file_than_the_default() {
        let file = "bootstrap = \"a:1\"\n[velocity]\ngroup = \"g\"";
        let table: [(&str, &[&str], &str, Option<&str>); 4] = [
            ("", &[], "127.0.0.1:9092", None),
            (file, &[], "a:1", Some("g")),
            (file, &["--bootstrap", "b:2"], "b:2", Some("g")),
            (file, &["--group", "h"], "a:1", Some("h")),
        ];
        for (file, flags, bootstrap, group) in table {
            let config = loaded(file, flags).unwrap();
            assert_eq!((config.bootstrap.as_str(), config.velocity.group.as_deref()), (bootstrap, group));
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = format!("{:#}", loaded("[velocity]\ngruop = \"g\"", &[]).unwrap_err());
        assert!(error.contains("gruop"), "{error}");
    }

    #[test]
    fn the_file_in_the_readme_is_the_defaults() {
        let readme = include_str!("../README.md");
        let text = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let (written, default) = (loaded(text, &[]).unwrap(), Config::default());
        assert_eq!(written.bootstrap, default.bootstrap);
        assert_eq!(written.dashboard.listen, default.dashboard.listen);
        assert_eq!(written.velocity.group.as_deref(), Some(crate::velocity::APP.name));
        assert_eq!(written.driver_break.group.as_deref(), Some(crate::driver_break::APP.name));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_told_with_its_key_and_what_is_allowed() {
        for good in ["a:1", "a:1,b:2", "a:1, b:2", "127.0.0.1:9092", "[::1]:9092"] {
            assert!(loaded("", &["--bootstrap", good]).is_ok(), "{good}");
        }
        for bad in ["", "a", "a:", ":1", "a:0", "a:65536", "a:1,", "a:1;b:2", "::1", "x://a:1", "a b:1"] {
            let error = format!("{:#}", loaded("", &["--bootstrap", bad]).unwrap_err());
            assert_eq!(
                error,
                format!("--bootstrap: bootstrap is \"{bad}\", but must be HOST:PORT[,HOST:PORT]")
            );
        }
        let table: [(&str, &[&str], &str); 3] = [
            ("", &["--group", ""], "--group: velocity.group is \"\", but a group has a name"),
            ("[velocity]\ngroup = \"\"", &[], "apps.toml:2: velocity.group is \"\", but a group has a name"),
            (
                "[driver_break]\ngroup = \"\"",
                &[],
                "apps.toml:2: driver_break.group is \"\", but a group has a name",
            ),
        ];
        for (file, flags, expected) in table {
            let told = format!("{:#}", loaded(file, flags).unwrap_err());
            assert!(told.ends_with(expected), "{told}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
