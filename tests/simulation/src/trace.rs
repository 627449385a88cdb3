//! What happened, as one number: two runs of a seed must agree on it to the last byte.

use std::fmt::{self, Write};

/// FNV-1a over everything that is noted.
#[derive(Debug, Clone)]
pub struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Trace(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub fn note(&mut self, what: &dyn fmt::Debug) {
        // Writing into a number does not fail.
        let _ = write!(self, "{what:?}");
    }

    pub fn hash(&self) -> u64 {
        self.0
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// The hash of some bytes alone.
pub fn hash_of(bytes: &[u8]) -> u64 {
    let mut trace = Trace::default();
    trace.bytes(bytes);
    trace.hash()
}
