//! What the system says of this process, under the names that every Prometheus client library uses.

use std::{fmt, fs, time::SystemTime};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// `USER_HZ`, which Linux keeps at 100 on every machine for what it shows in /proc.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub struct Process {
    start_seconds: f64,
}

impl Process {
    /// At the start of the process.
    pub fn begun() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start_seconds: since.as_secs_f64() }
    }
}

impl Collector for Process {
    /// What a system does not say is left out.
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut gauge = |name, help, unit: Option<Unit>, value: Option<f64>| match value {
            Some(value) => {
                let family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
                ConstGauge::new(value).encode(family)
            }
            None => Ok(()),
        };
        let started = "When the process started, since the epoch.";
        gauge("process_start_time", started, Some(Unit::Seconds), Some(self.start_seconds))?;
        gauge("process_resident_memory", "Memory in use.", Some(Unit::Bytes), resident_bytes())?;
        gauge("process_open_fds", "Files and sockets that are open.", None, open_fds())?;
        let allowed = rlimit::Resource::NOFILE.get().ok().map(|(soft, _)| soft as f64);
        gauge("process_max_fds", "Files and sockets that may be open.", None, allowed)?;
        let Some(cpu) = cpu_seconds() else { return Ok(()) };
        let help = "Time on a processor, user and system.";
        let family =
            encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?;
        ConstCounter::new(cpu).encode(family)
    }
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

fn open_fds() -> Option<f64> {
    // One of them is the folder that is being read.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
