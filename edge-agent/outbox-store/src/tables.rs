//! The tables by name, and all of them open in one write transaction.

use redb::{Table, TableDefinition, WriteTransaction};

use crate::StoreError;

type Sealed = &'static [u8];

pub const BLOCKS: TableDefinition<(u32, u64), &[u8]> = TableDefinition::new("blocks");
pub const LANES: TableDefinition<u32, Sealed> = TableDefinition::new("lanes");
pub const SESSIONS: TableDefinition<&str, Sealed> = TableDefinition::new("sessions");
pub const WINDOWS: TableDefinition<(&str, u16), Sealed> = TableDefinition::new("windows");
pub const DOWNLINK: TableDefinition<u64, Sealed> = TableDefinition::new("downlink");
pub const OFFSETS: TableDefinition<(&str, i32), Sealed> = TableDefinition::new("offsets");
pub const FACTS: TableDefinition<(&str, &str), Sealed> = TableDefinition::new("facts");
pub const META: TableDefinition<&str, Sealed> = TableDefinition::new("meta");

pub struct Tables<'txn> {
    pub blocks: Table<'txn, (u32, u64), &'static [u8]>,
    pub lanes: Table<'txn, u32, Sealed>,
    pub sessions: Table<'txn, &'static str, Sealed>,
    pub windows: Table<'txn, (&'static str, u16), Sealed>,
    pub downlink: Table<'txn, u64, Sealed>,
    pub offsets: Table<'txn, (&'static str, i32), Sealed>,
    pub facts: Table<'txn, (&'static str, &'static str), Sealed>,
    pub meta: Table<'txn, &'static str, Sealed>,
}

impl<'txn> Tables<'txn> {
    pub fn open(txn: &'txn WriteTransaction) -> Result<Self, StoreError> {
        Ok(Tables {
            blocks: txn.open_table(BLOCKS)?,
            lanes: txn.open_table(LANES)?,
            sessions: txn.open_table(SESSIONS)?,
            windows: txn.open_table(WINDOWS)?,
            downlink: txn.open_table(DOWNLINK)?,
            offsets: txn.open_table(OFFSETS)?,
            facts: txn.open_table(FACTS)?,
            meta: txn.open_table(META)?,
        })
    }
}
