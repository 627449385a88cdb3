//! What connections may take: places, bytes per second, and lines of the log.

mod places;
mod quota;
mod rarely;

pub use places::{Full, PlaceLimits, Places};
pub use quota::{ByteQuota, ByteRates};
pub use rarely::Rarely;
