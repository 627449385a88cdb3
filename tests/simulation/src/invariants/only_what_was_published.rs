//! P2: nothing is in the log that was not published, byte for byte, and it is in the topic it belongs to; and
//! the offsets that consumers see have no hole and no overlap.

use std::collections::BTreeMap;

use bytes::Bytes;
use fleet_events::topics::DRIVER_ALERTS;

use super::Invariant;
use crate::observation::{Fix, Observation, Place, fix_of};

#[derive(Default)]
pub struct OnlyWhatWasPublished {
    published: BTreeMap<Fix, (&'static str, Bytes)>,
    next: BTreeMap<Place, i64>,
}

impl OnlyWhatWasPublished {
    pub fn shown(&self, place: Place) -> i64 {
        self.next.get(&place).copied().unwrap_or_default()
    }
}

impl Invariant for OnlyWhatWasPublished {
    fn name(&self) -> &'static str {
        "only_what_was_published"
    }

    fn observe(&mut self, seen: &Observation) -> Result<(), String> {
        match seen {
            Observation::Published { fix, topic, payload, .. } => {
                self.published.insert(*fix, (topic, payload.clone()));
                Ok(())
            }
            Observation::Visible { place, offset, value } => {
                let next = self.next.entry(*place).or_default();
                if *offset != *next {
                    return Err(format!("{place:?} goes on at {offset} instead of {next}"));
                }
                *next = offset + 1;
                let (topic, _) = place;
                if *topic == DRIVER_ALERTS {
                    return Ok(());
                }
                let published = fix_of(value).and_then(|fix| self.published.get(&fix));
                if published.is_some_and(|(of, payload)| of == topic && payload == value) {
                    return Ok(());
                }
                let value = String::from_utf8_lossy(value);
                Err(format!("nobody published what is at {place:?} {offset}: {value}"))
            }
            _ => Ok(()),
        }
    }
}
