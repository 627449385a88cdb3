//! A recorded trace: CSV rows into fixes in the order of their event times.
//!
//! A row that says who and when is published, however wild its position: to refuse it is the
//! receiver's work. A row that cannot be read is counted, and the first ones are shown.

use std::{collections::BTreeMap, io::Read, time::Duration};

use csv::StringRecord;
use fleet_events::{GpsFix, Timestamp, VehicleId, VehicleKind};
use sim_logic::{
    Publish,
    fleet::{PERSONS, TRUCKS},
};

use crate::mqtt::Identity;

/// The trace is held in memory, some 400 bytes a row.
const ROWS_MAX: usize = 1_000_000;
const VEHICLES_MAX: usize = 10_000;
const SHOWN_BAD_ROWS: usize = 5;
/// The fleet that is chosen by the vehicle's name.
pub const AUTO: &str = "auto";

#[derive(Debug)]
pub struct Trace {
    /// When to publish (event time, long gaps shortened) and what.
    pub fixes: Vec<(Timestamp, Publish)>,
    pub devices: Vec<Identity>,
    pub bad_rows: BadRows,
}

#[derive(Debug, Default, PartialEq)]
pub struct BadRows {
    pub count: u64,
    /// `line 7: no timestamp`.
    pub first: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("the header has no column {0}")]
    NoColumn(&'static str),
    #[error("more than {ROWS_MAX} rows")]
    TooManyRows,
    #[error("more than {VEHICLES_MAX} vehicles")]
    TooManyVehicles,
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// Reads a whole trace. Fixes with the same time keep the order of the file.
pub fn read(input: impl Read, fleet: &VehicleId, max_gap: Duration) -> Result<Trace, TraceError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(input);
    let columns = Columns::of(reader.headers()?)?;
    let mut bad_rows = BadRows::default();
    let mut vehicles: BTreeMap<VehicleId, Vehicle> = BTreeMap::new();
    let mut fixes = Vec::new();
    for row in reader.records() {
        let (line, parsed) = match row {
            Ok(row) => (row.position().map_or(0, csv::Position::line), columns.fix(&row)),
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(error) => (error.position().map_or(0, csv::Position::line), Err("not UTF-8".to_owned())),
        };
        let mut fix = match parsed {
            Ok(fix) => fix,
            Err(reason) => {
                bad_rows.note(line, &reason);
                continue;
            }
        };
        let vehicle =
            vehicles.entry(fix.vehicle_id.clone()).or_insert_with(|| Vehicle::named(&fix.vehicle_id, fleet));
        vehicle.rows += 1;
        (fix.kind, fix.seq, fix.boot_id) =
            (Some(vehicle.kind), Some(vehicle.rows), Some("replay".to_owned()));
        fixes.push(Publish { fleet: vehicle.fleet.clone(), vehicle_id: fix.vehicle_id.clone(), fix });
        if fixes.len() > ROWS_MAX {
            return Err(TraceError::TooManyRows);
        }
        if vehicles.len() > VEHICLES_MAX {
            return Err(TraceError::TooManyVehicles);
        }
    }
    fixes.sort_by_key(|publish| publish.fix.ts);
    let devices =
        vehicles.into_iter().map(|(vehicle_id, vehicle)| Identity { fleet: vehicle.fleet, vehicle_id });
    Ok(Trace { fixes: scheduled(fixes, max_gap), devices: devices.collect(), bad_rows })
}

struct Vehicle {
    fleet: VehicleId,
    kind: VehicleKind,
    rows: u64,
}

impl Vehicle {
    /// Recorded traces name their vehicles by what they are.
    fn named(vehicle_id: &VehicleId, fleet: &VehicleId) -> Self {
        let name = vehicle_id.as_str();
        let person = name.starts_with("fit-") || name.starts_with("person");
        let fleet = match fleet.as_str() {
            AUTO => VehicleId::new(if person { PERSONS } else { TRUCKS }).expect("made of letters"),
            _ => fleet.clone(),
        };
        let kind = match () {
            () if person && name.contains("ride") => VehicleKind::Bike,
            () if person || fleet.as_str() == PERSONS => VehicleKind::Person,
            () if name.starts_with("bus") => VehicleKind::Bus,
            () if name.starts_with("twizy") => VehicleKind::Car,
            () => VehicleKind::Truck,
        };
        Self { fleet, kind, rows: 0 }
    }
}

/// Where the columns stand; their order is free and others are ignored.
struct Columns {
    vehicle_id: usize,
    timestamp: usize,
    lat: usize,
    lon: usize,
    speed_mps: Option<usize>,
    altitude_m: Option<usize>,
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, TraceError> {
        let find =
            |name: &str| header.iter().position(|column| column.trim_start_matches('\u{feff}') == name);
        let need = |name: &'static str| find(name).ok_or(TraceError::NoColumn(name));
        Ok(Self {
            vehicle_id: need("vehicle_id")?,
            timestamp: need("timestamp")?,
            lat: need("lat")?,
            lon: need("lon")?,
            speed_mps: find("speed_mps"),
            altitude_m: find("altitude_m"),
        })
    }

