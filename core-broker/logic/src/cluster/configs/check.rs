//! Whether configs may be set: each by its table, then all of a topic's together.

use std::collections::BTreeMap;

use super::broker_configs::{Update, broker_config};
use super::topic_configs::validate_topic_config;
use super::values::ConfigError;

/// New values by name; `None` returns a config to its default.
pub type Changes = [(String, Option<String>)];

/// May these changes be made to a topic with the configs `own`?
pub fn check_topic_changes<'a>(
    own: impl Iterator<Item = (&'a str, &'a str)>,
    changes: &'a Changes,
) -> Result<(), ConfigError> {
    let mut together: BTreeMap<&str, &str> = own.collect();
    for (key, value) in changes {
        match value {
            Some(value) => {
                validate_topic_config(key, value)?;
                together.insert(key, value);
            }
            // Also a name that is no config any more: this is how one is rid of it.
            None => {
                together.remove(key.as_str());
            }
        }
    }
    check_together(&together)
}

/// May these changes be made to a broker while it runs?
pub fn check_broker_changes(changes: &Changes) -> Result<(), ConfigError> {
    let set = || changes.iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    let fixed = |key: &str| broker_config(key).is_some_and(|config| config.update == Update::AtStart);
    let keys: Vec<String> = set().filter(|(key, _)| fixed(key)).map(|(key, _)| key.clone()).collect();
    if !keys.is_empty() {
        return Err(ConfigError::NotDynamic { keys });
    }
    for (key, value) in set() {
        let config =
            broker_config(key).ok_or_else(|| ConfigError::UnknownBrokerConfig { key: key.clone() })?;
        config.values.check(key, value)?;
    }
    Ok(())
}

fn check_together(configs: &BTreeMap<&str, &str>) -> Result<(), ConfigError> {
    let number = |key: &str, otherwise: i64| {
        configs.get(key).and_then(|value| value.trim().parse().ok()).unwrap_or(otherwise)
    };
    let min_lag = number("min.compaction.lag.ms", 0);
    let max_lag = number("max.compaction.lag.ms", i64::MAX);
    if min_lag > max_lag {
        let reason = format!(
            "conflict topic config setting min.compaction.lag.ms ({min_lag}) > max.compaction.lag.ms ({max_lag})"
        );
        return Err(ConfigError::Conflict { reason });
    }
    if configs.get("remote.storage.enable").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        let reason = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with \
                      remote log storage.";
        return Err(ConfigError::Conflict { reason: reason.to_owned() });
    }
    Ok(())
}
