//! A request may name a thing again and again: without a limit a small one could ask for an endless answer.

use std::collections::{BTreeMap, BTreeSet};

/// What is named more than once. `false`: the client was not told so yet.
pub fn repeated<K: Ord + Clone>(named: impl Iterator<Item = K>) -> BTreeMap<K, bool> {
    let mut seen = BTreeSet::new();
    named.filter(|key| !seen.insert(key.clone())).map(|key| (key, false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_once_is_not_repeated() {
        let found = repeated(["a", "b", "a", "c", "b", "a"].into_iter());
        assert_eq!(found, BTreeMap::from([("a", false), ("b", false)]));
    }
}
