//! One agent's connection: streams into frames, frames into `EdgeSession`, its actions into effects.

use std::{collections::BTreeMap, sync::Arc};

use broker_logic::{
    cluster::ClusterImage,
    edge_session::{Action, EdgeSession, Input, StoreError, StreamId, block_stored},
    ids::TopicPartition,
    replica::{Acks, AppendError},
};
use bytes::BytesMut;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};
use tracing::{debug, info, warn};
use uplink_wire::{Frame, Refusal, RefusalCode, TopicInfo, TopicWanted};

use super::downlink;
use crate::{broker::Shared, clock, partition::answered};

/// Frames read but not yet handled, over all streams; a full queue stops the readers, and QUIC's flow
/// control the agent.
const MAILBOX: usize = 256;

/// Frames on their way to the agent, per stream. An agent that lets this many acks lie is gone.
const OUTBOX: usize = 64;

/// How long an agent's block may wait for its sync.
const APPEND_TIMEOUT_MS: i64 = 30_000;

pub async fn run(connection: Connection, shared: Arc<Shared>) {
    let remote = connection.remote_address();
    let _connected = shared.metrics.agent_connected();
    info!(%remote, "agent connected");
    let (mailbox, inputs) = mpsc::channel(MAILBOX);
    let session = EdgeSession::new(shared.cluster_id.clone(), shared.config.broker.message_max.0 as u32);
    let session = Session {
        shared,
        session,
        mailbox,
        outboxes: BTreeMap::new(),
        deliveries: BTreeMap::new(),
        tasks: JoinSet::new(),
    };
    let reason = session.run(&connection, inputs).await;
    connection.close(VarInt::from_u32(0), reason.as_bytes());
    info!(%remote, reason, "agent disconnected");
}

struct Session {
    shared: Arc<Shared>,
    session: EdgeSession,
    mailbox: mpsc::Sender<Input>,
    outboxes: BTreeMap<StreamId, mpsc::Sender<Frame>>,
    deliveries: BTreeMap<StreamId, AbortHandle>,
    /// Ends with the connection: dropping the set aborts what is left.
    tasks: JoinSet<()>,
}

impl Session {
    async fn run(mut self, connection: &Connection, mut inputs: mpsc::Receiver<Input>) -> String {
        let mut actions = Vec::new();
        loop {
            while self.tasks.try_join_next().is_some() {}
            let input = tokio::select! {
                stream = connection.accept_bi() => match stream {
                    Ok((send, receive)) => {
                        self.open(send, receive);
                        continue;
                    }
                    Err(error) => return error.to_string(),
                },
                Some(input) = inputs.recv() => input,
            };
            if let Input::StreamClosed { stream } = &input {
                self.outboxes.remove(stream);
                if let Some(delivery) = self.deliveries.remove(stream) {
                    delivery.abort();
                }
            }
            self.session.handle(input, &mut actions);
            for action in actions.drain(..) {
                if let Err(reason) = self.act(action).await {
                    return reason;
                }
            }
        }
    }

    fn open(&mut self, send: SendStream, receive: RecvStream) {
        let stream = u64::from(VarInt::from(receive.id()));
        let (outbox, frames) = mpsc::channel(OUTBOX);
        self.outboxes.insert(stream, outbox);
        self.tasks.spawn(read(stream, receive, self.mailbox.clone()));
        self.tasks.spawn(write(send, frames));
    }

