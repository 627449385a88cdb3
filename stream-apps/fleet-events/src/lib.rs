//! The vocabulary of the fleet: one event per file, a unit in every field name, SI inside.
//! The JSON of each event is what other systems read from the topics, so field names and
//! ranges are a contract: fields may be added, never renamed; readers ignore unknown ones.

pub mod alert;
pub mod gps;
mod number;
pub mod time;
pub mod topics;
pub mod vehicle;
pub mod velocity;

pub use alert::{AlertId, AlertType, Confidence, DriverAlert, Severity, SubjectKind};
pub use gps::{GpsFix, GpsFixError, VehicleKind};
pub use time::{Timestamp, TimestampError};
pub use vehicle::{DriverId, IdError, VehicleId};
pub use velocity::{Method, Motion, Quality, Source, Velocity};
