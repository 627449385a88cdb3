//! The error of a GPS position: it wanders, it does not jump.

use crate::rng::Rng;

/// Standard deviation under an open sky.
const SIGMA_M: f64 = 3.0;
/// Time in which the error forgets itself to 1/e.
const TAU_S: f64 = 120.0;

/// A first-order Gauss-Markov process in each direction. White noise would give a parked truck
/// 0.2 m/s at every fix, which no receiver does.
#[derive(Debug, Clone)]
pub struct PositionNoise {
    pub north_m: f64,
    pub east_m: f64,
}

impl PositionNoise {
    pub fn new(rng: &mut Rng) -> Self {
        Self { north_m: SIGMA_M * rng.normal(), east_m: SIGMA_M * rng.normal() }
    }

    pub fn advance(&mut self, dt_s: f64, rng: &mut Rng) {
        let kept = (-dt_s / TAU_S).exp();
        let fresh = SIGMA_M * (1.0 - kept * kept).sqrt();
        self.north_m = kept * self.north_m + fresh * rng.normal();
        self.east_m = kept * self.east_m + fresh * rng.normal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_3_m_and_moves_slowly() {
        let mut rng = Rng::new(3);
        let mut noise = PositionNoise::new(&mut rng);
        let (mut square, mut step) = (0.0, 0.0);
        let n = 20_000;
        for _ in 0..n {
            let before = noise.north_m;
            noise.advance(1.0, &mut rng);
            square += noise.north_m.powi(2);
            step += (noise.north_m - before).powi(2);
        }
        let (sigma, step) = ((square / n as f64).sqrt(), (step / n as f64).sqrt());
        assert!((2.4..3.6).contains(&sigma), "sigma {sigma}");
        assert!((0.3..0.5).contains(&step), "rms step {step}"); // 3 * sqrt(2 * (1 - exp(-1/120))) = 0.39
    }
}
