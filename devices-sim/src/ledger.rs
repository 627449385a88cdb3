//! The list of what the broker acknowledged: whoever checks the log's content starts from it.

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use fleet_events::{GpsFix, VehicleId};

#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Ledger {
    pub fn append_to(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot write the ledger {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// `fleet vehicle_id boot_id seq ts`, a dash where the fix has none.
    pub fn acknowledged(&mut self, fleet: &VehicleId, fix: &GpsFix) -> anyhow::Result<()> {
        let boot_id = fix.boot_id.as_deref().unwrap_or("-");
        let seq = fix.seq.map_or("-".to_owned(), |seq| seq.to_string());
        writeln!(self.file, "{fleet} {} {boot_id} {seq} {}", fix.vehicle_id, fix.ts)
            .with_context(|| self.broken())
    }

    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| self.broken())
    }

    fn broken(&self) -> String {
        format!("the ledger {} is not complete", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_events::Timestamp;

    #[test]
    fn lines_are_appended_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acked");
        let fleet = VehicleId::new("trucks").unwrap();
        let mut fix = GpsFix::new(VehicleId::new("truck-001").unwrap(), Timestamp::from_ms(1_500), 1.0, 2.0);
        (fix.seq, fix.boot_id) = (Some(7), Some("sim-1".to_owned()));
        for _ in 0..2 {
            let mut ledger = Ledger::append_to(&path).unwrap();
            ledger.acknowledged(&fleet, &fix).unwrap();
            ledger.flush().unwrap();
        }
        let line = "trucks truck-001 sim-1 7 1970-01-01T00:00:01.500Z\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), line.repeat(2));
        assert!(Ledger::append_to(&folder.path().join("no/such")).is_err());
    }
}
