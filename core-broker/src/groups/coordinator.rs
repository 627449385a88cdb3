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
use tracing::{error, warn};

use super::{QUEUE, persist, replay::Replay};
use crate::{
    clock,
    partition::{Partition, Partitions},
};

/// After a read that failed, the partition is read again from its start.
const READ_AGAIN: Duration = Duration::from_secs(10);

pub type Look = Box<dyn FnOnce(&Coordinator) + Send>;

pub enum Question {
    Request(Request, oneshot::Sender<Answer>),
    /// Answered once the partition is read, or cannot be, or is not here.
    Look(Look),
    TopicDeleted(Arc<str>),
    Resign,
}

/// Which partition of the topic, and where it will be.
pub struct Place {
    pub id: TopicPartition,
    pub partitions: Partitions,
    /// Told something whenever the controller has opened partitions.
    pub image: watch::Receiver<Arc<ClusterImage>>,
    /// Topics that are deleted after it was so come as questions.
    pub at_start: Arc<ClusterImage>,
}

pub async fn run(config: GroupConfig, place: Place, mut questions: mpsc::Receiver<Question>) {
    let at_start = place.at_start.clone();
    let (outcomes, persisted) = mpsc::channel(QUEUE);
    let mut owner = Owner {
        coordinator: Coordinator::new(config, Instant::now(), clock::now_ms()),
        partition: None,
        looking: Vec::new(),
        waiting: BTreeMap::new(),
        next_token: 0,
        outcomes,
    };
    if owner.load(place, &mut questions).await.is_some() {
        owner.handle(Input::Loaded).await;
        owner.forget_topics_that_are_gone(&at_start).await;
    }
    owner.show();
    owner.serve(questions, persisted).await;
}

struct Owner {
    coordinator: Coordinator,
    /// Until it is read: none.
    partition: Option<Partition>,
    /// Those who came while the partition was being read, to be shown what came of it.
    looking: Vec<Look>,
    waiting: BTreeMap<Token, oneshot::Sender<Answer>>,
    next_token: Token,
    /// Of the records under way.
    outcomes: mpsc::Sender<Input>,
}

impl Owner {
    /// Until the partition is read, however long that takes; `None`: nobody wants it any more.
    async fn load(&mut self, mut place: Place, questions: &mut mpsc::Receiver<Question>) -> Option<()> {
        loop {
            let partition = self.opened(&mut place, questions).await?;
            match self.read(partition.clone(), questions).await? {
                Ok(()) => {
                    self.partition = Some(partition);
                    return Some(());
                }
                Err(error) => {
                    error!(partition = %place.id, "cannot read the groups' offsets: {error:#}");
                    self.handle(Input::LoadFailed).await;
                    self.show();
                    self.answer_until(tokio::time::sleep(READ_AGAIN), questions).await?;
                    self.handle(Input::LoadAgain).await;
                }
            }
        }
    }

    /// The partition, once it is here. Its groups wait for it, and no others.
    async fn opened(
        &mut self,
        place: &mut Place,
        questions: &mut mpsc::Receiver<Question>,
    ) -> Option<Partition> {
        let Place { id, partitions, image, .. } = place;
        image.mark_unchanged();
        if let Some(partition) = partitions.get(id) {
            return Some(partition);
        }
        warn!(partition = %id, "the groups of this partition are not served until it is open");
        self.handle(Input::LoadFailed).await;
        let opened = async {
            loop {
                // A broker that stops tells nothing more, and resigns.
                if image.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                if let Some(partition) = partitions.get(id) {
                    return partition;
                }
            }
        };
        let partition = self.answer_until(opened, questions).await?;
        self.handle(Input::LoadAgain).await;
        Some(partition)
    }

    /// Reads the partition. Requests are not kept waiting for a long one: they are told to come again. `None`:
    /// nobody wants it any more.
    async fn read(
        &mut self,
        partition: Partition,
        questions: &mut mpsc::Receiver<Question>,
    ) -> Option<anyhow::Result<()>> {
        let mut replay = Replay::of(partition);
        loop {
            let chunk = {
                let next = replay.next();
                tokio::pin!(next);
                loop {
                    tokio::select! {
                        biased;
                        chunk = &mut next => break chunk,
                        Some(question) = questions.recv() => match question {
                            Question::Look(look) => self.looking.push(look),
                            question => self.hear(question).await?,
                        },
                    }
                }
            };
            match chunk {
                Ok(Some(records)) => records.replay_into(&mut self.coordinator),
                Ok(None) => return Some(Ok(())),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// After the coordinator has been told how the reading ended: until then it knows a part.
    fn show(&mut self) {
        for look in self.looking.drain(..) {
            look(&self.coordinator);
        }
    }

    /// `None`: nobody asks any more, or the coordinator has resigned.
    async fn answer_until<T>(
        &mut self,
        event: impl Future<Output = T>,
        questions: &mut mpsc::Receiver<Question>,
    ) -> Option<T> {
        tokio::pin!(event);
        loop {
            tokio::select! {
                happened = &mut event => return Some(happened),
                question = questions.recv() => self.hear(question?).await?,
            }
        }
    }

    /// A broker that was killed in the middle of deleting a topic.
    async fn forget_topics_that_are_gone(&mut self, image: &ClusterImage) {
        let committed: BTreeSet<Arc<str>> =
            self.coordinator.positions().map(|(_, TopicPartition { topic, .. }, _)| topic.clone()).collect();
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
                    Some(question) => _ = self.hear(question).await,
                    None => return,
                },
                Some(outcome) = persisted.recv() => self.handle(outcome).await,
                () = tick => self.handle(Input::Tick { unix_ms: clock::now_ms() }).await,
            }
        }
    }

    /// `None`: the coordinator has resigned with it.
    async fn hear(&mut self, question: Question) -> Option<()> {
        match question {
            Question::Request(request, answer) => {
                self.next_token += 1;
                self.waiting.insert(self.next_token, answer);
                self.handle(Input::Request { token: self.next_token, request }).await;
            }
            Question::Look(look) => look(&self.coordinator),
            Question::TopicDeleted(topic) => self.handle(Input::TopicDeleted { topic }).await,
            Question::Resign => {
                self.handle(Input::Resigned).await;
                return None;
            }
        }
        Some(())
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
                    let partition = self.partition.as_ref().expect("what is not read has nothing to say");
                    persist::persist(partition, persist, &records, &self.outcomes).await;
                }
            }
        }
    }
}
