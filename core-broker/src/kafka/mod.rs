//! Kafka clients: one file per API, under one name each.

mod api_versions;
mod connection;
mod create_topics;
mod dispatch;
mod errors;
mod fetch;
mod groups;
mod init_producer_id;
mod list_offsets;
mod listener;
mod metadata;
mod produce;

pub use connection::SHARE_BYTES;
pub use listener::{bind, serve};
