//! When a log is worth compacting, and how far: decisions without a clock or a disk.

use crate::SegmentInfo;

/// A topic's settings, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactionConfig {
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_ratio: f64,
    /// `min.compaction.lag.ms`: a record stays at least this long.
    pub min_lag_ms: i64,
    /// `max.compaction.lag.ms`: a record is compacted after this, however little there is to gain.
    pub max_lag_ms: i64,
}

impl Default for CompactionConfig {
    /// Kafka's.
    fn default() -> CompactionConfig {
        CompactionConfig { min_cleanable_ratio: 0.5, min_lag_ms: 0, max_lag_ms: i64::MAX }
    }
}

/// How far to compact, if it is due. `segments` are all of the log's, `cleaned_to` is the log's own account.
pub fn compaction_due(
    segments: &[SegmentInfo],
    cleaned_to: i64,
    config: &CompactionConfig,
    high_watermark: i64,
    now_ms: i64,
) -> Option<i64> {
    let end = cleanable_end(segments, cleaned_to, config.min_lag_ms, high_watermark, now_ms);
    let dirty =
        || segments.iter().filter(|segment| is_dirty(segment, cleaned_to) && segment.end_offset <= end);
    if dirty().all(|segment| segment.bytes == 0) {
        return None;
    }
    let overdue = |first: i64| first >= 0 && now_ms.saturating_sub(first) > config.max_lag_ms;
    let must = dirty().filter_map(|segment| segment.first_timestamp).any(overdue);
    (must || cleanable_ratio(segments, cleaned_to, end) > config.min_cleanable_ratio).then_some(end)
}

/// The end of the segments that may be compacted: sealed, wholly below `high_watermark` (with transactions,
/// the last stable offset), and with no record younger than `min_lag_ms`.
pub fn cleanable_end(
    segments: &[SegmentInfo],
    cleaned_to: i64,
    min_lag_ms: i64,
    high_watermark: i64,
    now_ms: i64,
) -> i64 {
    let Some((_active, sealed)) = segments.split_last() else { return cleaned_to };
    let young = |segment: &SegmentInfo| {
        min_lag_ms > 0 && segment.max_timestamp.is_some_and(|max| now_ms.saturating_sub(max) < min_lag_ms)
    };
    let dirty = sealed.iter().filter(|segment| is_dirty(segment, cleaned_to));
    let may = dirty.take_while(|segment| segment.end_offset <= high_watermark && !young(segment));
    may.last().map_or(cleaned_to, |segment| segment.end_offset)
}

/// The share of bytes not yet compacted among those below `end`.
pub fn cleanable_ratio(segments: &[SegmentInfo], cleaned_to: i64, end: i64) -> f64 {
    let below = || segments.iter().filter(|segment| segment.end_offset <= end);
    let bytes: u64 = below().map(|segment| segment.bytes).sum();
    let dirty: u64 =
        below().filter(|segment| is_dirty(segment, cleaned_to)).map(|segment| segment.bytes).sum();
    if bytes == 0 { 0.0 } else { dirty as f64 / bytes as f64 }
}

fn is_dirty(segment: &SegmentInfo, cleaned_to: i64) -> bool {
    segment.end_offset > cleaned_to
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four segments of ten offsets: 300, 100, 200 bytes, and the active one.
    fn segments() -> Vec<SegmentInfo> {
        let of = [(0, 300, 1000), (10, 100, 2000), (20, 200, 3000), (30, 50, 4000)];
        let segment = |(base_offset, bytes, first)| SegmentInfo {
            base_offset,
            end_offset: base_offset + 10,
            bytes,
            first_timestamp: Some(first),
            max_timestamp: Some(first + 500),
        };
        of.map(segment).to_vec()
    }

    #[test]
    fn only_old_sealed_segments_below_the_high_watermark_are_cleanable() {
        let table = [
            // cleaned to, min lag, high watermark, now -> end
            (0, 0, 40, 9999, 30), // not the active one
            (0, 0, 30, 9999, 30),
            (0, 0, 29, 9999, 20),
            (0, 0, 9, 9999, 0),
            (20, 0, 9, 9999, 20),
            (30, 0, 40, 9999, 30),
            (25, 0, 40, 9999, 30),
            (0, 1000, 40, 4499, 20),
            (0, 1000, 40, 4500, 30),
            (0, 1000, 40, 2499, 0),
            (10, 1000, 40, 0, 10), // what is clean stays clean
        ];
        for (cleaned_to, min_lag_ms, high_watermark, now_ms, expected) in table {
            let end = cleanable_end(&segments(), cleaned_to, min_lag_ms, high_watermark, now_ms);
            assert_eq!(end, expected, "{cleaned_to} {min_lag_ms} {high_watermark} {now_ms}");
        }
        assert_eq!(cleanable_end(&[], 7, 0, 9, 0), 7);
    }

    #[test]
    fn compaction_is_due_by_the_dirty_share_or_by_age() {
        let table = [
            // cleaned to, ratio, max lag, now -> end
            (0, 0.5, i64::MAX, 9999, Some(30)),
            (10, 0.5, i64::MAX, 9999, None), // 300 of 600
            (10, 0.49, i64::MAX, 9999, Some(30)),
            (20, 0.4, i64::MAX, 9999, None),
            (10, 0.9, 500, 2500, None),
            (10, 0.9, 500, 2501, Some(30)),
            (30, 0.0, 0, 9999, None), // nothing to do
        ];
        for (cleaned_to, min_cleanable_ratio, max_lag_ms, now_ms, expected) in table {
            let config = CompactionConfig { min_cleanable_ratio, min_lag_ms: 0, max_lag_ms };
            let due = compaction_due(&segments(), cleaned_to, &config, 40, now_ms);
            assert_eq!(due, expected, "{cleaned_to} {config:?} {now_ms}");
        }
    }
}
