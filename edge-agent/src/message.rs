//! What sockets, link and disk tell the task that owns the cores.

use edge_logic::{sessions, uplink};
use outbox_store::StoreError;

pub enum Message {
    Mqtt(sessions::Input),
    Uplink(uplink::Input),
    Connected { attempt: uplink::Attempt, connection: quinn::Connection },
    StoreFailed(StoreError),
}
