//! Cutting the events of one lane into blocks.

use kafka_wire::record_batch::{Compression, RecordSet, RecordsEncoder};

use super::Event;

/// Largest compressed records section: a stored block of 65,000 bytes less its header. redb rounds a
/// value up to a power of two pages, so one of 64 KiB would cost two and a half times its size.
pub const MAX_SECTION_BYTES: usize = 64_900;

/// Largest event, keys and headers included: it must fit in a block even when nothing compresses.
pub const MAX_EVENT_BYTES: usize = 60_000;

/// Positions compress six times, so that about this much makes a full block.
const RAW_BYTES_AIM: usize = 384 << 10;

/// What is known of a block before it has a number and a sequence.
#[derive(Debug)]
pub struct Cut {
    pub records: RecordSet,
    pub raw_bytes: u32,
}

/// The events in their order, in as few blocks as the size allows.
pub fn cut(events: &[Event]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let mut raw = 0;
        let end = rest
            .iter()
            .position(|event| {
                raw += event.bytes();
                raw > RAW_BYTES_AIM
            })
            .unwrap_or(rest.len());
        let (now, later) = rest.split_at(end.max(1));
        cut_halves(now, &mut cuts);
        rest = later;
    }
    cuts
}

/// What compresses worse than positions do is cut in halves until it fits.
fn cut_halves(events: &[Event], cuts: &mut Vec<Cut>) {
    let cut = encode(events, Compression::Zstd).unwrap_or_else(|| {
        encode(events, Compression::None).expect("some events of bounded size always make a record set")
    });
    if cut.records.bytes.len() <= MAX_SECTION_BYTES {
        cuts.push(cut);
        return;
    }
    assert!(events.len() > 1, "an event of at most {MAX_EVENT_BYTES} bytes fits in a block");
    let (left, right) = events.split_at(events.len() / 2);
    cut_halves(left, cuts);
    cut_halves(right, cuts);
}

fn encode(events: &[Event], compression: Compression) -> Option<Cut> {
    let mut encoder = RecordsEncoder::new();
    for event in events {
        let headers: Vec<(&str, &[u8])> =
            event.headers.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect();
        encoder.push(event.timestamp_ms, event.key.as_deref(), Some(&event.value), &headers);
    }
    let raw_bytes = encoder.len_bytes() as u32;
    let records = encoder.finish(compression).ok()?;
    Some(Cut { records, raw_bytes })
}
