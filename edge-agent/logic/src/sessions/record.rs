//! What of a session survives a crash.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A persistent session. Its window is written apart from it, entry by entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    pub client_id: String,
    /// Only this principal may resume it.
    pub principal: String,
    /// How long it outlives its connection; `u32::MAX`: as long as the agent's limit.
    pub expiry_secs: u32,
    pub subscriptions: Vec<SubscriptionRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRecord {
    pub filter: String,
    pub max_qos: u8,
    pub no_local: bool,
}

/// A committed publish of a persistent session. The store keeps one entry per (client, `slot`), a later
/// one over the earlier: so it is bounded without counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowEntry {
    pub slot: u16,
    /// The publish's number within the session.
    pub sequence: u64,
    /// Entries with a lower sequence are known to be acknowledged: the client used their ids again.
    pub floor: u64,
    pub packet_id: u16,
    /// Of topic and payload.
    pub hash: u64,
}

/// A session as the store gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedSession {
    pub record: SessionRecord,
    /// In any order.
    pub window: Vec<WindowEntry>,
}

impl SessionRecord {
    /// The bytes in the store. Frozen: another layout needs another version of the store's format.
    pub fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("a plain struct always encodes").into()
    }

    /// `None` for bytes that no `encode` made.
    pub fn decode(bytes: &[u8]) -> Option<SessionRecord> {
        postcard::from_bytes(bytes).ok()
    }
}

impl WindowEntry {
    /// As [`SessionRecord::encode`].
    pub fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("a plain struct always encodes").into()
    }

    pub fn decode(bytes: &[u8]) -> Option<WindowEntry> {
        postcard::from_bytes(bytes).ok()
    }
}
