//! One member of a group, and what it waits for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::messages::{JoinRequest, Token};

/// A member that waits in its first join has nobody to send heartbeats; a client that went away
/// meanwhile is dropped after this long (as Kafka does).
pub const FIRST_JOIN_TIMEOUT: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone)]
pub struct Member {
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    /// Name and metadata, the preferred first.
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    pub awaiting: Awaiting,
    /// Has not completed a join yet.
    pub is_new: bool,
    pub session_ends: Instant,
}

/// The request the member left open. It counts as a sign of life for as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaiting {
    Nothing,
    Join(Token),
    Sync(Token),
}

impl Member {
    pub fn joining(token: Token, request: &JoinRequest, now: Instant) -> Self {
        Self {
            group_instance_id: request.group_instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_timeout: millis(request.session_timeout_ms),
            rebalance_timeout: millis(request.rebalance_timeout_ms),
            protocols: kept(&request.protocols),
            assignment: Bytes::new(),
            awaiting: Awaiting::Join(token),
            is_new: true,
            session_ends: now + FIRST_JOIN_TIMEOUT,
        }
    }

    /// Everything the request says, not the protocols alone: timeouts and client may have changed too.
    pub fn update(&mut self, request: &JoinRequest) {
        self.client_id = request.client_id.clone();
        self.client_host = request.client_host.clone();
        self.session_timeout = millis(request.session_timeout_ms);
        self.rebalance_timeout = millis(request.rebalance_timeout_ms);
        self.protocols = kept(&request.protocols);
    }

    pub fn heard_from(&mut self, now: Instant) {
        self.session_ends = now + self.session_timeout;
    }

    /// When the member is given up; `None` while one of its requests is open.
    pub fn expires(&self) -> Option<Instant> {
        match self.awaiting {
            Awaiting::Nothing => Some(self.session_ends),
            Awaiting::Join(_) if self.is_new => Some(self.session_ends),
            Awaiting::Join(_) | Awaiting::Sync(_) => None,
        }
    }

    pub fn awaits_join(&self) -> bool {
        matches!(self.awaiting, Awaiting::Join(_))
    }

    /// Each once, also where a client names one twice.
    pub fn protocol_names(&self) -> BTreeSet<&String> {
        self.protocols.iter().map(|(name, _)| name).collect()
    }

    pub fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}

/// The bytes of a request are a piece of what its connection read, which would live as long as the member.
fn kept(protocols: &[(String, Bytes)]) -> Vec<(String, Bytes)> {
    protocols.iter().map(|(name, metadata)| (name.clone(), copied(metadata))).collect()
}

pub fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// A negative time on the wire is no time at all.
pub fn millis(ms: i32) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}
