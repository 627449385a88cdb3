//! Reads the derived topics into the board: positions near their end, alerts from a little before it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use fleet_events::{
    DriverAlert, Velocity,
    topics::{DRIVER_ALERTS, FITBITS_VELOCITY, TRUCKS_VELOCITY},
};
use tracing::{debug, info};

use super::Board;
use crate::{
    kafka::{Feed, Record, TopicPartition, Topics},
    rejected::Rejected,
};

/// Never joined and never committed to: only a name in the brokers' logs.
const GROUP: &str = "dashboard";
/// A few positions of each partition, so that a page opened in a quiet moment is not empty.
const POSITIONS_BEFORE_END: i64 = 200;
const ALERTS_BEFORE_END: i64 = 100;
/// How soon a topic that appears is seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub fn run(bootstrap: &str, board: &Board, stop: &AtomicBool) -> anyhow::Result<()> {
    let topics = Topics::new(bootstrap, GROUP, board.link.clone())?;
    let feed = Feed::new(bootstrap, GROUP, board.link.clone())?;
    let mut rejected = Rejected::default();
    let mut known = BTreeSet::new();
    let mut looked: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            if let Err(error) = follow_topics(&topics, &feed, &mut known) {
                debug!("looking for topics: {error:#}");
                board.link.down(&error.to_string());
            }
            looked = Some(Instant::now());
        }
        let Some(record) = feed.poll(Duration::from_millis(100)) else { continue };
        if let Err(reason) = take_in(&record, board) {
            rejected.note(&record.from, record.offset, reason);
        }
    }
    Ok(())
}

fn follow_topics(topics: &Topics, feed: &Feed, known: &mut BTreeSet<TopicPartition>) -> anyhow::Result<()> {
    for (topic, before_end) in [
        (TRUCKS_VELOCITY, POSITIONS_BEFORE_END),
        (FITBITS_VELOCITY, POSITIONS_BEFORE_END),
        (DRIVER_ALERTS, ALERTS_BEFORE_END),
    ] {
        let Some(shape) = topics.shape(topic)? else {
            // Deleted; should it come back, it is another topic.
            let gone: Vec<TopicPartition> = known.iter().filter(|at| at.topic == topic).cloned().collect();
            if !gone.is_empty() {
                feed.remove(&gone)?;
                known.retain(|at| at.topic != topic);
            }
            continue;
        };
        let is_fresh = |at: &TopicPartition| !known.contains(at);
        let fresh: Vec<TopicPartition> = (0..shape.partitions)
            .map(|partition| TopicPartition { topic: topic.to_owned(), partition })
            .filter(is_fresh)
            .collect();
        if !fresh.is_empty() {
            feed.add(&fresh, before_end)?;
            info!(topic, partitions = fresh.len(), "reading");
            known.extend(fresh);
        }
    }
    Ok(())
}

fn take_in(record: &Record, board: &Board) -> Result<(), String> {
    let version = if record.from.topic == DRIVER_ALERTS {
        let alert: DriverAlert =
            serde_json::from_slice(&record.payload).map_err(|error| error.to_string())?;
        let mut fleet = board.fleet();
        fleet.alert(&alert);
        fleet.version()
    } else {
        let velocity = Velocity::parse(&record.payload).map_err(|error| error.to_string())?;
        let mut fleet = board.fleet();
        fleet.position(&velocity, record.from.topic == FITBITS_VELOCITY, record.timestamp_ms);
        fleet.version()
    };
    board.version.send_replace(version);
    Ok(())
}
