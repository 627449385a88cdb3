//! Edge agents: the QUIC listener, one session per connection, alerts on their way down.

mod downlink;
mod listener;
mod session;

pub use listener::bind;
