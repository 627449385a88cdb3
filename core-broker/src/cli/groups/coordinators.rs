//! The brokers that look after groups: found, asked, and asked again while they move.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use kafka_wire::{
    ErrorCode,
    messages::find_coordinator::{Coordinator, FindCoordinatorRequest, GROUP},
};

use super::super::{
    cluster::Cluster,
    connection::Connection,
    failure::{Exception, Failure},
};

/// As long as Kafka's admin client waits before it asks again.
const BACKOFF: Duration = Duration::from_millis(100);

pub struct Coordinators {
    pub cluster: Cluster,
    patience: Duration,
    found: BTreeMap<String, Node>,
}

/// A broker as it wants to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: i32,
    pub host: String,
    pub port: i32,
}

impl Coordinators {
    pub fn new(cluster: Cluster, patience: Duration) -> Self {
        Self { cluster, patience, found: BTreeMap::new() }
    }

    /// Asks the coordinator of `group`. While it says that it is loading, or that another one is the
    /// coordinator, it is looked for and asked again.
    pub fn ask<T>(
        &mut self,
        group: &str,
        question: impl Fn(&mut Connection) -> anyhow::Result<(ErrorCode, T)>,
    ) -> Result<(ErrorCode, T), Failure> {
        let until = Instant::now() + self.patience;
        loop {
            let node = self.find(group, until)?;
            let (error, answer) = question(self.cluster.broker(node.id)?)?;
            if !is_on_the_move(error) || Instant::now() >= until {
                return Ok((error, answer));
            }
            self.found.remove(group);
            thread::sleep(BACKOFF);
        }
    }

    /// The coordinator that was asked about `group`.
    pub fn of(&self, group: &str) -> Option<&Node> {
        self.found.get(group)
    }

    fn find(&mut self, group: &str, until: Instant) -> Result<Node, Failure> {
        loop {
            if let Some(node) = self.found.get(group) {
                return Ok(node.clone());
            }
            let found = self.look_up(group)?;
            match found.error_code {
                ErrorCode::None => {
                    // So that its address is known.
                    self.cluster.brokers()?;
                    let node = Node { id: found.node_id, host: found.host, port: found.port };
                    self.found.insert(group.to_owned(), node);
                }
                error if !is_on_the_move(error) || Instant::now() >= until => {
                    return Err(nested(&Exception::of(error, found.error_message)).into());
                }
                _ => thread::sleep(BACKOFF),
            }
        }
    }

    fn look_up(&mut self, group: &str) -> Result<Coordinator, Failure> {
        let request = FindCoordinatorRequest {
            key_type: GROUP,
            coordinator_keys: vec![group.to_owned()],
            ..Default::default()
        };
        let answer = self.cluster.any().call(request)?;
        let found = answer.coordinators.into_iter().next();
        found.ok_or_else(|| Exception::of(ErrorCode::CoordinatorNotAvailable, None).into())
    }
}

/// What goes away when one waits or looks elsewhere.
fn is_on_the_move(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator
    )
}

/// As a Java future passes on what went wrong inside.
pub fn nested(exception: &Exception) -> Exception {
    Exception::new("java.util.concurrent.ExecutionException", exception.to_string())
}

/// As Kafka's tool passes on what went wrong in a future.
pub fn twice_nested(exception: &Exception) -> Exception {
    Exception::new("java.lang.RuntimeException", nested(exception).to_string())
}
