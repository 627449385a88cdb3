//! Real processes, foreign clients, kill -9.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // processes, files, clocks

mod kcat;
mod kill;
mod path;
mod replay;
