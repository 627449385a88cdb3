//! Real processes, foreign clients, kill -9.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // processes, files, clocks

mod admin;
mod connections;
mod consoles;
mod coordinator;
mod front_door;
mod full_disk;
mod group;
mod hostile;
mod kcat;
mod kill;
mod listeners;
mod logs;
mod lost_lines;
mod operations;
mod path;
mod replay;
mod signals;
mod topic_ids;
mod traps;
