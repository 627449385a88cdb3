//! What must hold for any bytes: a check for each kind of bytes that come from outside. libFuzzer looks for
//! those that break one, the tests here for the same on stable.

pub mod checks;
pub mod mutation;

pub use checks::{CHECKS, Check};
