//! The owner of one coordinator: reads the partition, then turns questions and time into inputs, and
//! actions into answers and records.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use broker_logic::{
    cluster::ClusterImage,
    groups::{Action, Answer, Coordinator, GroupConfig, Input, Request, Token},
    ids::TopicPartition,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep_until,
};
use tracing::error;

use super::{QUEUE, persist, replay::Replay};
use crate::{clock, partition::Partition};

/// After a read that failed, the partition is read again from its start.
const READ_AGAIN: Duration = Duration::from_secs(10);

pub enum Question {
    Request(Request, oneshot::Sender<Answer>),
    /// Answered once the partition is read, or cannot be.
    Look(Box<dyn FnOnce(&Coordinator) + Send>),
    TopicDeleted(Arc<str>),
    Resign,
}

pub async fn run(
    config: GroupConfig,
    partition: Partition,
    image: watch::Receiver<Arc<ClusterImage>>,
    mut questions: mpsc::Receiver<Question>,
) {
    let (outcomes, persisted) = mpsc::channel(QUEUE);
    let mut owner = Owner {
        coordinator: Coordinator::new(config.clone(), Instant::now(), clock::now_ms()),
        partition,
        waiting: BTreeMap::new(),
        next_token: 0,
        outcomes,
    };
    while let Err(error) = owner.read(&mut questions).await {
        error!(partition = %owner.partition.id, "cannot read the groups' offsets: {error:#}");
        owner.handle(Input::LoadFailed).await;
        if !owner.answer_for(READ_AGAIN, &mut questions).await {
            return;
        }
        owner.coordinator = Coordinator::new(config.clone(), Instant::now(), clock::now_ms());
    }
    owner.handle(Input::Loaded).await;
    owner.forget_topics_that_are_gone(&image).await;
    owner.serve(questions, persisted).await;
}

struct Owner {
    coordinator: Coordinator,
    partition: Partition,
    waiting: BTreeMap<Token, oneshot::Sender<Answer>>,
    next_token: Token,
    /// Of the records under way.
    outcomes: mpsc::Sender<Input>,
}

impl Owner {
    /// Reads the partition. Requests are not kept waiting for a long one: they are told to come again.
    async fn read(&mut self, questions: &mut mpsc::Receiver<Question>) -> anyhow::Result<()> {
        let mut later = Vec::new();
        let mut replay = Replay::of(self.partition.clone());
        loop {
            let chunk = {
                let next = replay.next();
                tokio::pin!(next);
                loop {
                    tokio::select! {
                        biased;
                        chunk = &mut next => break chunk?,
                        Some(question) = questions.recv() => match question {
                            look @ Question::Look(_) => later.push(look),
                            Question::Resign => {
                                self.hear(Question::Resign).await;
                                return Ok(());
                            }
                            question => self.hear(question).await,
                        },
                    }
                }
            };
            match chunk {
                Some(records) => records.replay_into(&mut self.coordinator),
                None => break,
            }
        }
        for look in later {
            self.hear(look).await;
        }
        Ok(())
    }

    /// `false`: nobody asks any more.
    async fn answer_for(&mut self, time: Duration, questions: &mut mpsc::Receiver<Question>) -> bool {
        let until = tokio::time::Instant::now() + time;
        loop {
            tokio::select! {
                () = sleep_until(until) => return true,
                question = questions.recv() => match question {
                    Some(question) => self.hear(question).await,
                    None => return false,
                },
            }
        }
    }

    /// A broker that was killed in the middle of deleting a topic.
    async fn forget_topics_that_are_gone(&mut self, image: &watch::Receiver<Arc<ClusterImage>>) {
        let committed: BTreeSet<Arc<str>> =
            self.coordinator.positions().map(|(_, TopicPartition { topic, .. }, _)| topic.clone()).collect();
        let image = image.borrow().clone();
        for topic in committed.into_iter().filter(|topic| image.topic(topic).is_none()) {
            self.handle(Input::TopicDeleted { topic }).await;
        }
    }

    async fn serve(mut self, mut questions: mpsc::Receiver<Question>, mut persisted: mpsc::Receiver<Input>) {
        loop {
            let deadline = self.coordinator.deadline();
            let tick = async {
                match deadline {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                question = questions.recv() => match question {
                    Some(question) => self.hear(question).await,
                    None => return,
                },
                Some(outcome) = persisted.recv() => self.handle(outcome).await,
                () = tick => self.handle(Input::Tick { unix_ms: clock::now_ms() }).await,
            }
        }
    }

    async fn hear(&mut self, question: Question) {
        match question {
            Question::Request(request, answer) => {
                self.next_token += 1;
                self.waiting.insert(self.next_token, answer);
                self.handle(Input::Request { token: self.next_token, request }).await;
            }
            Question::Look(look) => look(&self.coordinator),
            Question::TopicDeleted(topic) => self.handle(Input::TopicDeleted { topic }).await,
            Question::Resign => self.handle(Input::Resigned).await,
        }
    }

    async fn handle(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.coordinator.handle(input, Instant::now(), &mut actions);
        for action in actions {
            match action {
                Action::Answer { token, answer } => {
                    if let Some(waiting) = self.waiting.remove(&token) {
                        // Who asked may have gone.
                        let _ = waiting.send(answer);
                    }
                }
                Action::Persist { persist, records } => {
                    persist::persist(&self.partition, persist, &records, &self.outcomes).await;
                }
            }
        }
    }
}
