//! The commands that talk to a broker over the Kafka protocol, as Kafka's own tools do.

mod client;
mod consume;
mod topics;

pub use consume::{Consume, consume};
pub use topics::{Topics, topics};
