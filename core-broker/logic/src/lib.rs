//! Decisions of the core broker. No clock, socket, disk, thread or chance: time and randomness are
//! arguments, so that the same inputs give the same actions under any seed.

pub mod cluster;
pub mod connections;
pub mod edge_session;
mod errors;
pub mod fetch_session;
mod fields;
pub mod groups;
pub mod ids;
pub mod replica;