    fn fix(&self, row: &StringRecord) -> Result<GpsFix, String> {
        let text = |column: usize, name: &str| {
            row.get(column).filter(|text| !text.is_empty()).ok_or_else(|| format!("no {name}"))
        };
        let number = |column: usize, name: &str| {
            let text = text(column, name)?;
            text.parse::<f64>().map_err(|_| format!("{name} is not a number"))
        };
        let optional = |column: Option<usize>, name: &str| {
            let given = column.filter(|column| row.get(*column).is_some_and(|text| !text.is_empty()));
            given.map(|column| number(column, name)).transpose()
        };
        let vehicle_id = VehicleId::new(text(self.vehicle_id, "vehicle_id")?);
        let vehicle_id = vehicle_id.map_err(|error| format!("vehicle_id {error}"))?;
        let ts = Timestamp::parse(text(self.timestamp, "timestamp")?);
        let ts = ts.map_err(|error| format!("timestamp: {error}"))?;
        let mut fix = GpsFix::new(vehicle_id, ts, number(self.lat, "lat")?, number(self.lon, "lon")?);
        fix.speed_mps = optional(self.speed_mps, "speed_mps")?;
        fix.alt_m = optional(self.altitude_m, "altitude_m")?;
        Ok(fix)
    }
}

impl BadRows {
    fn note(&mut self, line: u64, reason: &str) {
        self.count += 1;
        if self.first.len() < SHOWN_BAD_ROWS {
            self.first.push(format!("line {line}: {reason}"));
        }
    }
}

