//! The shell of the core broker. A library so that the simulation can drive a partition, [`hosted`], on a
//! disk in memory; the program is `main.rs`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a shell

mod admin;
pub mod broker;
mod cleaner;
pub mod cli;
mod clock;
pub mod config;
mod controller;
mod data_folder;
mod deleted;
mod edge;
mod groups;
pub mod hosted;
mod kafka;
mod logs_folder;
mod metrics;
mod partition;
mod producer_ids;
mod thread;
pub mod upkeep;
mod volume;
mod writer;
