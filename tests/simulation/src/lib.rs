//! Seeded worlds: the cores of edge agent and core broker, over their real stores, on one thread and in
//! virtual time, while connections are cut, programs die and disks fail. The same seed is the same world.
//!
//! ```text
//! device.rs --- network.rs --- agent/ --- network.rs --- broker/ --- app.rs
//!      ^                         |                          |
//!      |                      MemDisk                    MemDisk
//!      +--- faults.rs: cuts, crashes, broken disks, as plan.rs decides
//!
//! scene.rs: time, chance, the queue of events      world.rs: the loop
//! observation.rs: what can be seen from outside -> invariants/: one promise per file
//! ```
//!
//! What is real: the agent's state machine with all its cores, the store under it and what lies between;
//! the broker's edge sessions and hosted partitions; the codecs of MQTT and of the link. What is imitated: sockets, the store's
//! thread, the writer's turns, the stream app, each step by step as the shells do it, with every wait drawn
//! from the seed.
//!
//! What is not here: more than one broker, consumer groups, stream apps' sums, QUIC itself.
#![allow(clippy::disallowed_methods)] // a world needs some instant to begin at

mod agent;
mod app;
mod broker;
mod chance;
mod device;
mod faults;
mod invariants;
mod network;
mod observation;
mod plan;
mod scene;
mod trace;
mod world;

pub use invariants::Violation;
pub use plan::Sabotage;
pub use world::{Outcome, run};
