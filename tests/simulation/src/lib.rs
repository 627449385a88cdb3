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
//! What is real: the sessions, routes, outbox, uplink and downlink of the agent, the store under them; the
//! edge sessions, replicas and logs of the broker; the codecs of MQTT and of the link. What is imitated: the
//! shells, step by step as `edge-agent/src/life.rs` and `core-broker/src/writer.rs` drive the cores, with
//! every wait drawn from the seed.
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
