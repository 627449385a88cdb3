//! The simulated fleet: drivers who plan a day, trucks that follow it over real corridors, persons
//! with watches, and what a bad network does to their fixes. Pure: one seed gives the same fixes
//! byte for byte (on one platform: sines and logarithms are the C library's), and time is event time.

pub mod driver;
pub mod faults;
pub mod fleet;
mod noise;
pub mod person;
pub mod rng;
pub mod route;
pub mod truck;

pub use faults::Faults;
pub use fleet::{Fleet, FleetConfig, Publish};
pub use rng::Rng;
