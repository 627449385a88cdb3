//! Decisions of the core broker. No clock, socket, disk, thread or chance: time and randomness are
//! arguments, so that the same inputs give the same actions under any seed.

pub mod cluster;
mod fields;
pub mod ids;
