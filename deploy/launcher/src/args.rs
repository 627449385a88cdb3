//! What the demo can be told.

use std::{net::SocketAddr, path::PathBuf};

/// Runs Longhaul on this machine: a broker, an edge agent, the stream apps, a simulated fleet, a dashboard.
#[derive(Debug, clap::Parser)]
#[command(name = "deploy/demo", bin_name = "deploy/demo", version)]
pub struct Args {
    /// Stop by itself after so many seconds; the exit code says whether every acknowledged fix is stored
    /// exactly once [default: until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Trucks of the simulated fleet, a fix every 20 s of event time
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub trucks: u32,
    /// Persons with watches, a fix every second of event time
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub persons: u32,
    /// Seconds of event time per second; 300 lets drivers reach 4 h 30 within a minute
    /// [default: 300; with --replay 100]
    #[arg(long, value_name = "X")]
    pub speed_up: Option<f64>,
    /// One seed, one fleet
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Publish the fixes of a CSV trace (vehicle_id,timestamp,lat,lon) instead of a simulated fleet
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Keep logs, outbox and certificates here [default: a temporary folder, deleted at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Without the dashboard
    #[arg(long)]
    pub no_dashboard: bool,
    /// Where Kafka clients connect
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub kafka: SocketAddr,
    /// Where the edge agent connects (UDP)
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4433")]
    pub quic: SocketAddr,
    /// Where devices connect
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    pub mqtt: SocketAddr,
    /// Where the dashboard is
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub dashboard: SocketAddr,
}
