//! The edge agent's decisions. No clock, socket, disk, thread or chance in here: time and chance
//! are arguments, effects are actions, and the same input gives the same actions under any seed.
//!
//! ```text
//! MQTT publish -> sessions -> routes -> outbox -> (store) -> uplink -> broker
//! device      <-  sessions <- downlink <--------------------- uplink <- broker
//! ```
#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests need some instant to begin at

pub mod agent;
pub mod downlink;
pub mod lane;
pub mod outbox;
pub mod routes;
pub mod sessions;
pub mod uplink;
