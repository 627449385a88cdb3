//! One member of a consumer group, as a process that a test can kill.
//!
//! `group-member BOOTSTRAP GROUP TOPIC [KEY=VALUE ..]`, with librdkafka's keys: prints a line of JSON for every assignment, revocation and record,
//! each with the time at which it happened. A record is printed once its offset is committed.
#![allow(clippy::disallowed_methods)] // a client: it has a clock

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rdkafka::{
    ClientConfig, ClientContext, Message, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
};
use serde_json::json;

struct Told;

impl ClientContext for Told {}

impl ConsumerContext for Told {
    // Said before the group hears that they are free.
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            say("revoked", json!(numbers(partitions)));
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            say("assigned", json!(numbers(partitions)));
        }
    }
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, group, topic, more @ ..] = words.as_slice() else {
        anyhow::bail!("usage: group-member BOOTSTRAP GROUP TOPIC [KEY=VALUE ..]");
    };
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "500");
    for setting in more {
        let (key, value) = setting.split_once('=').context("not KEY=VALUE")?;
        config.set(key, value);
    }
    let consumer: BaseConsumer<Told> = config.create_with_context(Told)?;
    consumer.subscribe(&[topic])?;
    say("joining", json!([]));
    let leaving = stop_signal()?;
    while !*leaving.borrow() {
        // While the broker is away there are errors, and nothing to do but wait.
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        // Of a partition that was taken away meanwhile: the next owner reads it again.
        if consumer.commit_message(&message, CommitMode::Sync).is_ok() {
            let value = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
            say("record", json!([message.partition(), message.offset(), value]));
        }
    }
    consumer.unsubscribe();
    drop(consumer);
    say("left", json!([]));
    Ok(())
}

/// True after SIGTERM.
fn stop_signal() -> Result<tokio::sync::watch::Receiver<bool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (leave, leaving) = tokio::sync::watch::channel(false);
    let mut terminate = {
        let _entered = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?
    };
    std::thread::spawn(move || {
        runtime.block_on(terminate.recv());
        leave.send_replace(true);
    });
    Ok(leaving)
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}

fn say(what: &str, detail: serde_json::Value) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock").map_or(0, |at| at.as_micros());
    println!("{}", json!({ "at": at as u64, "what": what, "detail": detail }));
}
