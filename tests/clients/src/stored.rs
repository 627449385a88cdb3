//! In which compression a batch lies in the broker's log: the one its client was asked for.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result};

/// The codecs of the batches in the segments of one partition, in Kafka's numbering.
pub fn codecs_on_disk(partition: &Path) -> Result<BTreeSet<u8>> {
    let mut codecs = BTreeSet::new();
    for entry in std::fs::read_dir(partition).with_context(|| partition.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "log") {
            let segment = std::fs::read(&path)?;
            let mut rest = segment.as_slice();
            while let Some((batch, behind)) = first_batch(rest) {
                // The low byte of the attributes: after offset, length, epoch, magic and CRC.
                codecs.insert(batch[22] & 0x07);
                rest = behind;
            }
        }
    }
    Ok(codecs)
}

/// A batch in format v2 begins with its base offset and the length of what follows.
fn first_batch(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const HEADER: usize = 61;
    let length = u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    let whole = 12 + usize::try_from(length).ok()?;
    (whole >= HEADER).then(|| bytes.split_at_checked(whole)).flatten()
}
