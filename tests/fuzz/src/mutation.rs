//! Bytes that are nearly what they should be: the same ones for the same seed.

use kafka_wire::damage::LIES;

/// A few changes, one after the other.
pub fn mutated(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.below(3) {
        change(&mut bytes, &mut chance);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let end = bytes.len();
    let (one, other) = (chance.below(end + 1), chance.below(end + 1));
    let (from, to) = (one.min(other), one.max(other));
    match chance.below(6) {
        0 => bytes.truncate(from),
        1 => bytes.extend_from_within(from..to),
        2 => drop(bytes.drain(from..to.min(from + 16))),
        3 => {
            let lie = LIES[chance.below(LIES.len())];
            let covered = end.min(from + lie.len());
            bytes.splice(from..covered, lie.iter().copied());
        }
        4 => bytes.insert(from, chance.next() as u8),
        _ => {
            if let Some(byte) = bytes.get_mut(from) {
                *byte ^= 1 << chance.below(8);
            }
        }
    }
}

/// xorshift: no more chance than a test may have.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
