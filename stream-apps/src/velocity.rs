//! `velocity`: fixes of trucks and of watches in, velocities out.

use apps_logic::{VelocityApp, VelocityConfig};
use fleet_events::{GpsFix, Source, Velocity, topics};

use crate::{
    app::{App, Derive, Output, Route},
    kafka::Record,
};

pub const APP: App = App {
    name: "velocity",
    routes: &[
        Route { input: topics::TRUCKS_GPS, output: topics::TRUCKS_VELOCITY },
        Route { input: topics::FITBITS_GPS, output: topics::FITBITS_VELOCITY },
    ],
    retention: None,
    new_state: || {
        Box::new(Velocities { logic: VelocityApp::new(VelocityConfig::default()), derived: Vec::new() })
    },
};

struct Velocities {
    logic: VelocityApp,
    /// Kept for its capacity.
    derived: Vec<Velocity>,
}

impl Derive for Velocities {
    fn derive(&mut self, record: &Record, outputs: &mut Vec<Output>) -> Result<(), String> {
        let fix = GpsFix::parse(&record.payload).map_err(|error| error.to_string())?;
        let source = Source {
            topic: record.from.topic.as_str().into(),
            partition: record.from.partition,
            offset: record.offset,
        };
        self.logic.on_fix(&fix, source, record.timestamp_ms, &mut self.derived);
        outputs.extend(self.derived.drain(..).map(|velocity| Output {
            key: velocity.vehicle_id.to_string(),
            payload: velocity.to_json(),
            headers: Vec::new(),
        }));
        Ok(())
    }
}
