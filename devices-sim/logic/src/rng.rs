//! Chance as a value: a small seeded generator (SplitMix64) that is passed around, never global.

use std::f64::consts::TAU;

/// The golden ratio's fraction in 64 bits, SplitMix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of numbers that its seed alone decides.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of one part of the world. Parts do not share a stream, so that one truck more or
    /// less changes nothing in the days of the others.
    pub fn stream(seed: u64, part: &str, number: u64) -> Self {
        let mut mixed = Self::new(seed);
        for byte in part.bytes() {
            mixed.state = mixed.next_u64() ^ u64::from(byte);
        }
        mixed.state = mixed.next_u64() ^ number;
        Self::new(mixed.next_u64())
    }

    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In `[0, 1)`, with all 53 bits of an f64.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    /// A whole number in `low..=high`.
    pub fn whole(&mut self, low: i64, high: i64) -> i64 {
        debug_assert!(low <= high);
        low + (self.unit() * (high - low + 1) as f64) as i64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Normal with mean 0 and deviation 1 (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_its_published_numbers() {
        // From the reference implementation, seed 1234567.
        let mut rng = Rng::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected, [rng.next_u64(), rng.next_u64(), rng.next_u64()]);
    }

    #[test]
    fn streams_differ_by_seed_part_and_number() {
        let first = |seed, part, number| Rng::stream(seed, part, number).next_u64();
        let streams =
            [first(1, "truck", 0), first(1, "truck", 1), first(1, "person", 0), first(2, "truck", 0)];
        for (i, a) in streams.iter().enumerate() {
            assert!(streams[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1_and_whole_reaches_both_ends() {
        let mut rng = Rng::new(7);
        let n = 20_000;
        let drawn: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / n as f64;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let whole: Vec<i64> = (0..200).map(|_| rng.whole(-1, 1)).collect();
        assert!(whole.contains(&-1) && whole.contains(&1) && whole.iter().all(|x| (-1..=1).contains(x)));
    }
}