/// Event times with every silence shortened to `max_gap`: traces hold years between two rides.
fn scheduled(fixes: Vec<Publish>, max_gap: Duration) -> Vec<(Timestamp, Publish)> {
    let max_gap_ms = i64::try_from(max_gap.as_millis()).unwrap_or(i64::MAX);
    let mut skipped_ms = 0;
    let mut last = fixes.first().map(|publish| publish.fix.ts);
    fixes
        .into_iter()
        .map(|publish| {
            let ts = publish.fix.ts;
            skipped_ms += (ts.since_ms(last.unwrap_or(ts)) - max_gap_ms).max(0);
            last = Some(ts);
            (ts.plus_ms(-skipped_ms), publish)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const GAP: Duration = Duration::from_secs(600);

    fn id(text: &str) -> VehicleId {
        VehicleId::new(text).unwrap()
    }

    fn trace(csv: &str) -> Result<Trace, TraceError> {
        read(csv.as_bytes(), &id(AUTO), GAP)
    }

    #[test]
    fn columns_stand_in_any_order_and_strangers_are_ignored() {
        let csv = "lon,note,timestamp,altitude_m,lat,vehicle_id,speed_mps\n\
                   8.5,\"a, b\",2026-03-02T06:00:00Z,,50.25,truck-9,22.5\n";
        let trace = trace(csv).unwrap();
        let fix = &trace.fixes[0].1.fix;
        assert_eq!((fix.lat, fix.lon, fix.speed_mps, fix.alt_m), (50.25, 8.5, Some(22.5), None));
        assert_eq!(
            (fix.seq, fix.boot_id.as_deref(), fix.kind),
            (Some(1), Some("replay"), Some(VehicleKind::Truck))
        );
        assert_eq!(trace.bad_rows, BadRows::default());
        for (header, missing) in
            [("timestamp,lat,lon", "vehicle_id"), ("vehicle_id,timestamp,lat", "lon"), ("", "vehicle_id")]
        {
            assert!(trace_error(header).contains(missing), "{header}");
        }
    }

    fn trace_error(csv: &str) -> String {
        trace(csv).unwrap_err().to_string()
    }

    #[test]
    fn a_row_that_cannot_be_read_is_counted_with_its_line() {
        for (row, reason) in [
            ("", "no vehicle_id"), // an empty field is all that a line of spaces holds
            ("a b,2026-03-02T06:00:00Z,1,2", "vehicle_id must begin"),
            ("a/b,2026-03-02T06:00:00Z,1,2", "vehicle_id must begin"),
            ("t,,1,2", "no timestamp"),
            ("t,yesterday,1,2", "timestamp: "),
            ("t,2026-03-02T06:00:00,1,2", "timestamp: must end in Z"),
            ("t,2026-03-02T06:00:00Z,1", "no lon"),
            ("t,2026-03-02T06:00:00Z,north,2", "lat is not a number"),
            ("t,2026-03-02T06:00:00Z,1,2,fast", "speed_mps is not a number"),
        ] {
            let row = if row.is_empty() { "\"\",x" } else { row };
            let trace = trace(&format!("vehicle_id,timestamp,lat,lon,speed_mps\n{row}\n")).unwrap();
            assert_eq!((trace.fixes.len(), trace.bad_rows.count), (0, 1), "{row}");
            assert!(
                trace.bad_rows.first[0].starts_with(&format!("line 2: {reason}")),
                "{:?}",
                trace.bad_rows
            );
        }
    }

    #[test]
    fn only_the_first_bad_rows_are_shown_and_good_ones_around_them_survive() {
        let mut csv = b"vehicle_id,timestamp,lat,lon\n".to_vec();
        for _ in 0..7 {
            csv.extend(b"t,never,1,2\n");
        }
        csv.extend(b"t,2026-03-02T06:00:00Z,\xff,2\nt,2026-03-02T06:00:00Z,1,2\n");
        let trace = read(csv.as_slice(), &id(AUTO), GAP).unwrap();
        assert_eq!(
            (trace.fixes.len(), trace.bad_rows.count, trace.bad_rows.first.len()),
            (1, 8, SHOWN_BAD_ROWS)
        );
    }

    #[test]
    fn wild_positions_are_published_as_they_are() {
        let csv =
            "vehicle_id,timestamp,lat,lon\nt,2026-03-02T06:00:00Z,91,1555\nt,2026-03-02T06:00:01Z,NaN,-0\n";
        let trace = trace(csv).unwrap();
        assert_eq!((trace.fixes[0].1.fix.lat, trace.fixes[0].1.fix.lon), (91.0, 1555.0));
        assert_eq!((trace.fixes.len(), trace.bad_rows.count), (2, 0));
    }

    #[test]
    fn event_time_orders_and_long_silences_are_shortened() {
        let csv = "vehicle_id,timestamp,lat,lon\n\
                   b,2026-03-02T06:00:05Z,1,1\n\
                   a,2026-03-02T06:00:00Z,1,2\n\
                   b,2026-03-02T06:00:00Z,1,3\n\
                   a,2029-03-02T06:00:00Z,1,4\n\
                   a,2029-03-02T06:00:07Z,1,5\n";
        let trace = trace(csv).unwrap();
        let seen: Vec<_> = trace
            .fixes
            .iter()
            .map(|(at, p)| {
                (at.since_ms(trace.fixes[0].0) / 1_000, p.vehicle_id.as_str(), p.fix.seq.unwrap(), p.fix.lon)
            })
            .collect();
        assert_eq!(
            seen,
            [(0, "a", 1, 2.0), (0, "b", 2, 3.0), (5, "b", 1, 1.0), (605, "a", 2, 4.0), (612, "a", 3, 5.0)]
        );
        assert_eq!(trace.fixes[3].1.fix.ts.to_string(), "2029-03-02T06:00:00Z");
    }

    #[test]
    fn the_fleet_follows_the_name_unless_it_is_given() {
        for (name, fleet, expected, kind) in [
            ("fit-fenix2-run-2015", AUTO, PERSONS, VehicleKind::Person),
            ("fit-edge500-ride-2011", AUTO, PERSONS, VehicleKind::Bike),
            ("person-7", AUTO, PERSONS, VehicleKind::Person),
            ("bus-4716", AUTO, TRUCKS, VehicleKind::Bus),
            ("twizy-T1", AUTO, TRUCKS, VehicleKind::Car),
            ("jc-101", AUTO, TRUCKS, VehicleKind::Truck),
            ("jc-101", "north", "north", VehicleKind::Truck),
            ("jc-101", PERSONS, PERSONS, VehicleKind::Person),
        ] {
            let vehicle = Vehicle::named(&id(name), &id(fleet));
            assert_eq!((vehicle.fleet.as_str(), vehicle.kind), (expected, kind), "{name} {fleet}");
        }
    }

    #[test]
    fn recorded_traces_read_whole() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/gps");
        for (name, rows, vehicles) in
            [("bus_liverpool_2026.csv", 1_533, None), ("trucks_jersey_city_2015.csv", 8_753, Some(136))]
        {
            let Ok(file) = std::fs::File::open(data.join(name)) else {
                println!("skipped: the shared data folder is not here");
                return;
            };
            let trace = read(file, &id(AUTO), GAP).unwrap();
            assert_eq!(
                (trace.fixes.len() as u64 + trace.bad_rows.count, trace.bad_rows.count),
                (rows, 0),
                "{name}"
            );
            assert!(
                vehicles.is_none_or(|vehicles| trace.devices.len() == vehicles),
                "{}",
                trace.devices.len()
            );
            assert!(trace.fixes.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        }
    }
}
