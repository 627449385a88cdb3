//! MQTT-4.6.0-2: the PUBACKs of a connection arrive in the order of its PUBLISHes. The window by which an agent
//! knows a re-delivery relies on it: a packet id used again proves every acknowledgement before it.

use std::collections::{BTreeMap, VecDeque};

use super::Invariant;
use crate::{
    network::WireId,
    observation::{Fix, Observation},
};

#[derive(Default)]
pub struct PubacksInOrder {
    owed: BTreeMap<WireId, VecDeque<Fix>>,
}

impl Invariant for PubacksInOrder {
    fn name(&self) -> &'static str {
        "pubacks_in_order"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        match seen {
            Observation::Published { fix, wire: Some(wire), .. } => {
                self.owed.entry(*wire).or_default().push_back(*fix);
            }
            Observation::Acknowledged { fix, wire: Some(wire) } => {
                let first = self.owed.entry(*wire).or_default().pop_front();
                if first != Some(*fix) {
                    return Err(format!("the PUBACK of {fix:?} came when {first:?} had its turn"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
