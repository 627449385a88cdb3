//! Who subscribes to what: a tree of topic levels.

use std::collections::BTreeMap;

use mqtt_wire::Qos;

use super::ClientId;

/// Deeper filters are refused: the tree is walked by recursion.
pub(super) const MAX_LEVELS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscription {
    pub max_qos: Qos,
    pub no_local: bool,
}

#[derive(Default)]
pub(super) struct SubscriptionTree(Node);

#[derive(Default)]
struct Node {
    /// By level; `+` and `#` are levels like any other.
    below: BTreeMap<String, Node>,
    here: BTreeMap<ClientId, Subscription>,
}

impl SubscriptionTree {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn insert(&mut self, filter: &str, client_id: &ClientId, subscription: Subscription) {
        let mut node = &mut self.0;
        for level in filter.split('/') {
            node = node.below.entry(level.to_owned()).or_default();
        }
        node.here.insert(client_id.clone(), subscription);
    }

    pub fn remove(&mut self, filter: &str, client_id: &ClientId) {
        let levels: Vec<&str> = filter.split('/').collect();
        self.0.remove(&levels, client_id);
    }

    /// Who is to hear a message on `topic`: each client once, at the best QoS of its filters that match.
    pub fn matching(&self, topic: &str, publisher: Option<&ClientId>) -> BTreeMap<ClientId, Qos> {
        let levels: Vec<&str> = topic.split('/').take(MAX_LEVELS + 1).collect();
        let mut found = BTreeMap::new();
        // [MQTT-4.7.2-1]: wildcards do not take $SYS and its like.
        let wildcards = !topic.starts_with('$');
        self.0.collect(&levels, wildcards, &mut |client_id, subscription| {
            if subscription.no_local && publisher == Some(client_id) {
                return;
            }
            let qos = found.entry(client_id.clone()).or_insert(subscription.max_qos);
            *qos = subscription.max_qos.max(*qos);
        });
        found
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        self.below.is_empty() && self.here.is_empty()
    }

    fn remove(&mut self, levels: &[&str], client_id: &ClientId) {
        let Some((level, rest)) = levels.split_first() else {
            self.here.remove(client_id);
            return;
        };
        if let Some(node) = self.below.get_mut(*level) {
            node.remove(rest, client_id);
            if node.is_empty() {
                self.below.remove(*level);
            }
        }
    }

    fn collect(&self, levels: &[&str], wildcards: bool, found: &mut impl FnMut(&ClientId, &Subscription)) {
        let mut take =
            |node: &Node| node.here.iter().for_each(|(client, subscription)| found(client, subscription));
        if wildcards && let Some(all) = self.below.get("#") {
            take(all); // also takes the parent level itself
        }
        let Some((level, rest)) = levels.split_first() else { return take(self) };
        if wildcards && let Some(any) = self.below.get("+") {
            any.collect(rest, true, found);
        }
        if let Some(same) = self.below.get(*level) {
            same.collect(rest, true, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use mqtt_wire::topic_matches;
    use proptest::prelude::*;

    use super::*;

    fn subscription(max_qos: Qos) -> Subscription {
        Subscription { max_qos, no_local: false }
    }

    #[test]
    fn a_client_hears_a_message_once_at_its_best_qos() {
        let mut tree = SubscriptionTree::default();
        let cab: ClientId = "cab".into();
        tree.insert("fleet/#", &cab, subscription(Qos::AtMostOnce));
        tree.insert("fleet/+/alert", &cab, subscription(Qos::AtLeastOnce));
        let expected = BTreeMap::from([(cab.clone(), Qos::AtLeastOnce)]);
        assert_eq!(tree.matching("fleet/7/alert", None), expected);
        tree.remove("fleet/#", &cab);
        tree.remove("fleet/+/alert", &cab);
        assert!(tree.is_empty());
    }

    #[test]
    fn no_local_spares_the_publisher() {
        let mut tree = SubscriptionTree::default();
        let cab: ClientId = "cab".into();
        tree.insert("a", &cab, Subscription { max_qos: Qos::AtLeastOnce, no_local: true });
        assert!(tree.matching("a", Some(&cab)).is_empty());
        assert_eq!(tree.matching("a", None).len(), 1);
    }

    fn levels(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
        proptest::collection::vec(proptest::sample::select(of), 1..5)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn the_tree_takes_what_its_filters_take(
            filters in proptest::collection::vec((levels(&["", "a", "b", "$s", "+"]), any::<bool>()), 0..8),
            topic in levels(&["", "a", "b", "$s"]),
        ) {
            let topic = topic.join("/");
            let mut tree = SubscriptionTree::default();
            let mut expected = BTreeMap::new();
            for (number, (mut levels, all)) in filters.into_iter().enumerate() {
                if all {
                    levels.push("#");
                }
                let (filter, client_id) = (levels.join("/"), ClientId::from(number.to_string()));
                tree.insert(&filter, &client_id, subscription(Qos::AtLeastOnce));
                if topic_matches(&filter, &topic) {
                    expected.insert(client_id, Qos::AtLeastOnce);
                }
            }
            prop_assert_eq!(tree.matching(&topic, None), expected);
        }
    }
}
