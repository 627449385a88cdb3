//! When segments are sealed and when they go: decisions without a clock or a disk.

use crate::SegmentInfo;

/// `retention.ms` and `retention.bytes`; `None` (Kafka's -1) keeps for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    pub max_age_ms: Option<i64>,
    pub max_bytes: Option<u64>,
}

/// Those of `segments` (all of a log's, from the oldest on) that need not be kept: the oldest while they are
/// too old by their largest timestamp, or while what follows is still enough bytes. Only what lies below
/// `high_watermark` may go. The active segment is among them when all are: it must be sealed first.
///
/// A segment whose records have no timestamp does not age.
pub fn segments_to_delete<'a>(
    segments: &'a [SegmentInfo],
    retention: &Retention,
    high_watermark: i64,
    now_ms: i64,
) -> &'a [SegmentInfo] {
    let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut spare = retention.max_bytes.map_or(0, |keep| total.saturating_sub(keep));
    let mut goes = |segment: &SegmentInfo| {
        let timestamp = segment.max_timestamp.filter(|timestamp| *timestamp >= 0);
        let age = timestamp.map(|timestamp| now_ms.saturating_sub(timestamp));
        let too_old = age.zip(retention.max_age_ms).is_some_and(|(age, most)| age > most);
        let too_many = segment.bytes > 0 && spare >= segment.bytes;
        if too_many {
            spare -= segment.bytes;
        }
        // Left empty by compaction, among others that go.
        let deletes = *retention != Retention::default();
        let empty = deletes && segment.bytes == 0 && segment.end_offset > segment.base_offset;
        segment.end_offset <= high_watermark && (too_old || too_many || empty)
    };
    let kept_from = segments.iter().position(|segment| !goes(segment)).unwrap_or(segments.len());
    &segments[..kept_from]
}

/// Whether the active segment should be sealed because `segment.ms` have passed since its first batch (for a
/// compacted topic, `max.compaction.lag.ms` if that is less).
pub fn is_roll_due(active: &SegmentInfo, segment_ms: i64, now_ms: i64) -> bool {
    let first = active.first_timestamp.filter(|timestamp| *timestamp >= 0);
    first.is_some_and(|first| now_ms.saturating_sub(first) > segment_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten offsets each; the bytes and largest timestamps as given.
    fn segments(of: &[(u64, Option<i64>)]) -> Vec<SegmentInfo> {
        let segment = |(at, &(bytes, max_timestamp)): (usize, &(u64, Option<i64>))| SegmentInfo {
            base_offset: 10 * at as i64,
            end_offset: 10 * at as i64 + if bytes > 0 || at + 1 < of.len() { 10 } else { 0 },
            bytes,
            first_timestamp: max_timestamp,
            max_timestamp,
        };
        of.iter().enumerate().map(segment).collect()
    }

    #[test]
    fn the_oldest_segments_go_while_they_are_too_old_or_too_many() {
        let three = [(100, Some(1000)), (100, Some(2000)), (50, Some(3000))];
        let untimed = [(100, Some(-1)), (100, Some(1000)), (50, Some(3000))];
        let shuffled = [(100, Some(3000)), (100, Some(1000)), (50, Some(2000))];
        let hollow = [(100, Some(1000)), (0, None), (100, Some(2000)), (0, None)];
        let fresh = [(0, None)];
        let (ms, bytes) = (|ms| (Some(ms), None), |bytes| (None, Some(bytes)));
        let table = [
            // segments, (max age, max bytes), high watermark, now -> how many go
            (&three[..], (None, None), 30, i64::MAX, 0),
            (&three, ms(500), 30, 1500, 0),
            (&three, ms(500), 30, 1501, 1),
            (&three, ms(500), 30, 2501, 2),
            (&three, ms(500), 30, 9999, 3), // the active one too
            (&three, ms(500), 19, 9999, 1),
            (&three, ms(500), 9, 9999, 0),
            (&three, bytes(250), 30, 0, 0),
            (&three, bytes(151), 30, 0, 0),
            (&three, bytes(150), 30, 0, 1),
            (&three, bytes(51), 30, 0, 1),
            (&three, bytes(0), 30, 0, 3),
            (&three, (Some(500), Some(150)), 30, 0, 1),
            (&untimed, ms(1), 30, i64::MAX, 0),
            (&untimed, bytes(150), 30, 0, 1),
            (&shuffled, ms(500), 30, 3000, 0), // in order only
            (&hollow, ms(500), 30, 1501, 2),
            (&hollow, ms(500), 30, 9999, 3),
            (&hollow[1..], (None, None), 30, 9999, 0),
            (&fresh, ms(0), 30, i64::MAX, 0),
            (&fresh, bytes(0), 30, 0, 0),
        ];
        for (of, (max_age_ms, max_bytes), high_watermark, now_ms, expected) in table {
            let segments = segments(of);
            let retention = Retention { max_age_ms, max_bytes };
            let going = segments_to_delete(&segments, &retention, high_watermark, now_ms);
            assert_eq!(going.len(), expected, "{of:?} {retention:?} {high_watermark} {now_ms}");
        }
    }

    #[test]
    fn a_segment_is_sealed_by_the_age_of_its_first_batch() {
        for (first, now_ms, due) in [
            (Some(1000), 1500, false),
            (Some(1000), 1501, true),
            (Some(-1), 9999, false),
            (None, 9999, false),
        ] {
            let active = SegmentInfo { first_timestamp: first, ..segments(&[(10, Some(9000))])[0] };
            assert_eq!(is_roll_due(&active, 500, now_ms), due, "{first:?} {now_ms}");
        }
    }
}
