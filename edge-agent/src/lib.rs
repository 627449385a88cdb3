//! The shell of the edge agent: sockets, the store's thread, the link. A library so that the simulation
//! can use the very translation between logic and store that the agent uses; the program is `main.rs`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell

pub mod agent;
mod clock;
pub mod config;
mod life;
mod message;
mod mqtt;
mod quic;
pub mod store;
