//! The store against a model, on a disk that loses power at every sync, runs full, or breaks.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests of a storage crate

mod chance;
mod failing_disk;
mod model;
mod model_test;
mod power;
