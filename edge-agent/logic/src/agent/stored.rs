//! What the store kept, as the agent goes on from it.

use bytes::Bytes;

use crate::{
    downlink::StoredDownlink,
    lane::StoredLane,
    sessions::{LoadedSession, SessionRecord, WindowEntry},
};

#[derive(Debug, Default)]
pub struct Stored {
    /// Counts the agent's starts on this store.
    pub boot: u64,
    pub lanes: Vec<StoredLane>,
    /// Bytes of the blocks that wait for the broker.
    pub stored_bytes: u64,
    pub sessions: Vec<LoadedSession>,
    /// Its facts are everybody's; each takes those of its kind.
    pub downlink: StoredDownlink,
}

impl Stored {
    /// The sessions from their records and windows (client id, slot, entry). The ids of those whose record
    /// cannot be read come second: they begin anew.
    pub fn sessions(
        records: &[(String, Bytes)],
        windows: &[(String, u16, Bytes)],
    ) -> (Vec<LoadedSession>, Vec<String>) {
        let (mut sessions, mut unreadable) = (Vec::new(), Vec::new());
        for (client_id, bytes) in records {
            match SessionRecord::decode(bytes) {
                Some(record) => {
                    let own = windows.iter().filter(|(owner, _, _)| owner == client_id);
                    let window = own.filter_map(|(_, _, entry)| WindowEntry::decode(entry)).collect();
                    sessions.push(LoadedSession { record, window });
                }
                None => unreadable.push(client_id.clone()),
            }
        }
        (sessions, unreadable)
    }
}
