//! The broker's config file.

use core_broker::config::Config;

/// A mistake is told, whatever it is.
pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Err(error) = toml::from_str::<Config>(text)
    {
        assert!(!error.to_string().is_empty());
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../../../deploy/config/core-broker.toml").to_vec()]
}
