//! What an at-least-once network does to a stream of fixes: some come twice, some come late.

use crate::rng::Rng;

/// The longest a fix is held back.
const DELAY_MAX_MS: i64 = 5_000;

/// Probabilities per fix, in `[0, 1]`. Off by default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    pub duplicate: f64,
    pub reorder: f64,
}

impl Faults {
    /// How long after the fix each of its copies is published.
    pub fn delays_ms(&self, rng: &mut Rng) -> Vec<i64> {
        let mut delay_ms = |probability: f64| rng.chance(probability).then(|| rng.whole(1, DELAY_MAX_MS));
        let first = delay_ms(self.reorder).unwrap_or(0);
        let second = delay_ms(self.duplicate).map(|after| first + after);
        [Some(first), second].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_faults_each_fix_is_published_once_and_at_once() {
        let mut rng = Rng::new(1);
        assert!((0..100).all(|_| Faults::default().delays_ms(&mut rng) == [0]));
    }

    #[test]
    fn a_share_of_the_fixes_comes_late_or_twice() {
        let (mut rng, faults) = (Rng::new(1), Faults { duplicate: 0.5, reorder: 0.5 });
        let drawn: Vec<_> = (0..1_000).map(|_| faults.delays_ms(&mut rng)).collect();
        let twice = drawn.iter().filter(|delays| delays.len() == 2).count();
        let late = drawn.iter().filter(|delays| delays[0] > 0).count();
        assert!((400..600).contains(&twice) && (400..600).contains(&late), "{twice} {late}");
        assert!(drawn.iter().flatten().all(|ms| (0..=2 * DELAY_MAX_MS).contains(ms)));
    }
}
