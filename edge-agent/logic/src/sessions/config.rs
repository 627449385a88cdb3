//! The bounds of the MQTT side.

use std::time::Duration;

/// Every queue and table of the sessions is bounded by one of these.
#[derive(Debug, Clone)]
pub struct SessionsConfig {
    pub max_connections: usize,
    /// Connected and kept ones together.
    pub max_sessions: usize,
    /// From the socket to CONNECT.
    pub connect_timeout: Duration,
    pub max_client_id_bytes: usize,
    /// QoS 1 events of one connection that wait for the store, and the length of a session's window
    /// of re-deliveries: what may be re-sent is what may be unacknowledged.
    pub receive_maximum: u16,
    /// Events of all connections, open and gone, that wait for the store.
    pub max_uncommitted: usize,
    /// Told to version 5 clients; the codec enforces it.
    pub max_packet_bytes: u32,
    pub max_subscriptions: usize,
    /// QoS 1 messages to one client that wait for its PUBACK; a version 5 client may ask for fewer.
    pub max_outgoing_inflight: u16,
    /// Bytes to one connection that the shell has not written yet, and bytes one session keeps unacknowledged.
    pub max_queued_bytes: usize,
    /// How long a session outlives its connection at most, and how long for clients before version 5.
    pub max_session_expiry: Duration,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            max_connections: 1_000, // a gateway serves a depot, not a country
            max_sessions: 10_000,
            connect_timeout: Duration::from_secs(10),
            max_client_id_bytes: 256,
            receive_maximum: 256,    // more than any common client keeps in flight
            max_uncommitted: 65_536, // 20 MB of fixes: beyond it the store is stuck, not slow
            max_packet_bytes: 256 * 1024,
            max_subscriptions: 64,
            max_outgoing_inflight: 32,
            max_queued_bytes: 256 * 1024,
            max_session_expiry: Duration::from_secs(7 * 24 * 3600), // a truck on holiday
        }
    }
}
