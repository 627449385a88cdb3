//! The stage for tests on real processes: every test has its own folder and ports, starts the programs
//! as an operator would, and waits for what they say, never for time to pass.
//!
//! [`scene`] runs a test under a deadline, shows the logs of its processes when it fails, and leaves
//! no process behind.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // processes, files, clocks

pub mod command;
pub mod derived;
mod fleet;
pub mod http;
pub mod kafka;
pub mod ledger;
pub mod mqtt;
mod ports;
mod process;
mod programs;
mod scene;
pub mod topic;

pub use fleet::{Fleet, Status};
pub use ports::free_address;
pub use process::Process;
pub use programs::{program, workspace};
pub use scene::{Scene, scene};
