//! The writers of a broker: each partition has one of them, for as long as it is open.

use std::{sync::Arc, time::Duration};

use broker_logic::ids::TopicPartition;
use tokio::sync::{mpsc, oneshot};

use super::{Command, HostedLog, Writer};
use crate::{metrics::Metrics, partition::Partition, upkeep::UpkeepCounts};

/// More would only wait for the same disk: what a writer does is the kernel's copying and its syncs.
const MOST: usize = 4;

/// Cheap to clone.
#[derive(Clone)]
pub struct Writers {
    queues: Vec<mpsc::Sender<Command>>,
}

impl Writers {
    /// Starts a writer for each processor, on threads of their own.
    pub fn start(retention_check: Duration, counts: &Arc<UpkeepCounts>, metrics: &Arc<Metrics>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let start = |_| Writer::start(retention_check, counts.clone(), metrics.clone());
        Self { queues: (0..processors.min(MOST)).map(start).collect() }
    }

    /// Neighbouring partitions of a topic have different ones.
    pub fn of(&self, partition: &TopicPartition) -> &mpsc::Sender<Command> {
        let topic: usize = partition.topic.bytes().map(usize::from).sum();
        let number = topic.wrapping_add(partition.partition.0 as usize);
        &self.queues[number % self.queues.len()]
    }

    /// Gives an opened log to the writer that has it from here on; `None` if that has stopped.
    pub async fn host(&self, hosted: HostedLog) -> Option<Partition> {
        let (answer, partition) = oneshot::channel();
        let queue = self.of(hosted.id()).clone();
        queue.send(Command::Host { hosted: Box::new(hosted), answer }).await.ok()?;
        partition.await.ok()
    }

    /// Once each has taken a turn; `false` if one has ended.
    pub async fn turn(&self) -> bool {
        self.ask(|answer| Command::Turn { answer }).await
    }

    /// Once each has synced and closed its logs.
    pub async fn stop(&self) {
        self.ask(|answer| Command::Stop { answer }).await;
    }

    async fn ask(&self, command: impl Fn(oneshot::Sender<()>) -> Command) -> bool {
        let mut answers = Vec::new();
        for queue in &self.queues {
            let (answer, answered) = oneshot::channel();
            // A writer that has ended drops the command, and the answer says so.
            let _ = queue.send(command(answer)).await;
            answers.push(answered);
        }
        let mut all = true;
        for answer in answers {
            all &= answer.await.is_ok();
        }
        all
    }
}