    async fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::PrepareTopics { stream, topics } => {
                let (shared, mailbox) = (self.shared.clone(), self.mailbox.clone());
                self.tasks.spawn(async move {
                    let topics = prepare(&shared, topics).await;
                    let _ =
                        mailbox.send(Input::TopicsReady { stream, topics, now_ms: clock::now_ms() }).await;
                });
            }
            Action::AllocateProducer { stream } => {
                let (shared, mailbox) = (self.shared.clone(), self.mailbox.clone());
                self.tasks.spawn(async move {
                    let producer = shared.producer_ids.next().await.map_err(|error| Refusal {
                        code: RefusalCode::StorageUnavailable,
                        message: format!("no producer id: {error}"),
                    });
                    let _ = mailbox.send(Input::ProducerAllocated { stream, producer }).await;
                });
            }
            Action::Append { stream, block, topic, partition, header, batch } => {
                let id = TopicPartition::new(topic, partition);
                let Some(partition) = self.shared.partitions.get(&id) else {
                    let error = not_open(&self.shared.image(), &id);
                    let input = Input::Stored { stream, block, result: Err(error) };
                    self.reply_later(async move { input });
                    return Ok(());
                };
                let deadline_ms = clock::now_ms() + APPEND_TIMEOUT_MS;
                let answer = partition.submit(header, batch, Acks::All, deadline_ms).await;
                let shared = self.shared.clone();
                self.reply_later(async move {
                    let answer = answered(answer).await;
                    if let Ok(appended) = &answer {
                        shared.metrics.edge_block_stored(appended.is_duplicate);
                    }
                    let result = block_stored(answer);
                    Input::Stored { stream, block, result }
                });
            }
            Action::Deliver { stream, subscribe } => {
                if let Some(outbox) = self.outboxes.get(&stream).cloned() {
                    let delivery =
                        self.tasks.spawn(downlink::deliver(self.shared.clone(), subscribe, outbox));
                    self.deliveries.insert(stream, delivery);
                }
            }
            Action::Send { stream, frame } => {
                if let Frame::Refused(refusal) = &frame {
                    warn!(code = ?refusal.code, message = refusal.message, "refused an agent");
                }
                if let Some(outbox) = self.outboxes.get(&stream)
                    && let Err(mpsc::error::TrySendError::Full(_)) = outbox.try_send(frame)
                {
                    return Err("the agent does not read its answers".into());
                }
            }
            Action::Finish { stream } => {
                // The writer sends what is queued, then finishes the stream.
                self.outboxes.remove(&stream);
            }
        }
        Ok(())
    }

    fn reply_later(&mut self, reply: impl Future<Output = Input> + Send + 'static) {
        let mailbox = self.mailbox.clone();
        self.tasks.spawn(async move {
            let _ = mailbox.send(reply.await).await;
        });
    }
}

fn not_open(image: &ClusterImage, id: &TopicPartition) -> StoreError {
    match image.topic(&id.topic).map(|topic| topic.partition(id.partition)) {
        None => StoreError::UnknownTopic,
        Some(None) => StoreError::UnknownPartition,
        // It is tried again: the agent keeps what it has, and nobody need come.
        Some(Some(_)) => StoreError::Append(AppendError::LogFailed),
    }
}

async fn prepare(shared: &Shared, wanted: Vec<TopicWanted>) -> Vec<TopicInfo> {
    let mut ready = Vec::new();
    for TopicWanted { name, partitions } in wanted {
        let found = shared.topic_partitions(&name);
        let partitions = match found {
            Some(count) => count,
            None if shared.config.topics.auto_create => {
                let wanted = i32::try_from(partitions.max(1)).unwrap_or(i32::MAX);
                match shared.create_topic(&name, wanted).await {
                    Ok(()) => shared.topic_partitions(&name).unwrap_or(0),
                    Err(error) => {
                        warn!(topic = name, %error, "an agent's topic could not be created");
                        0
                    }
                }
            }
            None => 0,
        };
        ready.push(TopicInfo { name, partitions });
    }
    ready
}

async fn read(stream: StreamId, mut receive: RecvStream, mailbox: mpsc::Sender<Input>) {
    let mut buffer = BytesMut::new();
    loop {
        match uplink_wire::decode(&mut buffer) {
            Ok(Some(frame)) => {
                if mailbox.send(Input::Frame { stream, frame }).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                let _ = mailbox.send(Input::Malformed { stream, reason: error.to_string() }).await;
                // Nothing more will be read from it; the refusal is on its way.
                let _ = receive.stop(VarInt::from_u32(1));
                break;
            }
        }
        match receive.read_chunk(64 << 10, true).await {
            Ok(Some(chunk)) => buffer.extend_from_slice(&chunk.bytes),
            Ok(None) => break,
            Err(error) => {
                debug!(stream, %error, "stream ended");
                break;
            }
        }
    }
    let _ = mailbox.send(Input::StreamClosed { stream }).await;
}

async fn write(mut send: SendStream, mut frames: mpsc::Receiver<Frame>) {
    let mut buffer = BytesMut::new();
    while let Some(frame) = frames.recv().await {
        buffer.clear();
        uplink_wire::encode(&frame, &mut buffer);
        while let Ok(frame) = frames.try_recv() {
            uplink_wire::encode(&frame, &mut buffer);
            if buffer.len() > 64 << 10 {
                break;
            }
        }
        if send.write_all(&buffer).await.is_err() {
            return;
        }
    }
    let _ = send.finish();
    // Keeps the stream until the agent has the last bytes or is gone.
    let _ = send.stopped().await;
}
