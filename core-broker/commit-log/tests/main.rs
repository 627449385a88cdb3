//! The log from outside, one subject per module.

mod beside;
mod crash;
mod damage;
mod full_disk;
mod log;
mod mem_disk;
mod model;
mod support;
