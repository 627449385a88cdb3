//! The variables that concern a service.

use std::collections::BTreeMap;

use super::{Mistakes, flags::Variables, given::Given, mistakes::nearest};

/// Every variable; an argument, so that a test has its own.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// Kubernetes gives every container such variables for each Service: one called `longhaul-broker` must not
/// keep the broker from starting.
const KUBERNETES: [&str; 3] = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"];

impl Environment {
    /// Of this process. What is not UTF-8 is none of ours.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub fn lay_over(&self, given: &mut Given, prefix: &str, known: &Variables, mistakes: &mut Mistakes) {
        // The field's own name for it; a variable of ours says more exactly which program is meant.
        if let Some(filter) = self.get("RUST_LOG")
            && let Err(wrong) = given.set("log.filter", Given::word(filter, "RUST_LOG"))
        {
            mistakes.push(format!("RUST_LOG: {wrong}"));
        }
        let ours =
            self.variables.iter().filter_map(|(name, value)| Some((name, name.strip_prefix(prefix)?, value)));
        for (name, rest, value) in ours {
            if let Some(path) = rest.strip_prefix("__") {
                let path = path.to_lowercase().replace("__", ".");
                if let Err(wrong) = given.set(&path, Given::word(value, name)) {
                    mistakes.push(format!("{name}: {wrong}"));
                }
            } else if rest.starts_with('_') && !known.has(name) && !is_kubernetes(rest) {
                let near = nearest(name, known.names());
                let hint = near.map_or_else(
                    || format!("a key of the config file is {prefix}__PART__KEY"),
                    |near| format!("did you mean {near}?"),
                );
                mistakes.push(format!("unknown variable {name}: {hint}"));
            }
        }
    }
}

fn is_kubernetes(rest: &str) -> bool {
    rest.starts_with("_PORT_")
        || rest.starts_with("_SERVICE_PORT_")
        || KUBERNETES.iter().any(|suffix| rest.ends_with(suffix))
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().collect() }
    }
}
