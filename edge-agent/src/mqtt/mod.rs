//! Devices: the TCP listener and one task per connection. What a packet means is the sessions' to say.

mod connection;
mod listener;

pub use connection::Connections;
pub use listener::accept;
