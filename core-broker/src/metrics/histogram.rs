//! A histogram that counts without a lock: one atomic addition for the bucket and one for the sum.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// What is counted, and where its buckets end.
#[derive(Debug)]
pub struct Scale {
    /// Inclusive, ascending, in the unit of [`Histogram::observe`].
    ends: &'static [u64],
    /// How many of that unit are one of the unit shown.
    one: u64,
}

/// Microseconds, shown as seconds: from what a memory answers in to what a client gives up at.
pub static TIME: Scale = Scale {
    ends: &[
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000, 30_000_000,
    ],
    one: 1_000_000,
};

/// Things that are counted.
pub static COUNT: Scale = Scale { ends: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096], one: 1 };

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Histogram {
    scale: &'static Scale,
    /// One more than there are ends: the last is for what is beyond them.
    buckets: Arc<[AtomicU64]>,
    sum: Arc<AtomicU64>,
}

impl Histogram {
    pub fn new(scale: &'static Scale) -> Self {
        let buckets = (0..=scale.ends.len()).map(|_| AtomicU64::new(0)).collect();
        Self { scale, buckets, sum: Arc::default() }
    }

    pub fn observe(&self, value: u64) {
        let bucket = self.scale.ends.partition_point(|end| *end < value);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
            self.sum.fetch_add(value, Relaxed);
        }
    }

    pub fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> std::fmt::Result {
        let shown = |value: u64| value as f64 / self.scale.one as f64;
        let ends = self.scale.ends.iter().map(|end| shown(*end)).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed));
        let buckets: Vec<(f64, u64)> = ends.zip(counts).collect();
        // From the same reading, so that the last bucket and the count agree.
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(shown(self.sum.load(Relaxed)), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_where_its_bucket_ends() {
        let histogram = Histogram::new(&COUNT);
        for value in [0, 1, 2, 3, 4, 4096, 4097] {
            histogram.observe(value);
        }
        let counts: Vec<u64> = histogram.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        assert_eq!(counts, [2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((histogram.count(), histogram.sum.load(Relaxed)), (7, 8203));
    }
}
