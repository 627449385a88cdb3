//! Kafka clients of other makers, unchanged. Each has a folder here with its manifest, its lock file and
//! one small program; every program does the same and says what it saw, one fact a line.
//!
//! `PROGRAM before BOOTSTRAP PREFIX TIME_MS` creates `PREFIX-letters` and `PREFIX-work`, produces in every
//! compression, reads by beginning, offset and time, and lets a group of two read and commit.
//! `PROGRAM after BOOTSTRAP PREFIX` comes when the broker was killed and started again. `transcript` has
//! the facts that both must say; Apache Kafka is asked the same in the same words. Java's program has a
//! third half, `details`: refusals and special offsets. `java/Admins.java`, `kafka-python-3/admins.py` and `franz-go/admins.go` ask
//! what admins ask; `admins.txt` beside them is what they say of Apache Kafka.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // processes, files, clocks

mod apache_kafka;
mod client;
mod stored;
pub mod tool;
mod transcript;

pub use apache_kafka::ApacheKafka;
pub use client::{CLIENTS, Client, Codec, Program};
pub use stored::codecs_on_disk;
