//! Producer ids from this broker's block; the controller gives the next block.

use broker_logic::{
    cluster::{Command, Record},
    ids::BrokerId,
};
use tokio::sync::Mutex;

use crate::controller::{Controller, ControllerError};

pub struct ProducerIds {
    me: BrokerId,
    controller: Controller,
    /// An async mutex: who asks while the next block is fetched waits for that one fetch.
    block: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    pub fn new(me: BrokerId, controller: Controller) -> Self {
        Self { me, controller, block: Mutex::new(0..0) }
    }

    /// A producer id that no producer ever had.
    pub async fn next(&self) -> Result<i64, ControllerError> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            let records = self.controller.run(Command::AllocateProducerIds { broker: self.me }).await?;
            for record in records {
                if let Record::ProducerIdBlock { first, count, .. } = record {
                    *block = first.0..first.0 + i64::from(count);
                }
            }
        }
        block.next().ok_or(ControllerError::Stopping)
    }
}
