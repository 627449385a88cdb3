//! Reading a config file: unknown keys are errors, and every error says which file and which line.

use std::path::Path;

use anyhow::Context;
use serde::de::DeserializeOwned;

/// The file's values over the type's defaults; without a file, the defaults.
pub fn load<T: DeserializeOwned + Default>(file: Option<&Path>) -> anyhow::Result<T> {
    let Some(path) = file else { return Ok(T::default()) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the config file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("the config file {} has a mistake", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        port: u16,
    }

    fn loaded(text: &str) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text)?;
        load(Some(&path))
    }

    #[test]
    fn a_missing_key_has_its_default_and_an_unknown_one_is_named() {
        assert_eq!(loaded("").unwrap(), Config { port: 0 });
        assert_eq!(loaded("port = 7").unwrap(), Config { port: 7 });
        let error = format!("{:#}", loaded("prot = 7").unwrap_err());
        assert!(error.contains("prot") && error.contains("c.toml"), "{error}");
        assert!(load::<Config>(Some(Path::new("no/such/file"))).is_err());
    }
}
