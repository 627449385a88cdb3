//! The log from outside, one subject per module.

mod beside;
mod compaction;
mod compaction_model;
mod compaction_oracle;
mod crash;
mod damage;
mod expiry;
mod full_disk;
mod log;
mod max_timestamp;
mod mem_disk;
mod model;
mod slice;
mod snapshots;
mod support;
mod verify;
