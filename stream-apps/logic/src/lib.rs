//! Decisions of the stream apps: fixes in, velocities and driver-break alerts out. Every result is
//! a function of the *set* of fixes of a window, whatever their order, duplication or delay.
//!
//! The way of a fix: [`event_time`] throws out what cannot be true, [`timeline`] keeps the rest in
//! the order it happened and re-runs a machine from where a late fix belongs, and the machine is
//! [`velocity`] or [`motion`] followed by [`driver_break`]. [`VelocityApp`] and [`DriverBreakApp`]
//! are what a shell drives. Absent on purpose: clocks, sockets, topics, chance.

mod alert_record;
pub mod driver_break;
mod driver_break_app;
pub mod event_time;
pub mod geo;
pub mod motion;
pub mod roster;
mod shift;
mod subject;
pub mod timeline;
pub mod velocity;
mod velocity_app;
pub mod velocity_pair;
mod wording;

pub use driver_break_app::{DriverBreakApp, DriverBreakConfig};
pub use roster::Counts;
pub use shift::{Accounting, ShiftRules, account_for};
pub use velocity_app::{VelocityApp, VelocityConfig, velocities};
