//! The log from outside, one subject per module.

mod crash;
mod log;
mod support;
