//! Topics page by page, so that no answer grows with the cluster (KIP-966).

use std::collections::BTreeSet;
use std::ops::Range;

use super::image::{ClusterImage, Topic};

/// Topics in order of name, and where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<'a> {
    pub topics: Vec<PagedTopic<'a>>,
    pub next: Option<Position<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PagedTopic<'a> {
    Found { topic: &'a Topic, partitions: Range<usize> },
    Unknown { name: &'a str },
}

/// A partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position<'a> {
    pub topic: &'a str,
    pub partition: usize,
}

impl ClusterImage {
    /// At most `limit` partitions from `from` on, of the topics that are `named` or else of all.
    pub fn page<'a>(
        &'a self,
        named: Option<&BTreeSet<&'a str>>,
        from: Position<'a>,
        limit: usize,
    ) -> Page<'a> {
        let names: Vec<&str> = match named {
            Some(named) => named.range(from.topic..).copied().collect(),
            None => self.topics().map(|topic| &*topic.name).filter(|name| *name >= from.topic).collect(),
        };
        let mut page = Page { topics: Vec::new(), next: None };
        let mut room = limit;
        for name in names {
            if room == 0 {
                page.next = Some(Position { topic: name, partition: 0 });
                break;
            }
            let Some(topic) = self.topic(name) else {
                page.topics.push(PagedTopic::Unknown { name });
                continue;
            };
            let count = topic.partition_count();
            let begin = if name == from.topic { from.partition.min(count) } else { 0 };
            let end = count.min(begin.saturating_add(room));
            page.topics.push(PagedTopic::Found { topic, partitions: begin..end });
            room -= end - begin;
            if end < count {
                page.next = Some(Position { topic: name, partition: end });
                break;
            }
        }
        page
    }
}
